//go:build integration

package role

import (
	"context"
	"slices"
	"strings"
	"testing"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// objects stands in for the schema room, which makes what this room grants on and moves its ownership.
const objects = `CREATE TYPE public.inbox_status_enum AS ENUM ('pending', 'processing', 'completed', 'failed');
CREATE TABLE public.session (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), messages jsonb, inbox_status public.inbox_status_enum,
	parent uuid REFERENCES public.session (id));
CREATE FUNCTION public.update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`

// host is a pass over roles alone, with that stand-in.
type host struct {
	t        *testing.T
	cluster  *lab.Cluster
	target   postgres.Target
	observer *postgres.Observer
	want     Want
	have     Observation
	changes  []plan.Change
	refuse   bool // the stand-in refuses to make the table
}

func newHost(t *testing.T, c *lab.Cluster, w Want) *host {
	t.Helper()
	target, err := postgres.NewTarget(c.URL("postgres"), w.Database)
	if err != nil {
		t.Fatal(err)
	}
	w.Salt = nil
	o := postgres.NewObserver(target)
	o.Standing = true
	t.Cleanup(o.Close)
	return &host{t: t, cluster: c, target: target, observer: o, want: w}
}

func (h *host) Plan(ctx context.Context) plan.Plan {
	if _, err := h.observer.Ask(ctx, func(v int) []postgres.Query { return Queries(h.want, v, &h.have) }); err != nil {
		return plan.Plan{Unobserved: []plan.Failure{{Resource: "role/", Err: err}}}
	}
	list := slices.Concat(Owner(h.want, h.have), Limits(h.want, h.have), h.schema())
	return plan.Plan{Resources: append(list, Access(h.want, h.have)...)}
}

// schema says what the schema room would.
func (h *host) schema() []plan.Resource {
	db := plan.Resource{Name: "database/" + h.want.Database, Needs: []string{"role/" + h.want.Owner}}
	table := plan.Resource{Name: "migration/0001_session", Needs: []string{db.Name}}
	name := postgres.QuoteIdent(h.want.Database)
	owner := postgres.QuoteIdent(h.want.Owner)
	if len(h.have.Database) == 0 {
		db.Add(plan.Create, "database", "", "", "", postgres.SQL{Where: postgres.Maintenance, Alone: true, Statements: []string{"CREATE DATABASE " + name + " OWNER " + owner + " TEMPLATE template0"}})
	} else if h.have.Database[0].Owner != h.want.Owner {
		db.Add(plan.Update, "owner", "", "", "", postgres.SQL{Statements: []string{"ALTER DATABASE " + name + " OWNER TO " + owner}})
	}
	kinds := map[string]string{"table": session, "type": enum, "function": function}
	if !slices.ContainsFunc(h.have.Objects, func(e Entry) bool { return e.Kind == "table" }) {
		table.Add(plan.Run, "objects", "", "", "", postgres.SQL{Statements: []string{objects}})
	}
	if h.refuse {
		table = plan.Resource{Name: table.Name}
		table.Refuse("not today", "wait")
		return []plan.Resource{db, table}
	}
	for kind, object := range kinds {
		if !slices.ContainsFunc(h.have.Objects, func(e Entry) bool { return e.Kind == kind && e.Owner == h.want.Owner }) {
			table.Add(plan.Update, "owner", "", "", "", postgres.SQL{Statements: []string{"ALTER " + kind + " " + object + " OWNER TO " + owner}})
		}
	}
	return []plan.Resource{db, table}
}

type executor struct{ *postgres.Writer }

func (x executor) Execute(ctx context.Context, s plan.Step) error {
	return x.Writer.Execute(ctx, s.(postgres.SQL))
}

func (h *host) Begin(ctx context.Context) (plan.Executor, func(), error) {
	w, err := postgres.Begin(ctx, h.target, h.observer.Take)
	if err != nil {
		return nil, nil, err
	}
	return executor{w}, func() { h.observer.Give(w.End()) }, nil
}

// converge is one pass, which must be enough: its own look afterwards and a second pass find nothing.
func (h *host) converge() {
	h.t.Helper()
	h.changes = nil
	out := plan.Converge(h.t.Context(), h, func(c plan.Change) { h.changes = append(h.changes, c) })
	if err := out.Err(); err != nil || len(out.Blocked)+len(out.Refusals) > 0 {
		h.t.Fatalf("converge: %v, blocked %v, refused %v", err, out.Blocked, out.Refusals)
	}
	if left := h.Plan(h.t.Context()); len(left.Changes()) > 0 || left.Err() != nil {
		h.t.Fatalf("a second plan: %v, %v", left.Changes(), left.Err())
	}
}

// fields lists what was changed in this room.
func (h *host) fields() []string {
	var list []string
	for _, c := range h.changes {
		if c.Summary != "" {
			list = append(list, c.Resource+" "+c.Field)
		}
	}
	return list
}

const hba = "local all postgres trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"

// server is one of a test's own, in a network namespace. It asks everybody but the administrator for a password, and logs
// whatever can be logged.
type server struct {
	*lab.Cluster
	t  *testing.T
	ns *lab.Namespace
}

func start(t *testing.T, legacy bool) server {
	t.Helper()
	n := lab.NamespaceT(t, "role")
	c := lab.ClusterT(t, lab.ClusterOptions{Namespace: n, HBA: hba, Legacy: legacy, Settings: map[string]string{
		"listen_addresses": "127.0.0.1", "log_statement": "all", "log_min_duration_statement": "0", "log_duration": "on",
		"log_min_error_statement": "debug5", "log_min_messages": "debug1", "log_transaction_sample_rate": "1",
		"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all", "pg_stat_statements.track_utility": "on",
	}})
	s := server{c, t, n}
	s.sql("postgres", "CREATE EXTENSION pg_stat_statements")
	return s
}

func (s server) sql(db, text string) string {
	s.t.Helper()
	out, err := s.PSQL(s.t.Context(), db, text)
	if err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
	return out
}

// login runs SQL as a role over TCP with the real psql.
func (s server) login(role, password, text string) error {
	_, err := s.ns.Exec(s.t.Context(), lab.Command{
		Env:  []string{"PGPASSWORD=" + password},
		Argv: []string{"psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", text, "host=127.0.0.1 dbname=sessiondb user=" + role},
	})
	return err
}

// may and mayNot run SQL as a role over TCP.
func (s server) may(role, password, text string) {
	s.t.Helper()
	if err := s.login(role, password, text); err != nil {
		s.t.Errorf("%s may not: %s: %v", role, text, err)
	}
}

func (s server) mayNot(role, password, text, why string) {
	s.t.Helper()
	if err := s.login(role, password, text); err == nil || !strings.Contains(err.Error(), why) {
		s.t.Errorf("%s: %s: %v, want %q", role, text, err, why)
	}
}

// silent holds that neither a password nor any verifier of its role was written down anywhere by the server.
func (s server) silent(role string, passwords ...string) {
	s.t.Helper()
	secrets := append(passwords, scramPrefix, s.sql("postgres", "SELECT rolpassword FROM pg_authid WHERE rolname = "+postgres.QuoteLiteral(role)))
	seen := map[string]string{
		"the log":            s.Log(),
		"pg_stat_statements": s.sql("postgres", "SELECT query FROM pg_stat_statements"),
		"pg_stat_activity":   s.sql("postgres", "SELECT query FROM pg_stat_activity"),
	}
	if !strings.Contains(seen["the log"], "GRANT SELECT ON TABLE public.session") && !strings.Contains(seen["the log"], "SET LOCAL log_statement") {
		s.t.Error("the log holds nothing of ours: it proves nothing")
	}
	for where, text := range seen {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				s.t.Errorf("%s holds %.8s…", where, secret)
			}
		}
	}
}

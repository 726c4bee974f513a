//go:build integration

package role

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

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
	t       *testing.T
	target  postgres.Target
	want    Want
	have    Observation
	looks   int
	changes []plan.Change
}

func newHost(t *testing.T, c *lab.Cluster, w Want) *host {
	t.Helper()
	target, err := postgres.NewTarget(c.URL("postgres"), w.Database)
	if err != nil {
		t.Fatal(err)
	}
	w.Salt = nil
	return &host{t: t, target: target, want: w}
}

func (h *host) Plan(ctx context.Context) plan.Plan {
	h.looks++
	o := postgres.NewObserver(h.target)
	if _, err := o.Ask(ctx, func(v int) []postgres.Query { return Queries(h.want, v, &h.have) }); err != nil {
		return plan.Plan{Unobserved: []plan.Failure{{Resource: "role/", Err: err}}}
	}
	list := append(Owner(h.want, h.have), h.schema()...)
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
	w, err := postgres.Begin(ctx, h.target, nil)
	if err != nil {
		return nil, nil, err
	}
	return executor{w}, func() { w.End().CloseSoon() }, nil
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
	_, err := s.ns.Exec(s.t.Context(), lab.Command{Env: []string{"PGPASSWORD=" + password},
		Argv: []string{"psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", text, "host=127.0.0.1 dbname=sessiondb user=" + role}})
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

const insert = "INSERT INTO session (messages, inbox_status) VALUES ('{}', 'pending')"

func TestFreshServer(t *testing.T) {
	s := start(t, false)
	w := declared()
	w.Roles = append(w.Roles, Spec{Name: `re"ad'er`, Access: ReadOnly, ConnectionLimit: 2, Password: Password{Managed: true, Enforced: `p'a\s"s`, Source: "file /x"}},
		Spec{Name: "nobody", Access: None, ConnectionLimit: -1, Password: Password{Managed: true, Enforced: "n0body", Source: "file /y"}})
	h := newHost(t, s.Cluster, w)
	h.converge()
	if n := len(h.changes); h.changes[n-1].Field != "LOGIN" {
		t.Errorf("the last change is %s", h.changes[n-1])
	}
	s.silent("sessionuser", "s3cret", `p'a\s"s`, "n0body")

	s.may("sessionuser", "s3cret", insert+"; UPDATE session SET messages = '[]'; SELECT * FROM session; DELETE FROM session WHERE parent IS NOT NULL")
	s.mayNot("sessionuser", "s3cre", "SELECT 1", "password authentication failed")
	for text, why := range map[string]string{
		"TRUNCATE session": "permission denied for table session", "CREATE TABLE t ()": "permission denied for schema public",
		"CREATE TEMP TABLE t ()": "permission denied to create temporary tables", "CREATE SCHEMA s": "permission denied for database",
		"DROP TABLE session": "must be owner", "SELECT rolpassword FROM pg_authid": "permission denied",
	} {
		s.mayNot("sessionuser", "s3cret", text, why)
	}
	s.may(`re"ad'er`, `p'a\s"s`, "SELECT * FROM session")
	s.mayNot(`re"ad'er`, `p'a\s"s`, insert, "permission denied for table session")
	s.mayNot("nobody", "n0body", "SELECT * FROM session", "permission denied for table session")
	// A wanted password that is stored needs no write, in no pass.
	if got := s.sql("postgres", "SELECT count(*) FROM pg_authid WHERE shobj_description(oid, 'pg_authid') <> '' OR rolname = 'sessiondb_owner' AND rolcanlogin"); got != "0" {
		t.Errorf("%s roles still marked or owner logging in", got)
	}
}

func TestLegacyServer(t *testing.T) {
	s := start(t, true)
	s.may("sessionuser", "sessionpass123", "TRUNCATE session; CREATE TABLE mine (); CREATE TEMP TABLE t ()")
	w := declared()
	w.Roles[0].Password.Enforced = ""
	h := newHost(t, s.Cluster, w)
	h.converge()
	if d := cmp.Diff([]string{
		"role/sessiondb_owner role", "role/sessionuser connection limit", "grants/PUBLIC TEMPORARY on database sessiondb",
		"grants/sessionuser CONNECT on database sessiondb", "grants/sessionuser USAGE on schema public",
		"grants/sessionuser REFERENCES on public.session", "grants/sessionuser TRIGGER on public.session", "grants/sessionuser TRUNCATE on public.session",
	}, h.fields()); d != "" {
		t.Errorf("changes: -want +got:\n%s", d)
	}
	if p := h.Plan(t.Context()); len(p.Report().Warnings) != 1 || !strings.Contains(p.Report().Warnings[0].Summary, "initial password") {
		t.Errorf("warnings: %v", p.Report().Warnings)
	}
	s.may("sessionuser", "sessionpass123", insert)
	s.mayNot("sessionuser", "sessionpass123", "TRUNCATE session", "permission denied")
	s.mayNot("sessionuser", "sessionpass123", "CREATE TABLE t ()", "permission denied")
	s.may("sessionuser", "sessionpass123", "DROP TABLE mine") // what it made besides ours stays its own
}

// A session that is open when the password changes stays; the next login needs the new one.
func TestRotation(t *testing.T) {
	s := start(t, false)
	h := newHost(t, s.Cluster, declared())
	h.converge()
	cfg, err := pgconn.ParseConfig(s.URLAs("sessionuser", "sessiondb"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Password = "s3cret"
	conn, err := pgconn.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	h.want.Roles[0].Password.Enforced = "n3w secret"
	h.converge()
	if d := cmp.Diff([]string{"role/sessionuser password"}, h.fields()); d != "" {
		t.Errorf("changes: -want +got:\n%s", d)
	}
	if _, err := conn.Exec(t.Context(), insert).ReadAll(); err != nil {
		t.Errorf("the open session: %v", err)
	}
	s.may("sessionuser", "n3w secret", insert)
	s.mayNot("sessionuser", "s3cret", "SELECT 1", "password authentication failed")
	s.silent("sessionuser", "s3cret", "n3w secret")
}

// A verifier that PostgreSQL does not take for one is hashed as a password: the next look sees it.
func TestMalformedVerifierDiffers(t *testing.T) {
	s := start(t, false)
	h := newHost(t, s.Cluster, declared())
	h.converge()
	s.sql("postgres", "ALTER ROLE sessionuser PASSWORD "+postgres.QuoteLiteral(string(secretStored)[:60]))
	if got := s.sql("postgres", "SELECT rolpassword LIKE 'SCRAM-SHA-256$4096:%' FROM pg_authid WHERE rolname = 'sessionuser'"); got != "t" {
		t.Fatalf("not hashed: %s", got)
	}
	h.converge()
	if d := cmp.Diff([]string{"role/sessionuser password"}, h.fields()); d != "" {
		t.Errorf("changes: -want +got:\n%s", d)
	}
	s.may("sessionuser", "s3cret", insert)
}

func TestEachDriftIsRepaired(t *testing.T) {
	s := start(t, false)
	w := declared()
	w.Roles = append(w.Roles, Spec{Name: "reader", Access: ReadOnly, ConnectionLimit: 5})
	h := newHost(t, s.Cluster, w)
	h.converge()
	s.sql("sessiondb", "CREATE ROLE dba; CREATE SCHEMA sessiondbd AUTHORIZATION sessiondb_owner")
	repaired := []struct{ drift, field string }{
		{"ALTER ROLE sessionuser SUPERUSER", "role/sessionuser SUPERUSER"},
		{"ALTER ROLE sessionuser CREATEDB", "role/sessionuser CREATEDB"},
		{"ALTER ROLE sessionuser CREATEROLE", "role/sessionuser CREATEROLE"},
		{"ALTER ROLE sessionuser REPLICATION", "role/sessionuser REPLICATION"},
		{"ALTER ROLE sessionuser BYPASSRLS", "role/sessionuser BYPASSRLS"},
		{"ALTER ROLE sessionuser NOINHERIT", "role/sessionuser INHERIT"},
		{"ALTER ROLE sessionuser CONNECTION LIMIT -1", "role/sessionuser connection limit"},
		{"ALTER ROLE sessionuser PASSWORD 'other'", "role/sessionuser password"},
		{"ALTER ROLE sessiondb_owner LOGIN", "role/sessiondb_owner LOGIN"},
		{"ALTER ROLE sessiondb_owner CREATEROLE", "role/sessiondb_owner CREATEROLE"},
		{"REVOKE CONNECT ON DATABASE sessiondb FROM sessionuser", "grants/sessionuser CONNECT on database sessiondb"},
		{"REVOKE USAGE ON SCHEMA public FROM sessionuser", "grants/sessionuser USAGE on schema public"},
		{"REVOKE INSERT ON session FROM sessionuser", "grants/sessionuser INSERT on public.session"},
		{"GRANT TRUNCATE ON session TO sessionuser WITH GRANT OPTION", "grants/sessionuser TRUNCATE on public.session"},
		{"GRANT SELECT ON session TO sessionuser WITH GRANT OPTION; SET ROLE sessionuser; GRANT SELECT ON session TO dba; RESET ROLE", "grants/sessionuser SELECT on public.session"},
		{"GRANT UPDATE (messages) ON session TO reader", "grants/reader UPDATE on public.session.messages"},
		{"GRANT DELETE ON session TO reader", "grants/reader DELETE on public.session"},
		{"GRANT INSERT ON session TO dba WITH GRANT OPTION; SET ROLE dba; GRANT INSERT ON session TO reader; RESET ROLE", "grants/reader INSERT on public.session"},
		{"GRANT UPDATE ON session TO sessionuser WITH GRANT OPTION; SET ROLE sessionuser; GRANT UPDATE ON session TO reader; RESET ROLE", "grants/reader UPDATE on public.session"},
		{"GRANT CREATE ON SCHEMA public TO sessionuser", "grants/sessionuser CREATE on schema public"},
		{"GRANT USAGE ON SCHEMA sessiondbd TO sessionuser", "grants/sessionuser USAGE on schema sessiondbd"},
		{"GRANT TEMP ON DATABASE sessiondb TO sessionuser", "grants/sessionuser TEMPORARY on database sessiondb"},
		{"GRANT CREATE ON DATABASE sessiondb TO sessionuser", "grants/sessionuser CREATE on database sessiondb"},
		{"GRANT USAGE ON TYPE inbox_status_enum TO sessionuser", "grants/sessionuser USAGE on type public.inbox_status_enum"},
		{"GRANT EXECUTE ON FUNCTION update_updated_at_column() TO sessionuser", "grants/sessionuser EXECUTE on function public.update_updated_at_column()"},
		{"ALTER SCHEMA public OWNER TO reader", "grants/reader owner of schema public"},
		{"GRANT TEMP ON DATABASE sessiondb TO PUBLIC", "grants/PUBLIC TEMPORARY on database sessiondb"},
		{"GRANT CREATE ON SCHEMA public TO PUBLIC", "grants/PUBLIC CREATE on schema public"},
		{"GRANT SELECT ON session TO PUBLIC", "grants/PUBLIC SELECT on public.session"},
		{"GRANT SELECT (id) ON session TO PUBLIC", "grants/PUBLIC SELECT on public.session.id"},
		{"GRANT USAGE ON SCHEMA sessiondbd TO PUBLIC", "grants/PUBLIC USAGE on schema sessiondbd"},
		{"ALTER DATABASE sessiondb OWNER TO sessionuser", "grants/sessionuser CONNECT on database sessiondb"},
		{"ALTER TABLE session OWNER TO sessionuser", "grants/sessionuser SELECT on public.session"},
		{"DROP OWNED BY sessionuser; DROP ROLE sessionuser", "role/sessionuser LOGIN"},
	}
	for _, r := range repaired {
		s.sql("sessiondb", r.drift)
		h.converge()
		if !slices.Contains(h.fields(), r.field) {
			t.Errorf("%s: changed %q, not %s", r.drift, h.fields(), r.field)
		}
	}
	// All but the last, which would take the others with it, at once.
	for _, r := range repaired[:len(repaired)-1] {
		s.sql("sessiondb", r.drift)
	}
	h.converge()
	s.may("sessionuser", "s3cret", insert)
}

func TestNotSuperuser(t *testing.T) {
	s := start(t, false)
	h := newHost(t, s.Cluster, declared())
	h.converge()
	s.sql("postgres", "CREATE ROLE admin LOGIN CREATEROLE PASSWORD 'adm1n'")
	target, err := postgres.NewTarget(s.URLAs("admin", "postgres")+"&password=adm1n", "sessiondb")
	if err != nil {
		t.Fatal(err)
	}
	h.target = target
	p := h.Plan(t.Context())
	if err := p.Err(); err != nil {
		t.Fatalf("the batch died: %v", err)
	}
	if !errors.Is(h.have.Err(), ErrNotSuperuser) {
		t.Errorf("observed %v", h.have.Server)
	}
	if r := p.Report(); len(r.Refusals) != 2 || len(r.Changes) != 0 {
		t.Errorf("refusals %v, changes %v", r.Refusals, r.Changes)
	}
}

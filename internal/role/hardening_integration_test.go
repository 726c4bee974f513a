//go:build integration

package role

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sessiondbd/internal/lab"
)

// clients is what the documented clients send.
const clients = `INSERT INTO session (messages, inbox_status, parent) VALUES ('{"msg": "Hello"}', 'pending', NULL) RETURNING id;
	INSERT INTO session (parent) SELECT id FROM session LIMIT 1;
	SELECT id, messages, inbox_status FROM session WHERE inbox_status = 'pending'::inbox_status_enum;
	UPDATE session SET inbox_status = 'completed', messages = messages || '{}' WHERE parent IS NULL;
	SELECT s.* FROM session s LEFT JOIN session p ON s.parent = p.id WHERE s.parent IS NOT NULL AND p.id IS NULL;
	SELECT pg_size_pretty(pg_total_relation_size('session')), pg_size_pretty(pg_database_size('sessiondb'));
	SELECT count(*) FROM pg_stat_activity WHERE datname = 'sessiondb';
	DELETE FROM session WHERE parent IS NOT NULL; DELETE FROM session`

// attempts use what each hardening takes. The first statement of a hardening shows that it is in force.
var attempts = map[string]string{
	"owning the database":  "ALTER DATABASE sessiondb SET work_mem = '1MB'",
	"owning schema public": "CREATE TABLE public.mine (); DROP TABLE public.mine",
	"owning the table":     "ALTER TABLE public.session SET (fillfactor = 90)",
	"TRUNCATE":             "TRUNCATE session",
	"TRIGGER":              "CREATE TRIGGER mine BEFORE DELETE ON session FOR EACH ROW EXECUTE FUNCTION update_updated_at_column()",
	"REFERENCES":           "CREATE TABLE own.mine (s uuid REFERENCES public.session); DROP TABLE own.mine",
	"MAINTAIN":             "SELECT 1 / has_table_privilege('session', 'MAINTAIN')::int",
	"objects in public":    "CREATE TABLE public.mine (); DROP TABLE public.mine",
	"schemas":              "CREATE SCHEMA mine; DROP SCHEMA mine",
	"temporary tables":     "CREATE TEMP TABLE mine ()",
	"the diary":            "SELECT 1 FROM sessiondbd.nothing",
	"ending sessions":      "SELECT pg_terminate_backend(0), pg_cancel_backend(0)",
	"DO":                   "DO 'BEGIN END'",
	"advisory locks":       "SELECT pg_advisory_lock(1), pg_try_advisory_xact_lock_shared(1, 1)",
	"large objects":        "SELECT lo_unlink(lo_from_bytea(0, 'x'))",
	"logical messages":     "SELECT pg_logical_emit_message(false, 'x', 'y')",
	"connecting by PUBLIC": "", // by somebody else
}

// as runs SQL as a role on the socket, which trusts.
func (h *host) as(role, text string) error {
	var machine lab.Place
	_, err := machine.Exec(h.t.Context(), lab.Command{Argv: []string{"psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", h.cluster.URLAs(role, "sessiondb"), "-c", text}})
	return err
}

func (h *host) sql(db, text string) string {
	h.t.Helper()
	out, err := h.cluster.PSQL(h.t.Context(), db, text)
	if err != nil {
		h.t.Fatalf("%s: %v", text, err)
	}
	return out
}

// refused says whether the attempt of a hardening fails for want of the right.
func (h *host) refused(name string) bool {
	role, text := "sessionuser", attempts[name]
	if text == "" {
		role, text = "guest", "SELECT 1"
	}
	err := h.as(role, text)
	if err != nil && !strings.Contains(err.Error(), "permission denied") && !strings.Contains(err.Error(), "must be owner") &&
		!strings.Contains(err.Error(), "division by zero") && !strings.Contains(err.Error(), `relation "sessiondbd.nothing" does not exist`) {
		h.t.Errorf("%s: %v", name, err)
	}
	return err != nil && !strings.Contains(err.Error(), `relation "sessiondbd.nothing"`)
}

func TestHardeningOnEveryVersion(t *testing.T) {
	for _, major := range lab.Majors() {
		bindir := lab.BindirT(t, major)
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			t.Parallel()
			c := lab.ClusterT(t, lab.ClusterOptions{Bindir: bindir})
			w := declared()
			w.Roles[0].Password = Password{}
			w.Roles = append(w.Roles, Spec{Name: "reader", Access: ReadOnly, ConnectionLimit: 5})
			h := newHost(t, c, w)
			h.sql("postgres", "CREATE ROLE guest LOGIN; CREATE ROLE dba; CREATE ROLE signaller LOGIN; GRANT pg_signal_backend TO signaller")
			h.converge()
			h.nothingElse()
			h.sql("sessiondb", "CREATE SCHEMA sessiondbd AUTHORIZATION sessiondb_owner; CREATE SCHEMA own AUTHORIZATION sessionuser; SET ROLE sessionuser; CREATE TABLE own.kept ()")
			h.sameFunctions()
			h.takeAway()
			h.want.Strict = true
			h.converge()
			h.takeAway()
			h.back()
			if err := h.as("sessionuser", clients+"; TABLE own.kept"); err != nil {
				t.Error(err)
			}
		})
	}
}

// nothingElse holds that what was seen explains each dependency, so that a pass without news asks no further.
func (h *host) nothingElse() {
	for _, s := range h.want.Roles {
		n := h.sql("sessiondb", "SELECT count(*) FROM pg_shdepend WHERE refobjid = '"+s.Name+"'::regrole")
		if got := fmt.Sprint(h.have.explained(s.Name)); got != n || n == "0" || h.have.Dependencies != nil {
			h.t.Errorf("%s has %s dependencies, %s are explained; asked for %v", s.Name, n, got, h.have.Dependencies)
		}
	}
}

// sameFunctions holds that the table of hardenings names all overloads of this version, and no others.
func (h *host) sameFunctions() {
	for _, hardening := range Hardenings {
		if len(hardening.functions) == 0 {
			continue
		}
		there := strings.Split(h.sql("sessiondb", "SET search_path = pg_catalog; SELECT 'pg_catalog.' || oid::regprocedure FROM pg_proc WHERE proname IN ('"+strings.Join(hardening.names(), "', '")+"')"), "\n")
		want := hardening.signatures(h.have.Version)
		slices.Sort(there)
		slices.Sort(want)
		if !slices.Equal(there, want) {
			h.t.Errorf("%s: the server has %q, the table %q", hardening.Name, there, want)
		}
	}
}

// takeAway undoes one hardening after the other: its own attempt works then, and no longer once the next pass is through.
func (h *host) takeAway() {
	for _, hardening := range Hardenings {
		undo := hardening.Undo("sessiondb", "sessionuser", h.have.Version)
		if len(undo) == 0 {
			continue
		}
		if refused := h.refused(hardening.Name); refused != h.want.inForce(hardening) {
			h.t.Errorf("%s, strict %t: refused is %t", hardening.Name, h.want.Strict, refused)
		}
		if h.want.Strict != hardening.Strict {
			continue // standard's are taken away under standard
		}
		h.sql("sessiondb", strings.Join(undo, ";"))
		if h.refused(hardening.Name) {
			h.t.Errorf("%s is refused for another reason than the hardening", hardening.Name)
		}
		if hardening.Name == "TRIGGER" {
			h.sql("sessiondb", "DROP TRIGGER mine ON session")
		}
		h.converge()
		if !h.refused(hardening.Name) {
			h.t.Errorf("%s is not refused any more", hardening.Name)
		}
	}
	if err := h.as("sessionuser", clients); err != nil {
		h.t.Error(err)
	}
	if !h.want.Strict { // strict keeps him from connecting
		if err := h.as("signaller", "SELECT pg_terminate_backend(0), pg_cancel_backend(0)"); err != nil {
			h.t.Error(err)
		}
	}
	// What the schema room does when the function was lost.
	h.sql("sessiondb", "CREATE OR REPLACE FUNCTION public.update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
}

// back returns from strict to standard: nothing is given back, what is closed is told with the command, which works.
func (h *host) back() {
	h.want.Strict = false
	p := h.Plan(h.t.Context())
	if len(p.Changes()) > 0 {
		h.t.Errorf("standard after strict: %v", p.Changes())
	}
	n := 0
	for _, w := range p.Report().Warnings {
		if _, statement, ok := strings.Cut(w.Remedy, " -c "); ok && w.Resource == "grants/PUBLIC" {
			n++
			h.sql("sessiondb", strings.Trim(statement, "'"))
		}
	}
	for _, w := range h.Plan(h.t.Context()).Report().Warnings {
		if w.Resource == "grants/PUBLIC" {
			h.t.Errorf("after the remedy: %v", w)
		}
	}
	for _, hardening := range Hardenings {
		if hardening.Strict && attempts[hardening.Name] != "" && h.refused(hardening.Name) {
			h.t.Errorf("%s is still refused", hardening.Name)
		}
	}
	if n != 4 {
		h.t.Errorf("%d warnings of what strict took", n)
	}
}

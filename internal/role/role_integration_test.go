//go:build integration

package role

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

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
	want := []string{
		"role/sessiondb_owner role", "role/sessionuser connection limit", "role/sessionuser temp_file_limit", "role/sessionuser sessiondbd.declared",
		"grants/pg_signal_backend EXECUTE on 2 functions for ending sessions", "grants/PUBLIC TEMPORARY on database sessiondb", "grants/PUBLIC EXECUTE on 2 functions for ending sessions",
		"grants/sessionuser CONNECT on database sessiondb", "grants/sessionuser USAGE on schema public",
		"grants/sessionuser REFERENCES on public.session", "grants/sessionuser TRIGGER on public.session", "grants/sessionuser TRUNCATE on public.session",
	}
	if h.have.Version >= 170000 { // GRANT ALL became more
		want = slices.Insert(want, 9, "grants/sessionuser MAINTAIN on public.session")
	}
	if h.have.Version < 150000 {
		want = slices.Insert(want, 6, "grants/PUBLIC CREATE on schema public")
	}
	if d := cmp.Diff(want, h.fields()); d != "" {
		t.Errorf("changes: -want +got:\n%s", d)
	}
	if w := h.Plan(t.Context()).Report().Warnings; len(w) != 2 || !strings.Contains(w[0].Summary, "initial password") || !strings.Contains(w[1].Summary, "it owns besides what is ours: table public.mine") {
		t.Errorf("warnings: %v", w)
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

// Without its grants a new role does not log in, and the next pass goes on where this one stopped.
func TestBlockedGrantsKeepTheDoorShut(t *testing.T) {
	s := start(t, false)
	h := newHost(t, s.Cluster, declared())
	h.refuse = true
	out := plan.Converge(t.Context(), h, func(plan.Change) {})
	if err := out.Err(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]plan.Blocked{
		{Resource: "grants/pg_signal_backend", By: "migration/0001_session"},
		{Resource: "grants/PUBLIC", By: "migration/0001_session"},
		{Resource: "grants/sessionuser", By: "migration/0001_session"},
		{Resource: "role/sessionuser", By: "migration/0001_session"},
	}, out.Blocked); d != "" {
		t.Errorf("blocked: -want +got:\n%s", d)
	}
	if got := s.sql("postgres", "SELECT rolcanlogin, rolpassword IS NULL FROM pg_authid WHERE rolname = 'sessionuser'"); got != "f|t" {
		t.Errorf("login, no password: %s", got)
	}
	h.refuse = false
	h.converge()
	s.may("sessionuser", "s3cret", insert)
	// An administrator's NOLOGIN has no mark, and stays.
	s.sql("postgres", "ALTER ROLE sessionuser NOLOGIN")
	h.converge()
	s.mayNot("sessionuser", "s3cret", "SELECT 1", "is not permitted to log in")
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
	c, err := target.ConnectSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseSoon()
	var o Observation
	if err := c.Ask(t.Context(), Queries(h.want, c.Version(), &o)); postgres.ClassOf(err) != postgres.NotPermitted || len(o.Verifiers) != 0 {
		t.Errorf("observed %v, error %v", o.Verifiers, err)
	}
}

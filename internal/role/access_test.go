package role

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// stored is the verifier of a password with the salt that the tests use.
func stored(password string) Secret {
	v, err := derive(password, testSalt(), iterations)
	if err != nil {
		panic(err)
	}
	return Secret(v.text())
}

func testSalt() []byte { return []byte("0123456789abcdef") }

var (
	secretStored  = stored("s3cret")
	initialStored = stored("sessionpass123")
)

// declared is one role, its password enforced.
func declared() Want {
	return Want{Database: "sessiondb", Owner: "sessiondb_owner", Salt: testSalt, Cache: &Cache{}, Roles: []Spec{{
		Name: "sessionuser", Access: ReadWrite, ConnectionLimit: 80, Defaults: []Default{{"temp_file_limit", "256MB"}},
		Password: Password{Managed: true, Enforced: "s3cret", Initial: "sessionpass123", Source: "credential sessionuser.password"},
	}}}
}

func acl(kind, name, owner, grantee string, privileges ...string) []Entry {
	var list []Entry
	for _, p := range privileges {
		list = append(list, Entry{Kind: kind, Name: name, Owner: owner, Grantor: owner, Grantee: grantee, Privilege: p})
	}
	return list
}

const (
	own      = "sessiondb_owner"
	session  = "public.session"
	enum     = "public.inbox_status_enum"
	function = "public.update_updated_at_column()"

	cancel    = "pg_catalog.pg_cancel_backend(integer)"
	terminate = "pg_catalog.pg_terminate_backend(integer,bigint)"
)

// converged is what a server says that is as declared; PostgreSQL 15.
func converged() Observation {
	return Observation{
		Version: 150018, Server: []Server{{"postgres", true}},
		Roles: []Role{
			{Name: own, Inherit: true, ConnectionLimit: -1},
			{Name: "sessionuser", Inherit: true, Login: true, ConnectionLimit: 80},
		},
		Verifiers: []Verifier{{own, ""}, {"sessionuser", secretStored}},
		Settings:  []Setting{{"sessionuser", "sessiondb", "sessiondbd.declared=yes"}, {"sessionuser", "sessiondb", "temp_file_limit=256MB"}},
		Database: slices.Concat(acl("database", "sessiondb", own, own, "CREATE", "TEMPORARY", "CONNECT"),
			acl("database", "sessiondb", own, "", "CONNECT"), acl("database", "sessiondb", own, "sessionuser", "CONNECT")),
		Objects: slices.Concat(acl("schema", "public", pgDatabaseOwner, pgDatabaseOwner, "USAGE", "CREATE"),
			acl("schema", "public", pgDatabaseOwner, "", "USAGE"), acl("schema", "public", pgDatabaseOwner, "sessionuser", "USAGE"),
			acl("schema", "sessiondbd", own, own, "USAGE", "CREATE"),
			acl("table", session, own, own, "SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"),
			acl("table", session, own, "sessionuser", "SELECT", "INSERT", "UPDATE", "DELETE"),
			acl("type", enum, own, own, "USAGE"), acl("type", enum, own, "", "USAGE"),
			acl("function", function, own, own, "EXECUTE"), acl("function", function, own, "", "EXECUTE")),
		Hardened: slices.Concat(acl("language", "plpgsql", "postgres", "", "USAGE"), acl("language", "plpgsql", "postgres", "postgres", "USAGE"),
			acl("function", cancel, "postgres", "pg_signal_backend", "EXECUTE"), acl("function", cancel, "postgres", "postgres", "EXECUTE"),
			acl("function", terminate, "postgres", "pg_signal_backend", "EXECUTE"), acl("function", terminate, "postgres", "postgres", "EXECUTE")),
	}
}

// fresh is a new server; legacy the one that init-session-schema left.
func fresh() Observation {
	return Observation{Version: 150018, Server: []Server{{"postgres", true}}}
}

func legacy() Observation {
	o := fresh()
	o.Roles = []Role{{Name: "sessionuser", Inherit: true, Login: true, ConnectionLimit: -1}}
	o.Verifiers = []Verifier{{"sessionuser", initialStored}}
	o.Database = slices.Concat(acl("database", "sessiondb", "sessionuser", "", "CONNECT", "TEMPORARY"),
		acl("database", "sessiondb", "sessionuser", "sessionuser", "CREATE", "CONNECT", "TEMPORARY"))
	all := []string{"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"}
	o.Objects = slices.Concat(acl("schema", "public", pgDatabaseOwner, pgDatabaseOwner, "USAGE", "CREATE"),
		acl("schema", "public", pgDatabaseOwner, "", "USAGE"),
		acl("table", session, "postgres", "postgres", all...), acl("table", session, "postgres", "sessionuser", all...),
		acl("type", enum, "postgres", "postgres", "USAGE"), acl("type", enum, "postgres", "", "USAGE"),
		acl("function", function, "postgres", "postgres", "EXECUTE"), acl("function", function, "postgres", "", "EXECUTE"))
	o.Hardened = slices.Concat(acl("language", "plpgsql", "postgres", "", "USAGE"), acl("language", "plpgsql", "postgres", "postgres", "USAGE"),
		acl("function", cancel, "postgres", "", "EXECUTE"), acl("function", cancel, "postgres", "postgres", "EXECUTE"),
		acl("function", terminate, "postgres", "", "EXECUTE"), acl("function", terminate, "postgres", "postgres", "EXECUTE"))
	return o
}

// both is the whole room's answer.
func both(w Want, o Observation) []plan.Resource { return slices.Concat(Owner(w, o), Access(w, o)) }

// lines writes a plan down as a test reads it: what changes by which statements, verifiers masked, then what is said.
func lines(list []plan.Resource) []string {
	var all []string
	for _, r := range list {
		for _, c := range r.Changes {
			s := c.Step.(postgres.SQL)
			text := strings.Join(s.Statements, "; ")
			if s.Secret {
				head, _, _ := strings.Cut(text, "SCRAM")
				text = head + "…"
			}
			if s.Where == postgres.Maintenance {
				text = "(maintenance) " + text
			}
			all = append(all, fmt.Sprintf("%s %s %s [%s→%s]: %s", r.Name, c.Action, c.Field, c.Have, c.Want, text))
		}
		for _, f := range r.Refusals {
			all = append(all, fmt.Sprintf("%s refused: %s → %s", r.Name, f.Summary, f.Remedy))
		}
		for _, w := range r.Warnings {
			all = append(all, fmt.Sprintf("%s warning: %s → %s", r.Name, w.Summary, w.Remedy))
		}
	}
	return all
}

func check(t *testing.T, got []plan.Resource, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, lines(got)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestFresh(t *testing.T) {
	list := both(declared(), fresh())
	check(t, list,
		`role/sessiondb_owner create role [→NOLOGIN]: (maintenance) CREATE ROLE "sessiondb_owner" NOLOGIN`,
		`role/sessionuser create role [→NOLOGIN, connection limit 80]: CREATE ROLE "sessionuser" NOLOGIN CONNECTION LIMIT 80; COMMENT ON ROLE "sessionuser" IS '`+halfMade+`'`,
		`role/sessionuser create temp_file_limit [→256MB]: ALTER ROLE "sessionuser" IN DATABASE "sessiondb" SET "temp_file_limit" = '256MB'`,
		`role/sessionuser create sessiondbd.declared [→yes]: ALTER ROLE "sessionuser" IN DATABASE "sessiondb" SET "sessiondbd.declared" = 'yes'`,
		`grants/pg_signal_backend create EXECUTE on 2 functions for ending sessions [→granted]: GRANT EXECUTE ON FUNCTION `+cancel+`, `+terminate+` TO pg_signal_backend`,
		`grants/PUBLIC delete TEMPORARY on database sessiondb [granted→]: REVOKE TEMPORARY ON DATABASE "sessiondb" FROM PUBLIC`,
		`grants/PUBLIC delete CREATE on schema public [granted by the template, perhaps→]: REVOKE CREATE ON SCHEMA public FROM PUBLIC`,
		`grants/PUBLIC delete EXECUTE on 2 functions for ending sessions [granted→]: REVOKE EXECUTE ON FUNCTION `+cancel+`, `+terminate+` FROM PUBLIC`,
		`grants/sessionuser create CONNECT on database sessiondb [→granted]: GRANT CONNECT ON DATABASE "sessiondb" TO "sessionuser"`,
		`grants/sessionuser create USAGE on schema public [→granted]: GRANT USAGE ON SCHEMA public TO "sessionuser"`,
		`grants/sessionuser create SELECT on public.session [→granted]: GRANT SELECT ON TABLE public.session TO "sessionuser"`,
		`grants/sessionuser create INSERT on public.session [→granted]: GRANT INSERT ON TABLE public.session TO "sessionuser"`,
		`grants/sessionuser create UPDATE on public.session [→granted]: GRANT UPDATE ON TABLE public.session TO "sessionuser"`,
		`grants/sessionuser create DELETE on public.session [→granted]: GRANT DELETE ON TABLE public.session TO "sessionuser"`,
		`role/sessionuser update password [none→as in credential sessionuser.password]: ALTER ROLE "sessionuser" PASSWORD '…`,
		`role/sessionuser update LOGIN [no→yes]: ALTER ROLE "sessionuser" LOGIN; COMMENT ON ROLE "sessionuser" IS NULL`,
	)
	oneGroup(t, list[1:])
}

// oneGroup holds that everything after the owner shares one transaction, whose LOGIN comes last.
func oneGroup(t *testing.T, list []plan.Resource) {
	t.Helper()
	var joined plan.Step
	for _, c := range (plan.Plan{Resources: list}).Changes() {
		if joined == nil {
			joined = c.Step
			continue
		}
		next, ok := joined.(plan.Joiner).Join(c.Step)
		if !ok {
			t.Fatalf("%s is another transaction", c)
		}
		joined = next
	}
	if s := joined.(postgres.SQL); !s.Secret || s.Where != postgres.Session {
		t.Errorf("joined: secret %t, where %d", s.Secret, s.Where)
	}
}

func TestLegacy(t *testing.T) {
	check(t, both(declared(), legacy()),
		`role/sessiondb_owner create role [→NOLOGIN]: (maintenance) CREATE ROLE "sessiondb_owner" NOLOGIN`,
		`role/sessionuser update connection limit [none→80]: ALTER ROLE "sessionuser" CONNECTION LIMIT 80`,
		`role/sessionuser create temp_file_limit [→256MB]: ALTER ROLE "sessionuser" IN DATABASE "sessiondb" SET "temp_file_limit" = '256MB'`,
		`role/sessionuser create sessiondbd.declared [→yes]: ALTER ROLE "sessionuser" IN DATABASE "sessiondb" SET "sessiondbd.declared" = 'yes'`,
		`grants/pg_signal_backend create EXECUTE on 2 functions for ending sessions [→granted]: GRANT EXECUTE ON FUNCTION `+cancel+`, `+terminate+` TO pg_signal_backend`,
		`grants/PUBLIC delete TEMPORARY on database sessiondb [granted→]: REVOKE TEMPORARY ON DATABASE "sessiondb" FROM PUBLIC`,
		`grants/PUBLIC delete EXECUTE on 2 functions for ending sessions [granted→]: REVOKE EXECUTE ON FUNCTION `+cancel+`, `+terminate+` FROM PUBLIC`,
		`grants/sessionuser create CONNECT on database sessiondb [→granted]: GRANT CONNECT ON DATABASE "sessiondb" TO "sessionuser"`,
		`grants/sessionuser create USAGE on schema public [→granted]: GRANT USAGE ON SCHEMA public TO "sessionuser"`,
		`grants/sessionuser delete TRUNCATE on public.session [granted→]: REVOKE TRUNCATE ON TABLE public.session FROM "sessionuser"`,
		`grants/sessionuser delete REFERENCES on public.session [granted→]: REVOKE REFERENCES ON TABLE public.session FROM "sessionuser"`,
		`grants/sessionuser delete TRIGGER on public.session [granted→]: REVOKE TRIGGER ON TABLE public.session FROM "sessionuser"`,
		`role/sessionuser update password [differs from credential sessionuser.password→as in credential sessionuser.password]: ALTER ROLE "sessionuser" PASSWORD '…`,
	)
}

func TestConverged(t *testing.T) {
	check(t, both(declared(), converged()))
	check(t, both(declared(), Observation{})) // not observed: the plan says so elsewhere
}

func TestNeeds(t *testing.T) {
	needs := func(list []plan.Resource) map[string][]string {
		all := map[string][]string{}
		for _, r := range list {
			all[r.Name] = append(all[r.Name], r.Needs...)
		}
		return all
	}
	want := map[string][]string{
		"role/sessiondb_owner":     nil,
		"role/sessionuser":         {"database/sessiondb", "database/sessiondb", "grants/sessionuser"},
		"grants/PUBLIC":            {"database/sessiondb", "migration/", "schema/session", "grants/pg_signal_backend"},
		"grants/pg_signal_backend": {"database/sessiondb", "migration/", "schema/session"},
		"grants/sessionuser":       {"role/sessionuser", "database/sessiondb", "migration/", "schema/session"},
	}
	if d := cmp.Diff(want, needs(both(declared(), fresh()))); d != "" {
		t.Errorf("fresh: -want +got:\n%s", d)
	}
	want["role/sessionuser"] = want["role/sessionuser"][:1]
	delete(want, "grants/pg_signal_backend")
	want["grants/PUBLIC"], want["grants/sessionuser"] = want["grants/PUBLIC"][:2], want["grants/sessionuser"][:3]
	if d := cmp.Diff(want, needs(both(declared(), converged()))); d != "" {
		t.Errorf("converged: -want +got:\n%s", d)
	}
}

// A pass whose grants failed leaves a role that cannot log in; the next one takes it up where it was left.
func TestHalfMade(t *testing.T) {
	o := converged()
	o.Roles[1].Login, o.Roles[1].Comment = false, halfMade
	o.Verifiers[1].Stored = ""
	check(t, both(declared(), o),
		`role/sessionuser update password [none→as in credential sessionuser.password]: ALTER ROLE "sessionuser" PASSWORD '…`,
		`role/sessionuser update LOGIN [no→yes]: ALTER ROLE "sessionuser" LOGIN; COMMENT ON ROLE "sessionuser" IS NULL`)
}

func TestNoLoginBeforeThePasswordIsRight(t *testing.T) {
	w := declared()
	w.Roles[0].Password.Enforced = "s3cret\n"
	list := Access(w, fresh())
	door := list[len(list)-1]
	if door.Name != "role/sessionuser" || len(door.Changes) != 0 || len(door.Refusals) != 1 {
		t.Errorf("door: %v", lines([]plan.Resource{door}))
	}
}

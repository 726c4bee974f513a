package role

import (
	"slices"
	"strings"
	"testing"
)

// what strict takes, where only the languages and functions named here are left to take
const (
	takeDO = `grants/PUBLIC delete USAGE on language plpgsql [granted→]: REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC`
	psql   = ` → sudo -u postgres psql -d sessiondb -c `
)

func strict(w *Want, _ *Observation) { w.Strict = true }

// closed is what a server says once strict is in force.
func closed(_ *Want, o *Observation) {
	o.Hardened = slices.DeleteFunc(o.Hardened, func(e Entry) bool { return e.Grantee == "" })
	o.Database = slices.DeleteFunc(o.Database, func(e Entry) bool { return e.Grantee == "" })
}

// open adds a function of PostgreSQL's own, as PUBLIC may use it or not.
func open(name string, public bool) change {
	return func(_ *Want, o *Observation) {
		o.Hardened = append(o.Hardened, acl("function", "pg_catalog."+name, "postgres", "postgres", "EXECUTE")...)
		if public {
			o.Hardened = append(o.Hardened, acl("function", "pg_catalog."+name, "postgres", "", "EXECUTE")...)
		}
	}
}

var hardeningDrifts = []drift{
	{"PUBLIC ends sessions", func(_ *Want, o *Observation) {
		o.Hardened = append(o.Hardened, acl("function", terminate, "postgres", "", "EXECUTE")...)
	}, nothing, []string{`grants/PUBLIC delete EXECUTE on pg_terminate_backend [granted→]: REVOKE EXECUTE ON FUNCTION ` + terminate + ` FROM PUBLIC`}},
	{"PUBLIC ends sessions by a dba's grant", func(_ *Want, o *Observation) {
		o.Hardened = append(o.Hardened, Entry{Kind: "function", Name: terminate, Owner: "postgres", Grantor: "dba", Privilege: "EXECUTE"})
	}, func(_ *Want, o *Observation) {
		o.Hardened = append(o.Hardened, Entry{Kind: "function", Name: terminate, Owner: "postgres", Grantor: "dba", Grantee: "backup", Privilege: "EXECUTE"})
	}, []string{`grants/PUBLIC delete EXECUTE on function ` + terminate + ` [granted by dba→]: SET LOCAL ROLE "dba"; REVOKE EXECUTE ON FUNCTION ` + terminate + ` FROM PUBLIC; RESET ROLE`}},
	{"pg_signal_backend lacks one", func(_ *Want, o *Observation) {
		o.Hardened = slices.DeleteFunc(o.Hardened, func(e Entry) bool { return e.Name == cancel && e.Grantee == "pg_signal_backend" })
	}, nothing, []string{`grants/pg_signal_backend create EXECUTE on pg_cancel_backend [→granted]: GRANT EXECUTE ON FUNCTION ` + cancel + ` TO pg_signal_backend`}},
	{"18 has another such role", func(_ *Want, o *Observation) { o.Version = 180000 }, func(_ *Want, o *Observation) {
		o.Version = 180000
		for _, f := range []string{cancel, terminate} {
			o.Hardened = append(o.Hardened, acl("function", f, "postgres", "pg_signal_autovacuum_worker", "EXECUTE")...)
		}
	}, []string{`grants/pg_signal_autovacuum_worker create EXECUTE on 2 functions for ending sessions [→granted]: GRANT EXECUTE ON FUNCTION ` + cancel + `, ` + terminate + ` TO pg_signal_autovacuum_worker`}},

	// strict, and back
	{"strict takes DO and connecting", strict, all(strict, closed), []string{
		`grants/PUBLIC delete CONNECT on database sessiondb [granted→]: REVOKE CONNECT ON DATABASE "sessiondb" FROM PUBLIC`, takeDO,
	}},
	{"strict and an advisory lock", all(strict, closed, open("pg_advisory_lock(bigint)", true)), open("pg_advisory_lock(bigint)", true), []string{
		`grants/PUBLIC delete EXECUTE on pg_advisory_lock [granted→]: REVOKE EXECUTE ON FUNCTION pg_catalog.pg_advisory_lock(bigint) FROM PUBLIC`,
	}},
	{
		"strict and some large objects", all(strict, closed, open("lo_put(oid,bigint,bytea)", true), open("lo_get(oid)", true), open("lo_creat(integer)", true)),
		all(strict, closed, open("lo_close(integer)", true)),
		[]string{
			`grants/PUBLIC delete EXECUTE on 3 functions for large objects [granted→]: REVOKE EXECUTE ON FUNCTION pg_catalog.lo_creat(integer), pg_catalog.lo_get(oid), pg_catalog.lo_put(oid,bigint,bytea) FROM PUBLIC`,
		},
	},
	{"strict cuts others off", all(strict, closed, func(_ *Want, o *Observation) { o.Guests = []named{{"grafana"}, {`o"ne`}} }), nothing, []string{
		`grants/PUBLIC warning: by no other right than PUBLIC's, which hardening: strict takes away, these roles may connect to the database: grafana, o"ne` + psql + `'GRANT CONNECT ON DATABASE "sessiondb" TO "grafana", "o""ne"'`,
	}},
	{"standard after strict", all(closed, open("pg_logical_emit_message(boolean,text,text)", false)), open("pg_logical_emit_message(boolean,text,text)", true), []string{
		`grants/PUBLIC warning: PUBLIC may not use DO, which hardening: standard leaves open: strict took it before, or an administrator did; that is left alone` + psql + `'GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC'`,
		`grants/PUBLIC warning: PUBLIC may not use logical messages, which hardening: standard leaves open: strict took it before, or an administrator did; that is left alone` + psql + `'GRANT EXECUTE ON FUNCTION pg_catalog.pg_logical_emit_message(boolean,text,text), pg_catalog.pg_logical_emit_message(boolean,text,bytea) TO PUBLIC'`,
	}},

	// what will be made
	{"future tables for the role", ahead("tables", "", "postgres", "sessionuser", "SELECT"), ahead("tables", "", "postgres", "backup", "SELECT"), []string{
		`grants/sessionuser delete SELECT on future tables of postgres [granted→]: ALTER DEFAULT PRIVILEGES FOR ROLE "postgres" REVOKE SELECT ON TABLES FROM "sessionuser"`,
	}},
	{"future sequences of a dba", ahead("sequences", `"their s"`, "dba", "sessionuser", "USAGE"), ahead("sequences", `"their s"`, "dba", "", "USAGE"), []string{
		`grants/sessionuser delete USAGE on future sequences of dba in schema "their s" [granted→]: ALTER DEFAULT PRIVILEGES FOR ROLE "dba" IN SCHEMA "their s" REVOKE USAGE ON SEQUENCES FROM "sessionuser"`,
	}},
	{"future tables for everybody", ahead("tables", "public", own, "", "SELECT"), ahead("functions", "", own, "", "EXECUTE"), []string{
		`grants/PUBLIC delete SELECT on future tables of sessiondb_owner in schema public [granted→]: ALTER DEFAULT PRIVILEGES FOR ROLE "sessiondb_owner" IN SCHEMA public REVOKE SELECT ON TABLES FROM PUBLIC`,
	}},

	// what others own
	{"a right elsewhere", elsewhere("sequence", "kept.s", "USAGE"), nothing, []string{
		`grants/sessionuser delete USAGE on sequence kept.s [granted→]: REVOKE USAGE ON SEQUENCE kept.s FROM "sessionuser"`,
	}},
	{"a parameter", elsewhere("parameter", "work_mem", "ALTER SYSTEM"), nothing, []string{
		`grants/sessionuser delete ALTER SYSTEM on parameter work_mem [granted→]: REVOKE ALTER SYSTEM ON PARAMETER work_mem FROM "sessionuser"`,
	}},

	// what nothing explains
	{"owns more", depends("", "o", "pg_class", 5, "table public.a", "table public.b", "view public.c"), nothing, []string{
		`grants/sessionuser warning: it owns besides what is ours: table public.a, table public.b, view public.c and 2 more → nothing to do: that stays its own`,
	}},
	{"another database's", all(depends("other", "o", "pg_class", 2), depends("other", "a", "pg_proc", 1)), depends("sessiondb", "a", "pg_proc", 1, "function f()"), []string{
		`grants/sessionuser warning: in database other it owns or may use 3 objects, which cannot be looked at from here → nothing to do if that is meant; else look there: sudo -u postgres psql -d other -c '\d' -c '\dp'`,
	}},
	{"rights on another database", depends("", "a", "pg_database", 1, "database other"), nothing, []string{
		`grants/sessionuser warning: it has rights on another database: database other → REVOKE them if they are not meant: sudo -u postgres psql -l; pg_hba.conf lets it into sessiondb only`,
	}},
	{"a policy", depends("sessiondb", "r", "pg_policy", 1, "policy p on public.session"), nothing, []string{
		`grants/sessionuser warning: policies of row security name it: policy p on public.session → nothing to do if they are meant; they are left alone`,
	}},
}

func ahead(kind, schema, owner, grantee, privilege string) change {
	return func(_ *Want, o *Observation) {
		o.Future = append(o.Future, acl(future+kind, schema, owner, grantee, privilege)...)
	}
}

func elsewhere(kind, name, privilege string) change {
	return func(_ *Want, o *Observation) {
		o.Elsewhere = append(o.Elsewhere, acl(kind, name, "dba", "sessionuser", privilege)...)
	}
}

func depends(database, kind, class string, count int, objects ...string) change {
	return func(_ *Want, o *Observation) {
		o.Dependencies = append(o.Dependencies, Dependency{"sessionuser", database, kind, class, count, objects})
	}
}

// A database that does not exist yet has PostgreSQL's defaults: all of strict is in its first plan.
func TestFreshStrict(t *testing.T) {
	w := declared()
	w.Strict = true
	for version, last := range map[int]string{150000: "(boolean,text,bytea)", 170000: "(boolean,text,bytea,boolean)"} {
		o := fresh()
		o.Version = version
		var taken []string
		for _, line := range lines(Access(w, o)) {
			if head, statement, _ := strings.Cut(line, "]: "); strings.HasPrefix(line, "grants/PUBLIC delete") {
				taken = append(taken, strings.TrimPrefix(strings.TrimSuffix(head, " [granted→"), "grants/PUBLIC delete "))
				if strings.Contains(head, "logical") && !strings.Contains(statement, last) {
					t.Errorf("%d: %s", version, statement)
				}
			}
		}
		want := []string{
			"CONNECT on database sessiondb", "TEMPORARY on database sessiondb", "CREATE on schema public [granted by the template, perhaps→",
			"EXECUTE on 2 functions for ending sessions", "USAGE on language plpgsql", "EXECUTE on 16 functions for advisory locks",
			"EXECUTE on 12 functions for large objects", "EXECUTE on pg_logical_emit_message",
		}
		if !slices.Equal(taken, want) {
			t.Errorf("%d: %q", version, taken)
		}
	}
}

func TestHardeningsAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, h := range Hardenings {
		if seen[h.Name] || h.Why == "" || len(h.Undo("sessiondb", "sessionuser", 180000)) == 0 {
			t.Errorf("%q: again, without a reason or without a way back", h.Name)
		}
		seen[h.Name] = true
	}
}

package role

import (
	"slices"
	"strings"
	"testing"
)

// drift is unequal by its change and equal by its twin.
type drift struct {
	name        string
	drift, twin change
	want        []string
}

// drifts are those of access and passwords; what a role is has its own.
var drifts = []drift{
	// refusals
	{
		"ourselves", func(_ *Want, o *Observation) { o.Server[0].User = "sessionuser" }, func(_ *Want, o *Observation) { o.Server[0].User = "admin" },
		[]string{`role/sessionuser refused: sessionuser is the administrator: sessiondbd would take its own rights away → name another role in the config`},
	},
	{
		"ourselves, with rights", all(granted("table", session, own, "sessionuser", "TRUNCATE"), func(_ *Want, o *Observation) { o.Server[0].User = "sessionuser" }), nothing,
		[]string{`role/sessionuser refused: sessionuser is the administrator: sessiondbd would take its own rights away → name another role in the config`},
	},
	{
		"initdb's superuser", user(func(r *Role) { r.Bootstrap = true }), nothing,
		[]string{`role/sessionuser refused: sessionuser is the administrator: sessiondbd would take its own rights away → name another role in the config`},
	},
	{"no superuser", func(_ *Want, o *Observation) { o.Server[0] = Server{"admin", false} }, func(_ *Want, o *Observation) { o.Server[0] = Server{"admin", true} }, []string{
		`role/sessiondb_owner refused: admin, as whom sessiondbd is connected, is no superuser: it may neither read nor write roles → run it as root, which switches to database.os_user, or give database.url a superuser`,
		`role/sessionuser refused: admin, as whom sessiondbd is connected, is no superuser: it may neither read nor write roles → run it as root, which switches to database.os_user, or give database.url a superuser`,
	}},
	{
		"the owner declared", func(w *Want, o *Observation) { w.Roles = append(w.Roles, Spec{Name: own}) }, nothing,
		[]string{`role/sessiondb_owner refused: sessiondb_owner owns the database: nobody logs in as it → name another role in the config`},
	},

	// passwords
	{
		"another password", password("s3cret", "", stored("0ld")), password("0ld", "", stored("0ld")),
		[]string{`role/sessionuser update password [differs from credential sessionuser.password→as in credential sessionuser.password]: ALTER ROLE "sessionuser" PASSWORD '…`},
	},
	{
		"no password", password("s3cret", "", ""), password("", "sessionpass123", stored("0ld")),
		[]string{`role/sessionuser update password [none→as in credential sessionuser.password]: ALTER ROLE "sessionuser" PASSWORD '…`},
	},
	{
		"an MD5 hash", password("s3cret", "", "md5c1d5a6d5b4f0d8d0b5e0f7a7a1b2c3d4"), nothing,
		[]string{`role/sessionuser update password [no SCRAM-SHA-256 verifier→as in credential sessionuser.password]: ALTER ROLE "sessionuser" PASSWORD '…`},
	},
	{
		"a verifier that was hashed as a password", password("s3cret", "", stored(string(secretStored)[:60])), nothing,
		[]string{`role/sessionuser update password [differs from credential sessionuser.password→as in credential sessionuser.password]: ALTER ROLE "sessionuser" PASSWORD '…`},
	},
	{"the initial one for a role without", password("", "sessionpass123", ""), password("", "sessionpass123", stored("0ld")), []string{
		`role/sessionuser update password [none→the initial one of the config]: ALTER ROLE "sessionuser" PASSWORD '…`, initialWarning,
	}},
	{"the initial one in use", password("", "sessionpass123", initialStored), password("", "", initialStored), []string{initialWarning}},
	{
		"the initial one in use, and another enforced", password("s3cret", "sessionpass123", initialStored), nothing,
		[]string{`role/sessionuser update password [differs from credential sessionuser.password→as in credential sessionuser.password]: ALTER ROLE "sessionuser" PASSWORD '…`},
	},
	{"the documented one enforced", password("sessionpass123", "", initialStored), password("s3cret", "sessionpass123", secretStored), []string{initialWarning}},
	{"an initial one of the config's own", password("", "0ld", stored("0ld")), password("", "0ld", secretStored), []string{
		strings.Replace(initialWarning, "the documented initial password is in use: whoever read the documentation", "the initial password of the config is in use: whoever can read the config", 1),
	}},
	{
		"no source and no password", password("", "", ""), all(password("", "", ""), spec(func(s *Spec) { s.Password.Managed = false })),
		[]string{`role/sessionuser warning: it has no password: nobody can log in as sessionuser over the network → printf %s 'NEW PASSWORD' | sudo install -m 0400 /dev/stdin /etc/credstore/sessionuser.password && sudo systemctl restart sessiondbd`},
	},
	{
		"a password that cannot work", password("ßecret", "", ""), password("ok", "", stored("ok")),
		[]string{`role/sessionuser refused: its password, as in credential sessionuser.password, byte 1 of 7 is not printable ASCII: clients and server normalise such characters differently, and the login would fail → write another one there, then: sudo systemctl restart sessiondbd`},
	},

	// missing rights
	{
		"cannot connect", lacking("database", "sessionuser", "CONNECT"), lacking("database", "", "CONNECT"),
		[]string{`grants/sessionuser create CONNECT on database sessiondb [→granted]: GRANT CONNECT ON DATABASE "sessiondb" TO "sessionuser"`},
	},
	{
		"cannot find", lacking("schema", "sessionuser", "USAGE"), lacking("schema", "", "USAGE"),
		[]string{`grants/sessionuser create USAGE on schema public [→granted]: GRANT USAGE ON SCHEMA public TO "sessionuser"`},
	},
	{
		"cannot delete", lacking("table", "sessionuser", "DELETE"), lacking("table", own, "DELETE"),
		[]string{`grants/sessionuser create DELETE on public.session [→granted]: GRANT DELETE ON TABLE public.session TO "sessionuser"`},
	},

	// rights too many
	{
		"TRUNCATE", granted("table", session, own, "sessionuser", "TRUNCATE"), granted("table", session, own, own, "TRUNCATE"),
		[]string{`grants/sessionuser delete TRUNCATE on public.session [granted→]: REVOKE TRUNCATE ON TABLE public.session FROM "sessionuser"`},
	},
	{"a column", func(_ *Want, o *Observation) {
		add(o, Entry{Kind: "table", Name: session, Column: "mes\"sages", Owner: own, Grantor: own, Grantee: "sessionuser", Privilege: "UPDATE"})
	}, func(_ *Want, o *Observation) {
		add(o, Entry{Kind: "table", Name: session, Column: "messages", Owner: own, Grantor: own, Grantee: own, Privilege: "UPDATE"})
	}, []string{`grants/sessionuser delete UPDATE on public.session.mes"sages [granted→]: REVOKE UPDATE ("mes""sages") ON TABLE public.session FROM "sessionuser"`}},
	{
		"CREATE in public", granted("schema", "public", pgDatabaseOwner, "sessionuser", "CREATE"), nothing,
		[]string{`grants/sessionuser delete CREATE on schema public [granted→]: REVOKE CREATE ON SCHEMA public FROM "sessionuser"`},
	},
	{
		"the diary", granted("schema", "sessiondbd", own, "sessionuser", "USAGE"), granted("schema", "sessiondbd", own, own, "USAGE"),
		[]string{`grants/sessionuser delete USAGE on schema sessiondbd [granted→]: REVOKE USAGE ON SCHEMA sessiondbd FROM "sessionuser"`},
	},
	{"TEMP and CREATE on the database", granted("database", "sessiondb", own, "sessionuser", "TEMPORARY", "CREATE"), nothing, []string{
		`grants/sessionuser delete TEMPORARY on database sessiondb [granted→]: REVOKE TEMPORARY ON DATABASE "sessiondb" FROM "sessionuser"`,
		`grants/sessionuser delete CREATE on database sessiondb [granted→]: REVOKE CREATE ON DATABASE "sessiondb" FROM "sessionuser"`,
	}},
	{
		"the type", granted("type", enum, own, "sessionuser", "USAGE"), nothing,
		[]string{`grants/sessionuser delete USAGE on type public.inbox_status_enum [granted→]: REVOKE USAGE ON TYPE public.inbox_status_enum FROM "sessionuser"`},
	},
	{
		"the function", granted("function", function, own, "sessionuser", "EXECUTE"), nothing,
		[]string{`grants/sessionuser delete EXECUTE on function public.update_updated_at_column() [granted→]: REVOKE EXECUTE ON FUNCTION public.update_updated_at_column() FROM "sessionuser"`},
	},
	{
		"may hand it on", each(func(e *Entry) { e.Grantable = e.Grantable || e.Grantee == "sessionuser" && e.Privilege == "INSERT" }), nothing,
		[]string{`grants/sessionuser update INSERT on public.session [with grant option→granted]: REVOKE GRANT OPTION FOR INSERT ON TABLE public.session FROM "sessionuser" CASCADE`},
	},
	{"unwanted and may hand it on", func(_ *Want, o *Observation) {
		add(o, Entry{"table", session, "", own, own, "sessionuser", "TRUNCATE", true, false})
	}, nothing, []string{`grants/sessionuser delete TRUNCATE on public.session [granted→]: REVOKE TRUNCATE ON TABLE public.session FROM "sessionuser" CASCADE`}},
	{"granted by somebody else", each(func(e *Entry) {
		if e.Grantee == "sessionuser" && e.Privilege == "UPDATE" {
			e.Grantor = "dba"
		}
	}), nothing, []string{
		`grants/sessionuser create UPDATE on public.session [→granted]: GRANT UPDATE ON TABLE public.session TO "sessionuser"`,
		`grants/sessionuser delete UPDATE on public.session by dba [granted→]: SET LOCAL ROLE "dba"; REVOKE UPDATE ON TABLE public.session FROM "sessionuser"; RESET ROLE`,
	}},
	{"owns schema public", each(func(e *Entry) {
		if e.Kind == "schema" && e.Name == "public" {
			if e.Grantee == e.Owner {
				e.Grantee = "sessionuser"
			}
			e.Owner, e.Grantor = "sessionuser", "sessionuser"
		}
	}), each(func(e *Entry) { // up to PostgreSQL 14
		if e.Kind == "schema" && e.Name == "public" {
			if e.Grantee == e.Owner {
				e.Grantee = "postgres"
			}
			e.Owner, e.Grantor = "postgres", "postgres"
		}
	}), []string{
		`grants/sessionuser update owner of schema public [sessionuser→pg_database_owner]: ALTER SCHEMA public OWNER TO pg_database_owner`,
		`grants/sessionuser create USAGE on schema public [→granted]: GRANT USAGE ON SCHEMA public TO "sessionuser"`,
	}},

	// access levels
	{"readonly", spec(func(s *Spec) { s.Access = ReadOnly }), second, []string{
		`grants/sessionuser delete INSERT on public.session [granted→]: REVOKE INSERT ON TABLE public.session FROM "sessionuser"`,
		`grants/sessionuser delete UPDATE on public.session [granted→]: REVOKE UPDATE ON TABLE public.session FROM "sessionuser"`,
		`grants/sessionuser delete DELETE on public.session [granted→]: REVOKE DELETE ON TABLE public.session FROM "sessionuser"`,
	}},
	{"none", spec(func(s *Spec) { s.Access = None }), all(spec(func(s *Spec) { s.Access = None }), func(_ *Want, o *Observation) {
		mine := func(e Entry) bool { return e.Grantee == "sessionuser" }
		o.Database, o.Objects = slices.DeleteFunc(o.Database, mine), slices.DeleteFunc(o.Objects, mine)
	}), []string{
		`grants/sessionuser delete CONNECT on database sessiondb [granted→]: REVOKE CONNECT ON DATABASE "sessiondb" FROM "sessionuser"`,
		`grants/sessionuser delete USAGE on schema public [granted→]: REVOKE USAGE ON SCHEMA public FROM "sessionuser"`,
		`grants/sessionuser delete SELECT on public.session [granted→]: REVOKE SELECT ON TABLE public.session FROM "sessionuser"`,
		`grants/sessionuser delete INSERT on public.session [granted→]: REVOKE INSERT ON TABLE public.session FROM "sessionuser"`,
		`grants/sessionuser delete UPDATE on public.session [granted→]: REVOKE UPDATE ON TABLE public.session FROM "sessionuser"`,
		`grants/sessionuser delete DELETE on public.session [granted→]: REVOKE DELETE ON TABLE public.session FROM "sessionuser"`,
	}},
	{"what one role gave another goes first", all(second, func(_ *Want, o *Observation) {
		for i, e := range o.Objects {
			if e.Grantee == "sessionuser" && e.Privilege == "SELECT" {
				o.Objects[i].Grantable = true
				e.Grantor, e.Grantee = "sessionuser", "reader"
				add(o, e)
			}
		}
	}), second, []string{
		`grants/reader delete SELECT on public.session by sessionuser [granted→]: SET LOCAL ROLE "sessionuser"; REVOKE SELECT ON TABLE public.session FROM "reader"; RESET ROLE`,
		`grants/sessionuser update SELECT on public.session [with grant option→granted]: REVOKE GRANT OPTION FOR SELECT ON TABLE public.session FROM "sessionuser" CASCADE`,
	}},

	// PUBLIC
	{
		"PUBLIC has TEMP", granted("database", "sessiondb", own, "", "TEMPORARY"), granted("database", "sessiondb", own, own, "TEMPORARY"),
		[]string{`grants/PUBLIC delete TEMPORARY on database sessiondb [granted→]: REVOKE TEMPORARY ON DATABASE "sessiondb" FROM PUBLIC`},
	},
	{
		"PUBLIC may create", granted("schema", "public", pgDatabaseOwner, "", "CREATE"), nothing,
		[]string{`grants/PUBLIC delete CREATE on schema public [granted→]: REVOKE CREATE ON SCHEMA public FROM PUBLIC`},
	},
	{
		"PUBLIC reads", granted("table", session, own, "", "SELECT"), nothing,
		[]string{`grants/PUBLIC delete SELECT on public.session [granted→]: REVOKE SELECT ON TABLE public.session FROM PUBLIC`},
	},
	{
		"PUBLIC sees the diary", granted("schema", "sessiondbd", own, "", "USAGE"), nothing,
		[]string{`grants/PUBLIC delete USAGE on schema sessiondbd [granted→]: REVOKE USAGE ON SCHEMA sessiondbd FROM PUBLIC`},
	},

	// other people
	{"a backup role", granted("table", session, own, "backup", "SELECT", "INSERT"), func(_ *Want, o *Observation) {
		add(o, Entry{"table", session, "", own, own, "dba", "SELECT", false, true})
	}, []string{`grants/backup warning: backup, which the config does not declare, has SELECT, INSERT on public.session → sudo -u postgres psql -d sessiondb -c 'REVOKE SELECT, INSERT ON TABLE public.session FROM "backup"'`}},
	{"a backup role by a dba", func(_ *Want, o *Observation) {
		add(o, Entry{"table", session, "", own, "o'dba", "backup", "SELECT", false, false})
	}, nothing, []string{`grants/backup warning: backup, which the config does not declare, has SELECT on public.session by o'dba → sudo -u postgres psql -d sessiondb -c 'SET LOCAL ROLE "o'\''dba"; REVOKE SELECT ON TABLE public.session FROM "backup"; RESET ROLE'`}},

	// ownership that the same pass moves
	{"the database is the role's", func(_ *Want, o *Observation) {
		o.Database = slices.Concat(acl("database", "sessiondb", "sessionuser", "", "CONNECT"), acl("database", "sessiondb", "sessionuser", "sessionuser", "CREATE", "CONNECT", "TEMPORARY"))
	}, func(_ *Want, o *Observation) {
		o.Database = slices.Concat(acl("database", "sessiondb", "postgres", "", "CONNECT"), acl("database", "sessiondb", "postgres", "sessionuser", "CONNECT"))
	}, []string{`grants/sessionuser create CONNECT on database sessiondb [→granted]: GRANT CONNECT ON DATABASE "sessiondb" TO "sessionuser"`}},
	{"the table is the role's", func(_ *Want, o *Observation) {
		o.Objects = slices.DeleteFunc(o.Objects, func(e Entry) bool { return e.Kind == "table" })
		add(o, acl("table", session, "sessionuser", "sessionuser", "SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")...)
	}, each(func(e *Entry) {
		if e.Kind != "schema" {
			if e.Grantee == own {
				e.Grantee = "postgres"
			}
			e.Owner, e.Grantor = "postgres", "postgres"
		}
	}), []string{
		`grants/sessionuser create SELECT on public.session [→granted]: GRANT SELECT ON TABLE public.session TO "sessionuser"`,
		`grants/sessionuser create INSERT on public.session [→granted]: GRANT INSERT ON TABLE public.session TO "sessionuser"`,
		`grants/sessionuser create UPDATE on public.session [→granted]: GRANT UPDATE ON TABLE public.session TO "sessionuser"`,
		`grants/sessionuser create DELETE on public.session [→granted]: GRANT DELETE ON TABLE public.session TO "sessionuser"`,
	}},
	{"two grantors become one", func(_ *Want, o *Observation) {
		add(o, Entry{"table", session, "", "postgres", "postgres", "sessionuser", "TRUNCATE", false, false},
			Entry{"table", session, "", "postgres", own, "sessionuser", "TRUNCATE", true, false})
	}, nothing, []string{`grants/sessionuser delete TRUNCATE on public.session [granted→]: REVOKE TRUNCATE ON TABLE public.session FROM "sessionuser" CASCADE`}},
	{"an ACL that was emptied", func(_ *Want, o *Observation) {
		o.Database = []Entry{{Kind: "database", Name: "sessiondb", Owner: own}}
	}, nothing, []string{`grants/sessionuser create CONNECT on database sessiondb [→granted]: GRANT CONNECT ON DATABASE "sessiondb" TO "sessionuser"`}},
}

const initialWarning = `role/sessionuser warning: the documented initial password is in use: whoever read the documentation can log in from a VM → printf %s 'NEW PASSWORD' | sudo install -m 0400 /dev/stdin /etc/credstore/sessionuser.password && sudo systemctl restart sessiondbd`

func TestDrift(t *testing.T) {
	for _, row := range slices.Concat(attributeDrifts, membershipDrifts, settingDrifts, drifts, hardeningDrifts) {
		t.Run(row.name, func(t *testing.T) {
			w, o := declared(), converged()
			row.drift(&w, &o)
			check(t, both(w, o), row.want...)
		})
		t.Run(row.name+", equal", func(t *testing.T) {
			w, o := declared(), converged()
			row.twin(&w, &o)
			check(t, both(w, o))
		})
	}
}

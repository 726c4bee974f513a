package role

var attributeDrifts = []drift{
	{
		"superuser", all(user(func(r *Role) { r.Superuser = true }), each(func(e *Entry) { e.Superuser = e.Grantee == "sessionuser" })), user(func(r *Role) { r.Superuser = false }),
		[]string{`role/sessionuser update SUPERUSER [yes→no]: ALTER ROLE "sessionuser" NOSUPERUSER`},
	},
	{
		"createdb", user(func(r *Role) { r.CreateDB = true }), user(func(r *Role) { r.CreateDB = false }),
		[]string{`role/sessionuser update CREATEDB [yes→no]: ALTER ROLE "sessionuser" NOCREATEDB`},
	},
	{
		"createrole", user(func(r *Role) { r.CreateRole = true }), user(func(r *Role) { r.CreateRole = false }),
		[]string{`role/sessionuser update CREATEROLE [yes→no]: ALTER ROLE "sessionuser" NOCREATEROLE`},
	},
	{
		"replication", user(func(r *Role) { r.Replication = true }), user(func(r *Role) { r.Replication = false }),
		[]string{`role/sessionuser update REPLICATION [yes→no]: ALTER ROLE "sessionuser" NOREPLICATION`},
	},
	{
		"bypassrls", user(func(r *Role) { r.BypassRLS = true }), user(func(r *Role) { r.BypassRLS = false }),
		[]string{`role/sessionuser update BYPASSRLS [yes→no]: ALTER ROLE "sessionuser" NOBYPASSRLS`},
	},
	{
		"noinherit", user(func(r *Role) { r.Inherit = false }), user(func(r *Role) { r.Inherit = true }),
		[]string{`role/sessionuser update INHERIT [no→yes]: ALTER ROLE "sessionuser" INHERIT`},
	},
	{
		"connection limit", user(func(r *Role) { r.ConnectionLimit = 20 }), all(user(func(r *Role) { r.ConnectionLimit = 20 }), spec(func(s *Spec) { s.ConnectionLimit = 20 })),
		[]string{`role/sessionuser update connection limit [20→80]: ALTER ROLE "sessionuser" CONNECTION LIMIT 80`},
	},
	{
		"no connection limit", spec(func(s *Spec) { s.ConnectionLimit = -1 }), all(user(func(r *Role) { r.ConnectionLimit = -1 }), spec(func(s *Spec) { s.ConnectionLimit = -1 })),
		[]string{`role/sessionuser update connection limit [80→none]: ALTER ROLE "sessionuser" CONNECTION LIMIT -1`},
	},
	{"two attributes", user(func(r *Role) { r.Superuser, r.CreateDB = true, true }), nothing, []string{
		`role/sessionuser update SUPERUSER [yes→no]: ALTER ROLE "sessionuser" NOSUPERUSER`,
		`role/sessionuser update CREATEDB [yes→no]: ALTER ROLE "sessionuser" NOCREATEDB`,
	}},

	{
		"locked out", user(func(r *Role) { r.Login = false }), user(func(r *Role) { r.Login = true }),
		[]string{`role/sessionuser warning: it may not log in: an administrator's NOLOGIN is left as it is → sudo -u postgres psql -d sessiondb -c 'ALTER ROLE "sessionuser" LOGIN'`},
	},
	{
		"expires", user(func(r *Role) { r.ValidUntil = "2099-01-01" }), user(func(r *Role) { r.ValidUntil = "" }),
		[]string{`role/sessionuser update valid until [2099-01-01→infinity]: ALTER ROLE "sessionuser" VALID UNTIL 'infinity'`},
	},
	{
		"expired", user(func(r *Role) { r.ValidUntil, r.Expired = "-infinity", true }), func(_ *Want, o *Observation) { o.Roles[0].ValidUntil, o.Roles[0].Expired = "2001-01-01", true },
		[]string{`role/sessionuser update valid until [-infinity→infinity]: ALTER ROLE "sessionuser" VALID UNTIL 'infinity'`},
	},
	{
		"owner logs in", func(_ *Want, o *Observation) { o.Roles[0].Login = true }, func(_ *Want, o *Observation) { o.Roles[0].ConnectionLimit = 5 },
		[]string{`role/sessiondb_owner update LOGIN [yes→no]: (maintenance) ALTER ROLE "sessiondb_owner" NOLOGIN`},
	},
	{
		"owner is superuser", func(_ *Want, o *Observation) { o.Roles[0].Superuser = true }, nothing,
		[]string{`role/sessiondb_owner update SUPERUSER [yes→no]: (maintenance) ALTER ROLE "sessiondb_owner" NOSUPERUSER`},
	},
}

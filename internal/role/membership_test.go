package role

var membershipDrifts = []drift{
	{
		"member of", membership("pg_read_all_data", "sessionuser"), membership("pg_read_all_data", "backup"),
		[]string{`role/sessionuser delete membership in pg_read_all_data [granted by postgres→]: REVOKE "pg_read_all_data" FROM "sessionuser"`},
	},
	{
		"may let others in, up to 15", member16(Membership{"team", "sessionuser", "dba", true, false, false}, 150000), member16(Membership{"team", "dba", "sessionuser", true, false, false}, 150000),
		[]string{`role/sessionuser delete membership in team [granted by dba with ADMIN→]: REVOKE "team" FROM "sessionuser"`},
	},
	{
		"member of the owner, 16", member16(Membership{own, "sessionuser", "postgres", false, true, true}, 160000), membership("other", "dba"),
		[]string{`role/sessionuser delete membership in sessiondb_owner [granted by postgres with INHERIT, SET→]: REVOKE "sessiondb_owner" FROM "sessionuser" GRANTED BY "postgres"`},
	},
	{
		"may let others in, 16", member16(Membership{"team", "sessionuser", `d"ba`, true, false, false}, 160000), member16(Membership{"team", "dba", "sessionuser", true, true, true}, 160000),
		[]string{`role/sessionuser delete membership in team [granted by d"ba with ADMIN→]: REVOKE "team" FROM "sessionuser" GRANTED BY "d""ba" CASCADE`},
	},
	{"granted twice, 16", all(
		member16(Membership{"team", "sessionuser", "dba", false, true, true}, 160000),
		member16(Membership{"team", "sessionuser", "postgres", false, false, false}, 160000),
	), nothing, []string{
		`role/sessionuser delete membership in team [granted by dba with INHERIT, SET→]: REVOKE "team" FROM "sessionuser" GRANTED BY "dba"`,
		`role/sessionuser delete membership in team [granted by postgres→]: REVOKE "team" FROM "sessionuser" GRANTED BY "postgres"`,
	}},
	{
		"has a member", membership("sessionuser", "backup"), membership("backup", "other"),
		[]string{`role/sessionuser warning: backup is a member of it, and so has its rights on the session table → sudo -u postgres psql -d sessiondb -c 'REVOKE "sessionuser" FROM "backup"'`},
	},
	{
		"has a declared member", all(second, membership("sessionuser", "reader")), second,
		[]string{`role/reader delete membership in sessionuser [granted by postgres→]: REVOKE "sessionuser" FROM "reader"`},
	},
	{
		"the owner is its member", membership("sessionuser", own), membership("dba", "other"),
		[]string{`role/sessiondb_owner delete membership in sessionuser [granted by postgres→]: (maintenance) REVOKE "sessionuser" FROM "sessiondb_owner"`},
	},
	{
		"the owner has a member", membership(own, "dba"), nothing,
		[]string{`role/sessiondb_owner warning: dba is a member of it, and so may drop and alter the session table → sudo -u postgres psql -d sessiondb -c 'REVOKE "sessiondb_owner" FROM "dba"'`},
	},
	{
		"the owner has a member, 16", member16(Membership{own, "dba", "postgres", true, true, true}, 160000), nothing,
		[]string{`role/sessiondb_owner warning: dba is a member of it, and so may drop and alter the session table → sudo -u postgres psql -d sessiondb -c 'REVOKE "sessiondb_owner" FROM "dba" GRANTED BY "postgres" CASCADE'`},
	},
}

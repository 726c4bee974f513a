package role

import (
	"errors"
	"slices"

	"sessiondbd/internal/postgres"
)

// ErrNotSuperuser says that the connection's user may neither read nor write what roles are made of.
var ErrNotSuperuser = errors.New("not a superuser")

// Observation is what the server says of roles and rights.
type Observation struct {
	Version   int // in the form of server_version_num
	Server    []Server
	Roles     []Role
	Verifiers []Verifier
	Members   []Membership
	Settings  []Setting
	Unknown   []string // names of settings that the server would not take; asked for when there is something to reset
	Former    []Former
	Database  []Entry // of the session database itself; empty: it does not exist
	Objects   []Entry // inside it, of what is ours
	Hardened  []Entry // inside it, of functions and languages of PostgreSQL's own
	Future    []Entry // inside it, on what will be made (default privileges)
	Elsewhere []Entry // of declared roles, on what is not ours
	// Dependencies is what else the server remembers of declared roles.
	Dependencies []Dependency
	Guests       []named // who connects by PUBLIC's right alone; looked up only when that is to go
	// Transactions are those that are open; none where their age is not limited.
	Transactions []Transaction
}

// Server is whom we are connected as.
type Server struct {
	User      string `json:"user"`
	Superuser bool   `json:"superuser"`
}

// Role is a row of pg_authid.
type Role struct {
	Name            string `json:"name"`
	Bootstrap       bool   `json:"bootstrap"` // the superuser that initdb made
	Superuser       bool   `json:"superuser"`
	CreateDB        bool   `json:"createdb"`
	CreateRole      bool   `json:"createrole"`
	Replication     bool   `json:"replication"`
	BypassRLS       bool   `json:"bypassrls"`
	Inherit         bool   `json:"inherit"`
	Login           bool   `json:"login"`
	ConnectionLimit int    `json:"connection_limit"`
	ValidUntil      string `json:"valid_until"` // empty: for ever
	Expired         bool   `json:"expired"`
	Comment         string `json:"comment"`
}

// Verifier is what pg_authid holds as a role's password; empty: none.
type Verifier struct {
	Role   string `json:"role"`
	Stored Secret `json:"stored"`
}

// Membership says that Member has what Role has.
type Membership struct {
	Role    string `json:"role"`
	Member  string `json:"member"`
	Grantor string `json:"grantor"`
	Admin   bool   `json:"admin"`
	Inherit bool   `json:"inherit"` // this and the next from PostgreSQL 16 on
	Set     bool   `json:"set"`
}

// Setting is a default that a role carries into its sessions, in the form name=value.
type Setting struct {
	Role     string `json:"role"`     // empty: every role
	Database string `json:"database"` // empty: in all
	Setting  string `json:"setting"`
}

// Entry is one privilege of an ACL, the built-in default where none was ever set. An object whose ACL is empty has one
// Entry without a privilege.
type Entry struct {
	Kind      string `json:"kind"` // database, schema, table, type, function
	Name      string `json:"name"`
	Column    string `json:"column"` // of a table; empty: the table itself
	Owner     string `json:"owner"`
	Grantor   string `json:"grantor"`
	Grantee   string `json:"grantee"` // empty: PUBLIC
	Privilege string `json:"privilege"`
	Grantable bool   `json:"grantable"`
	Superuser bool   `json:"superuser"` // the grantee needs no grant
}

// Err is ErrNotSuperuser where that is what was observed.
func (o Observation) Err() error {
	if len(o.Server) == 1 && !o.Server[0].Superuser {
		return ErrNotSuperuser
	}
	return nil
}

// find is the role of that name.
func (o Observation) find(name string) (Role, bool) {
	for _, r := range o.Roles {
		if r.Name == name {
			return r, true
		}
	}
	return Role{}, false
}

// verifier is what is stored as a role's password; empty: none.
func (o Observation) verifier(role string) string {
	for _, v := range o.Verifiers {
		if v.Role == role {
			return string(v.Stored)
		}
	}
	return ""
}

// Queries asks, as a superuser, for the whole observation, which is emptied first. On a backend that has just been forked
// most of the time goes into the first use of each catalogue, function and kind of join; so the questions are plain scans,
// and what belongs together is joined here.
func Queries(want Want, version int, into *Observation) []postgres.Query {
	*into = Observation{Version: version}
	names := []string{postgres.Array(want.names())}
	var comments []comment
	var settings []settingsRow
	var database []object
	var superusers []superuser
	var mighty []mightyRow
	var unknown []named
	options := "admin_option AS admin"
	if version >= separate {
		options += ", inherit_option AS inherit, set_option AS set"
	}
	return slices.Concat([]postgres.Query{
		// First, so that the passwords are compared while the server is busy with the rest.
		{
			Name: "verifiers", Early: true, Into: &into.Verifiers, Then: func() { want.compareAhead(into.Verifiers) }, Args: names,
			SQL: `SELECT rolname AS role, rolpassword AS stored FROM pg_authid WHERE rolname = ANY ($1::name[])`,
		},
		{
			Name: "our own user and the superusers", Durable: true, Into: &mighty, Then: func() { into.Server, superusers = sortMighty(mighty) },
			SQL: `SELECT rolname AS name, rolsuper AS superuser, rolname = current_user AS self FROM pg_authid WHERE rolsuper OR rolname = current_user`,
		},
		{Name: "roles", Into: &into.Roles, Args: names, SQL: `SELECT rolname AS name, oid = 10 AS bootstrap, rolsuper AS superuser,
			rolcreatedb AS createdb, rolcreaterole AS createrole, rolreplication AS replication, rolbypassrls AS bypassrls,
			rolinherit AS inherit, rolcanlogin AS login, rolconnlimit AS connection_limit,
			rolvaliduntil AS valid_until, rolvaliduntil <= now() AS expired FROM pg_authid WHERE rolname = ANY ($1::name[])`},
		{Name: "comments", Durable: true, Into: &comments, Then: func() { into.describe(comments) }, SQL: `SELECT pg_get_userbyid(objoid) AS role, description AS comment
			FROM pg_shdescription WHERE classoid = 'pg_authid'::regclass`},
		{
			Name: "memberships", Durable: true, Into: &into.Members, Then: func() { into.Members = distinct(into.Members) }, Args: names,
			SQL: `SELECT pg_get_userbyid(roleid) AS role, pg_get_userbyid(member) AS member, pg_get_userbyid(grantor) AS grantor, ` + options + `
			FROM pg_auth_members WHERE pg_get_userbyid(roleid) = ANY ($1::name[]) OR pg_get_userbyid(member) = ANY ($1::name[])`,
		},
		{
			Name: "role settings", Durable: true, Into: &settings, Then: func() { into.Settings = settingsOf(settings) },
			SQL: `SELECT CASE WHEN setrole <> 0 THEN pg_get_userbyid(setrole) END AS role,
			(SELECT datname FROM pg_database WHERE oid = setdatabase) AS database, setconfig AS settings FROM pg_db_role_setting`,
		},
		{
			Name: "settings that are none", When: func() bool { return into.strayed(want) }, Into: &unknown,
			Then: func() { into.Unknown = namesOf(unknown) }, SQL: unknownSettings,
		},
		{
			Name: "roles that were declared", When: func() bool { return len(into.marked(want)) > 0 }, Into: &into.Former,
			Then: func() { into.Former = among(into.Former, into.marked(want)) },
			SQL:  `SELECT rolname AS name, rolcanlogin AS login FROM pg_authid WHERE oid IN (SELECT setrole FROM pg_db_role_setting)`,
		},
		{Name: "rights on the database", Durable: true, Into: &database, Then: func() { into.Database = entriesOf(database, superusers) }, Args: []string{want.Database}, SQL: databaseACL},
	}, insideQueries(want, &superusers, into), []postgres.Query{
		languagesQuery(want, &superusers, into),
		guestsQuery(want, into),
	}, dependencyQueries(want, version, &superusers, into), transactions(want, into))
}

// CanLogIn says whether a role is there and may log in.
func (o Observation) CanLogIn(name string) bool {
	r, ok := o.find(name)
	return ok && r.Login && !r.Expired
}

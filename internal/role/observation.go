package role

import (
	"encoding/json"
	"errors"

	"sessiondbd/internal/postgres"
)

// ErrNotSuperuser says that the connection's user may neither read nor write what roles are made of.
var ErrNotSuperuser = errors.New("not a superuser")

// Observation is what the server says of roles and rights.
type Observation struct {
	Version   int // in the form of server_version_num
	Server    []Server
	Roles     []Role
	Verifiers []Verifier // empty for a user who is no superuser
	Members   []Membership
	Settings  []Setting
	Database  []Entry // of the session database itself; empty: it does not exist
	Objects   []Entry // inside it
}

// Server is whom we are connected as.
type Server struct {
	User      string `json:"user"`
	Superuser bool   `json:"superuser"`
}

// Role is a row of pg_roles.
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
}

// Setting is a default that a role carries into its sessions, in the form name=value.
type Setting struct {
	Role     string `json:"role"`
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

const members = `SELECT DISTINCT pg_get_userbyid(m.roleid) AS role, pg_get_userbyid(m.member) AS member, pg_get_userbyid(m.grantor) AS grantor
	FROM pg_auth_members m JOIN pg_roles r ON r.oid IN (m.roleid, m.member)
	WHERE r.rolname IN (SELECT json_array_elements_text($1::json)) ORDER BY 1, 2, 3`

// explode turns objects (kind, name, col, owner, acl) into entries.
const explode = `SELECT o.kind, o.name, o.col AS column, pg_get_userbyid(o.owner) AS owner,
	coalesce(pg_get_userbyid(a.grantor), '') AS grantor,
	CASE WHEN coalesce(a.grantee, 0) = 0 THEN '' ELSE pg_get_userbyid(a.grantee) END AS grantee,
	coalesce(a.privilege_type, '') AS privilege, coalesce(a.is_grantable, false) AS grantable, coalesce(g.rolsuper, false) AS superuser
	FROM o LEFT JOIN LATERAL aclexplode(o.acl) a ON true LEFT JOIN pg_roles g ON g.oid = a.grantee`

const databaseACL = `WITH o AS (SELECT 'database' AS kind, datname AS name, '' AS col, datdba AS owner,
	coalesce(datacl, acldefault('d', datdba)) AS acl FROM pg_database WHERE datname = $1) ` + explode

const objectACLs = `WITH o AS (
	SELECT 'schema' AS kind, nspname::text AS name, '' AS col, nspowner AS owner, coalesce(nspacl, acldefault('n', nspowner)) AS acl
		FROM pg_namespace WHERE nspname IN ('public', 'sessiondbd')
	UNION ALL SELECT 'table', 'public.session', '', relowner, coalesce(relacl, acldefault('r', relowner))
		FROM pg_class WHERE oid = to_regclass('public.session')
	UNION ALL SELECT 'table', 'public.session', attname, relowner, attacl
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.oid = to_regclass('public.session') AND attacl IS NOT NULL AND NOT attisdropped
	UNION ALL SELECT 'type', 'public.inbox_status_enum', '', typowner, coalesce(typacl, acldefault('T', typowner))
		FROM pg_type WHERE oid = to_regtype('public.inbox_status_enum')
	UNION ALL SELECT 'function', 'public.update_updated_at_column()', '', proowner, coalesce(proacl, acldefault('f', proowner))
		FROM pg_proc WHERE oid = to_regprocedure('public.update_updated_at_column()')) ` + explode + ` ORDER BY 1, 2, 3, 6, 5, 7`

// Queries asks for the whole observation, which is emptied first. A user who is no superuser gets through it all: the
// verifiers, which only a superuser may see, are asked for only once it is known that we are one.
func Queries(want Want, version int, into *Observation) []postgres.Query {
	*into = Observation{Version: version}
	list, _ := json.Marshal(want.names()) // strings always encode
	names := []string{string(list)}
	return []postgres.Query{
		{Name: "our own user", Into: &into.Server, SQL: `SELECT rolname AS user, rolsuper AS superuser FROM pg_roles WHERE rolname = current_user`},
		{Name: "roles", Into: &into.Roles, Args: names, SQL: `SELECT rolname AS name, oid = 10 AS bootstrap, rolsuper AS superuser,
			rolcreatedb AS createdb, rolcreaterole AS createrole, rolreplication AS replication, rolbypassrls AS bypassrls,
			rolinherit AS inherit, rolcanlogin AS login, rolconnlimit AS connection_limit,
			CASE WHEN isfinite(rolvaliduntil) THEN rolvaliduntil::text ELSE '' END AS valid_until,
			coalesce(rolvaliduntil <= now(), false) AS expired, coalesce(shobj_description(oid, 'pg_authid'), '') AS comment
			FROM pg_roles WHERE rolname IN (SELECT json_array_elements_text($1::json)) ORDER BY 1`},
		{
			Name: "verifiers", Into: &into.Verifiers, Args: names, When: func() bool { return len(into.Server) == 1 && into.Server[0].Superuser },
			SQL: `SELECT rolname AS role, coalesce(rolpassword, '') AS stored
			FROM pg_authid WHERE rolname IN (SELECT json_array_elements_text($1::json))`,
		},
		{Name: "memberships", Into: &into.Members, Args: names, SQL: members},
		{Name: "role settings", Into: &into.Settings, Args: names, SQL: `SELECT r.rolname AS role, coalesce(d.datname, '') AS database, unnest(s.setconfig) AS setting
			FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
			WHERE r.rolname IN (SELECT json_array_elements_text($1::json)) ORDER BY 1, 2, 3`},
		{Name: "rights on the database", Into: &into.Database, Args: []string{want.Database}, SQL: databaseACL + ` ORDER BY 6, 5, 7`},
		{Name: "rights inside the database", Into: &into.Objects, Session: true, SQL: objectACLs},
	}
}

// CanLogIn says whether a role is there and may log in.
func (o Observation) CanLogIn(name string) bool {
	r, ok := o.find(name)
	return ok && r.Login && !r.Expired
}

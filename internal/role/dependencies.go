package role

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// Dependency is what PostgreSQL remembers of a declared role beside its rights on what is ours (pg_shdepend), counted by kind.
// What PUBLIC may is not in there.
type Dependency struct {
	Role     string   `json:"role"`
	Database string   `json:"database"` // empty: none, the object belongs to the cluster
	Type     string   `json:"type"`     // o: owns it, a: is in its ACL, r: is in a policy, i: is in the ACL that an extension came with
	Class    string   `json:"class"`    // the catalogue
	Count    int      `json:"count"`
	Objects  []string `json:"objects"` // some of them, unless they are in another database
}

// bounded is as much of what a role owns as is looked at: whoever owns a VM may make a million large objects.
const bounded = 10000

// ofDeclared restricts pg_shdepend to declared roles, besides to what is not ours; ours is compared in the ACLs themselves.
const (
	ofDeclared = `refclassid = 'pg_authid'::regclass AND refobjid = ANY (ARRAY(SELECT oid FROM pg_authid WHERE rolname = ANY ($1::name[])))`
	besides    = ofDeclared + `
	AND (classid, objid) NOT IN (('pg_database'::regclass, (SELECT oid FROM pg_database WHERE datname = current_database())),
		('pg_class'::regclass, coalesce((SELECT to_regclass('public.session')), 0)), ('pg_type'::regclass, coalesce((SELECT to_regtype('public.inbox_status_enum')), 0)),
		('pg_proc'::regclass, coalesce((SELECT to_regprocedure('public.update_updated_at_column()')), 0)),
		('pg_namespace'::regclass, coalesce((SELECT to_regnamespace('public')), 0)), ('pg_namespace'::regclass, coalesce((SELECT to_regnamespace('sessiondbd')), 0)))
	AND classid <> 'pg_default_acl'::regclass`
	here = `(0, (SELECT oid FROM pg_database WHERE datname = current_database()))`
)

var (
	countSQL = fmt.Sprintf(`SELECT pg_get_userbyid(refobjid) AS role, count(*) AS count
	FROM (SELECT refobjid FROM pg_shdepend WHERE %s LIMIT %d) s GROUP BY refobjid`, ofDeclared, bounded)

	dependenciesSQL = fmt.Sprintf(`SELECT pg_get_userbyid(refobjid) AS role, (SELECT datname FROM pg_database WHERE oid = dbid) AS database, deptype AS type,
	classid::regclass AS class, count(*) AS count, CASE WHEN dbid IN %s THEN
		ARRAY(SELECT i.type || ' ' || i.identity FROM unnest((array_agg(objid))[1:3]) o, pg_identify_object(classid, o, 0) i) END AS objects
	FROM (SELECT * FROM pg_shdepend WHERE %[2]s AND deptype <> 'o' UNION ALL (SELECT * FROM pg_shdepend WHERE %[2]s AND deptype = 'o' LIMIT %[3]d)) s
	GROUP BY dbid, refobjid, classid, deptype`, here, besides, bounded)
)

// parameters is the version from which on a setting has an ACL.
const parameters = 150000

var elsewhereSQL = eitherForm(elsewhereACLs)

// elsewhereACLs lists the ACLs that declared roles are in, beside those of what is ours. Each is named as GRANT names it.
func elsewhereACLs(withParameters bool) string {
	arm := func(kind, catalogue, column, owner, acl string) string {
		return ` UNION ALL SELECT ` + kind + `, ` + column + `, '', pg_get_userbyid(` + owner + `), ` + acl + ` FROM d JOIN ` + catalogue +
			` c ON c.oid = d.objid WHERE d.classid = '` + catalogue + `'::regclass AND ` + acl + ` IS NOT NULL`
	}
	const identity = `(pg_identify_object(d.classid, d.objid, 0)).identity`
	sql := `WITH d AS MATERIALIZED (SELECT DISTINCT classid, objid FROM pg_shdepend WHERE ` + besides + ` AND deptype = 'a' AND dbid IN ` + here + ` LIMIT 1000)
	SELECT 'table' AS kind, ` + identity + ` AS name, attname::text AS column, pg_get_userbyid(relowner) AS owner, attacl AS acl
		FROM d JOIN pg_class c ON c.oid = d.objid JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE d.classid = 'pg_class'::regclass AND attacl IS NOT NULL AND NOT attisdropped` +
		arm(`CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END`, "pg_class", identity, "relowner", "relacl") +
		arm(`CASE prokind WHEN 'p' THEN 'procedure' ELSE 'function' END`, "pg_proc", identity, "proowner", "proacl") +
		arm(`'type'`, "pg_type", identity, "typowner", "typacl") +
		arm(`'schema'`, "pg_namespace", identity, "nspowner", "nspacl") +
		arm(`'language'`, "pg_language", identity, "lanowner", "lanacl") +
		arm(`'foreign data wrapper'`, "pg_foreign_data_wrapper", identity, "fdwowner", "fdwacl") +
		arm(`'foreign server'`, "pg_foreign_server", identity, "srvowner", "srvacl") +
		arm(`'tablespace'`, "pg_tablespace", `quote_ident(spcname)`, "spcowner", "spcacl") +
		// The dependency names the catalogue of the pages.
		strings.Replace(arm(`'large object'`, "pg_largeobject_metadata", `c.oid::text`, "lomowner", "lomacl"), "'pg_largeobject_metadata'", "'pg_largeobject'", 1)
	if withParameters {
		sql += arm(`'parameter'`, "pg_parameter_acl", `quote_ident(parname)`, "10", "paracl")
	}
	return sql
}

// dependents counts what depends on a role, in all databases.
type dependents struct {
	Role  string `json:"role"`
	Count int    `json:"count"`
}

// dependencyQueries count first: where there is no more than the rights that were seen explain, nothing else is asked.
func dependencyQueries(want Want, version int, superusers *[]superuser, into *Observation) []postgres.Query {
	declared := []string{postgres.Array(want.names()[1:])}
	var counts []dependents
	var acls []object
	more := func() bool {
		return slices.ContainsFunc(counts, func(d dependents) bool { return d.Count != into.explained(d.Role) })
	}
	keep := func() {
		into.Elsewhere = slices.DeleteFunc(entriesOf(acls, *superusers), func(e Entry) bool { return !want.declares(e.Grantee) || e.Grantee == e.Owner })
	}
	return []postgres.Query{
		{Name: "how much depends on the roles", Durable: true, Into: &counts, Session: true, Args: declared, SQL: countSQL},
		{Name: "what depends on the roles", Durable: true, Into: &into.Dependencies, Then: into.sortDependencies, Session: true, When: more, Args: declared, SQL: dependenciesSQL},
		{Name: "rights elsewhere", Durable: true, Into: &acls, Then: keep, Session: true, When: more, Args: declared, SQL: elsewhereSQL[version >= parameters]()},
	}
}

// explained counts what the rights that were seen leave of a role in pg_shdepend: one row for each object or column whose ACL
// names it, and one for each object that it owns.
func (o *Observation) explained(role string) int {
	type place struct{ kind, name, column, dependency string }
	rows := map[place]bool{}
	for _, e := range slices.Concat(o.Database, o.Objects) {
		if e.Owner == role {
			rows[place{e.Kind, e.Name, "", "owns"}] = true
		} else if e.Grantee == role || e.Grantor == role {
			rows[place{e.Kind, e.Name, e.Column, "may"}] = true
		}
	}
	return len(rows)
}

func (o *Observation) sortDependencies() {
	slices.SortFunc(o.Dependencies, func(a, b Dependency) int {
		return strings.Compare(a.Role+"\x00"+a.Database+"\x00"+a.Type+a.Class, b.Role+"\x00"+b.Database+"\x00"+b.Type+b.Class)
	})
	for _, d := range o.Dependencies {
		slices.Sort(d.Objects)
	}
}

// dependencies warns of what a declared role has and no diff explains. What it owns besides ours stays its own.
func (d *differ) dependencies(r *plan.Resource, s Spec) {
	var owned []string
	all := 0
	elsewhere := map[string]int{}
	var databases []string
	for _, p := range d.have.Dependencies {
		what := p.text()
		if p.Type == "o" {
			all += p.Count
		}
		switch {
		case p.Role != s.Name, d.want.besides(p):
		case p.Database != "" && p.Database != d.want.Database:
			if elsewhere[p.Database] == 0 {
				databases = append(databases, p.Database)
			}
			elsewhere[p.Database] += p.Count
		case p.Type == "o":
			owned = append(owned, what)
		case p.Type == "a" && p.Class == "pg_database":
			r.Warn("it has rights on another database: "+what, "REVOKE them if they are not meant: sudo -u postgres psql -l; pg_hba.conf lets it into "+d.want.Database+" only")
		case p.Type == "r":
			r.Warn("policies of row security name it: "+what, "nothing to do if they are meant; they are left alone")
		case p.Type == "i":
			r.Warn("the first rights of an extension's objects name it: "+what, "nothing to do if they are meant; they are left alone")
		}
	}
	if all >= bounded && len(owned) > 0 {
		owned = append(owned, "and more")
	}
	if len(owned) > 0 {
		r.Warn("it owns besides what is ours: "+strings.Join(owned, ", "), "nothing to do: that stays its own")
	}
	for _, name := range databases {
		r.Warn(fmt.Sprintf("in database %s it owns or may use %s, which cannot be looked at from here", shown(name), counted(elsewhere[name], "object")),
			"nothing to do if that is meant; else look there: sudo -u postgres psql -d "+shell(name)+" -c '\\d' -c '\\dp'")
	}
}

// text names some of the objects and counts the rest.
func (p Dependency) text() string {
	var names []string
	for _, o := range p.Objects {
		names = append(names, shown(o))
	}
	text := strings.Join(names, ", ")
	if more := p.Count - len(p.Objects); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// shown is a name as it may go to a terminal: a role gives its own objects any.
func shown(name string) string {
	if strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		return strconv.QuoteToASCII(name)
	}
	return name
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// besides says whether a dependency is in databases of ours beside the session database, or on them.
func (w Want) besides(p Dependency) bool {
	switch {
	case w.Besides == nil:
		return false
	case p.Database != "":
		return w.Besides(p.Database)
	}
	return p.Class == "pg_database" && p.Count == len(p.Objects) && !slices.ContainsFunc(p.Objects, func(o string) bool {
		return !w.Besides(strings.Trim(strings.TrimPrefix(o, "database "), `"`))
	})
}

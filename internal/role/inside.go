package role

import (
	"slices"
	"sync"

	"sessiondbd/internal/postgres"
)

// ownACLs list our objects with their ACLs, the built-in default where none was ever set. They are plain scans, one a
// catalogue: planning them as one union cost a backend that has just been forked half a millisecond more.
var ownACLs = []string{
	`SELECT 'schema' AS kind, nspname AS name, pg_get_userbyid(nspowner) AS owner, coalesce(nspacl, acldefault('n', nspowner)) AS acl
		FROM pg_namespace WHERE nspname IN ('public', 'sessiondbd')`,
	`SELECT 'table' AS kind, 'public.session' AS name, pg_get_userbyid(relowner) AS owner, coalesce(relacl, acldefault('r', relowner)) AS acl
		FROM pg_class WHERE oid = to_regclass('public.session')`,
	`SELECT 'type' AS kind, 'public.inbox_status_enum' AS name, pg_get_userbyid(typowner) AS owner, coalesce(typacl, acldefault('T', typowner)) AS acl
		FROM pg_type WHERE oid = to_regtype('public.inbox_status_enum')`,
	`SELECT 'function' AS kind, 'public.update_updated_at_column()' AS name, pg_get_userbyid(proowner) AS owner, coalesce(proacl, acldefault('f', proowner)) AS acl
		FROM pg_proc WHERE oid = to_regprocedure('public.update_updated_at_column()')`,
}

// columnACLs belong to whom the table belongs to.
const columnACLs = `SELECT 'table' AS kind, 'public.session' AS name, attname AS column, attacl AS acl
	FROM pg_attribute WHERE attrelid = to_regclass('public.session') AND attacl IS NOT NULL AND NOT attisdropped`

// strictACLs are hardenedACLs by whether the config says strict.
var strictACLs = eitherForm(hardenedACLs)

// eitherForm puts a long query together in either form, each once: not with each look, and not in a process that never looks.
func eitherForm(sql func(bool) string) map[bool]func() string {
	return map[bool]func() string{
		false: sync.OnceValue(func() string { return sql(false) }),
		true:  sync.OnceValue(func() string { return sql(true) }),
	}
}

// insideQueries ask for the rights inside the database: on what is ours, on what is PostgreSQL's own, and on what is still
// to be made.
func insideQueries(want Want, superusers *[]superuser, into *Observation) []postgres.Query {
	own := make([][]object, len(ownACLs))
	var columns, later, hardened []object
	q := func(name, sql string, into *[]object) postgres.Query {
		return postgres.Query{Name: name, Durable: true, Session: true, SQL: sql, Into: into}
	}
	var list []postgres.Query
	for i, sql := range ownACLs {
		list = append(list, q("rights inside the database", sql, &own[i]))
	}
	list = append(list,
		q("rights on columns", columnACLs, &columns),
		q("rights on what will be made", futureACLs, &later),
		q("rights on PostgreSQL's own functions", strictACLs[want.Strict](), &hardened),
	)
	list[len(list)-1].Then = func() {
		all := slices.Concat(own...)
		for _, c := range columns {
			if t := slices.IndexFunc(all, func(o object) bool { return o.Kind == c.Kind }); t >= 0 {
				c.Owner = all[t].Owner
				all = append(all, c)
			}
		}
		for i := range hardened {
			hardened[i].Name = "pg_catalog." + hardened[i].Name
		}
		into.Objects = entriesOf(all, *superusers)
		into.Future = entriesOf(futureObjects(later), *superusers)
		into.Hardened = append(into.Hardened, entriesOf(hardened, *superusers)...)
	}
	return list
}

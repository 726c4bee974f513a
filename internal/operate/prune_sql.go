package operate

import "strings"

// Which rows are meant is asked with the same words everywhere: :row is the table's alias, $1 the statuses, $2 the time.
const meant = `(:row.inbox_status = ANY ($1::public.inbox_status_enum[]) AND :row.created_at < $2::timestamptz)`

// hasChild: a row that is its own parent stands in nobody's way.
const hasChild = `EXISTS (SELECT FROM public.session c WHERE c.parent = :row.id AND c.id <> :row.id)`

// A batch names its rows by their places, from the table's end: children come behind their parents as a rule, and go first
// or in the same statement. What is meant is asked of the row again that a writer changed while we waited for it.
const (
	deleteAt = `DELETE FROM ONLY public.session s WHERE s.ctid = ANY (ARRAY(`
	deleted  = `)) AND {s}`

	// limited and tallied also say how many rows were seen: one that somebody changed while we waited is not among those gone.
	limited = `WITH v (at) AS MATERIALIZED (`
	tallied = `), d AS (` + deleteAt + `SELECT at FROM v` + deleted + ` RETURNING 1)
		SELECT (SELECT count(*) FROM v) AS seen, (SELECT count(*) FROM d) AS gone`

	// swiftSQL leaves it to the foreign key to look for children: one who lives fails the batch, which is then tried carefully.
	swiftSQL = limited + `SELECT v.ctid FROM ONLY public.session v WHERE v.ctid >= $3::tid AND v.ctid < $4::tid AND {v}
		ORDER BY v.ctid DESC LIMIT $5::int8` + tallied

	// carefulSQL takes only leaves that nobody holds.
	carefulSQL = limited + `SELECT v.ctid FROM ONLY public.session v WHERE v.ctid >= $3::tid AND v.ctid < $4::tid AND {v} AND NOT {child v}
		ORDER BY v.ctid DESC LIMIT $5::int8 FOR UPDATE OF v SKIP LOCKED` + tallied

	// namedSQL tells whose children went: those may be leaves now. Of all rows to be told of would cost a tenth of the time.
	namedSQL = deleteAt + `SELECT v.ctid FROM ONLY public.session v WHERE v.id = ANY ($3::uuid[]) AND {v} AND NOT {child v}
		FOR UPDATE OF v SKIP LOCKED` + deleted + ` RETURNING s.parent`

	// circleSQL deletes rows that are each other's ancestors: all of them, or the foreign key fails the statement.
	circleSQL = deleteAt + `SELECT v.ctid FROM ONLY public.session v WHERE v.id = ANY ($3::uuid[]) AND {v} FOR UPDATE OF v SKIP LOCKED` + deleted
)

// leftSQL looks at what is left of what was meant. Its leaves were held, or were moved by a writer to where the walk had been.
const leftSQL = `SELECT count(*) FILTER (WHERE parent) AS parents, count(*) FILTER (WHERE NOT parent) AS leaves, count(*) FILTER (WHERE knot) AS knots,
	coalesce((array_agg(id) FILTER (WHERE NOT parent))[1:50000], '{}') AS some
	FROM (SELECT s.id, {child s} AS parent, EXISTS (SELECT FROM public.session c WHERE c.parent = s.id AND c.id <> s.id AND {c}) AS knot
		FROM ONLY public.session s WHERE {s}) AS l`

// knotsSQL are rows that stay and whose parent does, too.
const knotsSQL = `SELECT s.id, s.parent FROM ONLY public.session s JOIN ONLY public.session p ON p.id = s.parent WHERE s.id <> p.id AND {s} AND {p}`

// forecastSQL counts what a run would delete: all that is meant but the ancestors of what is not. UNION ends circles.
const forecastSQL = `WITH RECURSIVE kept (id) AS (
		SELECT c.parent FROM public.session c WHERE c.parent IS NOT NULL AND c.parent <> c.id AND {c} IS NOT TRUE
		UNION SELECT p.parent FROM kept k JOIN public.session p ON p.id = k.id WHERE p.parent IS NOT NULL)
	SELECT s.inbox_status::text AS status, count(*) FILTER (WHERE k.id IS NULL) AS n, count(k.id) AS parents,
		(min(s.created_at) FILTER (WHERE k.id IS NULL))::text AS oldest, (max(s.created_at) FILTER (WHERE k.id IS NULL))::text AS newest
	FROM ONLY public.session s LEFT JOIN kept k ON k.id = s.id WHERE {s} GROUP BY s.inbox_status ORDER BY s.inbox_status`

// spell writes the questions out: {s} is whether s is meant, {child s} whether it has a child.
func spell(sql string) string {
	for _, row := range []string{"s", "v", "c", "p"} {
		sql = strings.NewReplacer("{"+row+"}", strings.ReplaceAll(meant, ":row", row), "{child "+row+"}", strings.ReplaceAll(hasChild, ":row", row)).Replace(sql)
	}
	return sql
}

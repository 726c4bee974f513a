package schema

import (
	"fmt"
	"strings"

	"sessiondbd/internal/postgres"
)

// Stranger is code that a write to the session table would execute with the rights of whoever writes, and that somebody who is no
// administrator has made or may change: what a VM's role left behind while it could still make things. Before we write as an
// administrator, it is looked for.
type Stranger struct {
	Kind  string `json:"kind"` // trigger | rule | constraint | index | column | foreign key
	Table string `json:"table"`
	Name  string `json:"name"`
	// Who may change what it executes, which is Calls. Empty: what PostgreSQL has of its own, and what is not safe there.
	Who   string `json:"who"`
	Calls string `json:"calls"`
	// Function is the one function among that.
	Function string `json:"function"`
}

// Write is what is done to rows.
type Write int

// Deleting is DELETE, and what foreign keys of other tables do then. Filling is UPDATE of columns that are no keys, with triggers off
// (session_replication_role). Recording is INSERT into the history, which somebody may have made before us.
const (
	Deleting Write = iota
	Filling
	Recording
)

// strangersSQL looks at every expression that is evaluated: by what it depends on, and, since what is PostgreSQL's own is in no
// pg_depend, by the functions in its tree. Those of its own that are immutable only compute; others execute what they are told
// (query_to_xml), or write files (lo_export). Times are compared by some that are stable.
// {reached} are the tables that rows change in, with the events (bits of pg_trigger.tgtype) and whether triggers are off. The owner of the
// session database is not trusted: what a restore brings is his, whoever made it.
const strangersSQL = `WITH RECURSIVE reached AS ({reached}), trusted AS (SELECT oid FROM pg_catalog.pg_roles WHERE rolsuper),
code (kind, rel, name, class, id, tree) AS (
	SELECT 'trigger', g.tgrelid, g.tgname, 'pg_catalog.pg_trigger'::regclass, g.oid, g.tgqual::text
	FROM reached r JOIN pg_catalog.pg_trigger g ON g.tgrelid = r.oid WHERE NOT g.tgisinternal AND g.tgtype::int4 & r.events <> 0
		AND g.tgenabled = ANY (CASE WHEN r.off THEN ARRAY['A', 'R'] ELSE ARRAY['A', 'O'] END::"char"[])
	UNION ALL SELECT 'rule', w.ev_class, w.rulename, 'pg_catalog.pg_rewrite'::regclass, w.oid, ':funcid 0 '
	FROM reached r JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid WHERE w.ev_type = CASE r.events WHEN 4 THEN '3' WHEN 8 THEN '4' ELSE '2' END::"char"
		AND w.ev_enabled = ANY (CASE WHEN r.off THEN ARRAY['A', 'R'] ELSE ARRAY['A', 'O'] END::"char"[])
	UNION ALL SELECT 'constraint', c.conrelid, c.conname, 'pg_catalog.pg_constraint'::regclass, c.oid, c.conbin::text
	FROM reached r JOIN pg_catalog.pg_constraint c ON c.conrelid = r.oid WHERE r.events <> 8 AND c.contype IN ('c', 'x')
	UNION ALL SELECT 'column', d.adrelid, a.attname, 'pg_catalog.pg_attrdef'::regclass, d.oid, d.adbin::text
	FROM reached r JOIN pg_catalog.pg_attrdef d ON d.adrelid = r.oid JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
	WHERE r.events = 4 OR r.events = 16 AND a.attgenerated <> ''
	UNION ALL SELECT 'column', a.attrelid, a.attname, 'pg_catalog.pg_class'::regclass, a.attrelid, NULL
	FROM reached r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
	JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.typtype NOT IN ('b', 'e') WHERE r.events = 4
	UNION ALL SELECT 'index', i.indrelid, x.relname, 'pg_catalog.pg_class'::regclass, x.oid, concat(i.indexprs::text, i.indpred::text)
	FROM reached r JOIN pg_catalog.pg_index i ON i.indrelid = r.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid WHERE r.events <> 8
	UNION ALL SELECT 'foreign key', c.conrelid, c.conname, 'pg_catalog.pg_constraint'::regclass, c.oid, NULL
	FROM reached r JOIN pg_catalog.pg_constraint c ON c.confrelid = r.oid WHERE NOT r.off AND c.contype = 'f'),
made (kind, rel, name, who, calls, function) AS (
	SELECT kind, rel, name, p.proowner, p.oid::regprocedure::text, true FROM code JOIN pg_catalog.pg_depend d ON d.classid = class AND d.objid = id AND d.refclassid = 'pg_catalog.pg_proc'::regclass
		JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid
	UNION ALL SELECT kind, rel, name, p.proowner, p.oid::regprocedure::text, true FROM code JOIN pg_catalog.pg_depend d ON d.classid = class AND d.objid = id AND d.refclassid = 'pg_catalog.pg_operator'::regclass
		JOIN pg_catalog.pg_operator o ON o.oid = d.refobjid JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
	UNION ALL SELECT kind, rel, name, t.typowner, pg_catalog.format_type(t.oid, NULL), false FROM code JOIN pg_catalog.pg_depend d ON d.classid = class AND d.objid = id AND d.refclassid = 'pg_catalog.pg_type'::regclass
		JOIN pg_catalog.pg_type t ON t.oid = d.refobjid AND t.typtype NOT IN ('b', 'e')
	UNION ALL SELECT kind, rel, name, t.typowner, pg_catalog.format_type(t.oid, NULL), false FROM code JOIN pg_catalog.pg_constraint c ON kind = 'foreign key' AND c.oid = id
		JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
	UNION ALL SELECT kind, rel, name, r.relowner, 'what happens to rows of ' || r.oid::regclass, false FROM code JOIN pg_catalog.pg_constraint c ON kind = 'foreign key' AND c.oid = id AND c.confdeltype IN ('c', 'n', 'd')
		JOIN pg_catalog.pg_class r ON r.oid = c.conrelid AND r.oid <> c.confrelid)
SELECT kind, rel::regclass::text AS table, name::text AS name, coalesce(string_agg(DISTINCT pg_catalog.pg_get_userbyid(who), ', '), '') AS who,
	coalesce(string_agg(DISTINCT calls, ', '), '') AS calls, CASE WHEN bool_and(function) AND count(DISTINCT calls) = 1 THEN min(calls) ELSE '' END AS function
FROM (SELECT kind, rel, name, who, calls, function FROM made WHERE who NOT IN (SELECT oid FROM trusted)
	UNION ALL SELECT kind, rel, name, NULL, NULL, NULL FROM code, pg_catalog.regexp_matches(tree, ':(?:funcid|opfuncid) (\d+) ', 'g') f LEFT JOIN pg_catalog.pg_proc p ON p.oid = f[1]::oid
	WHERE p.oid IS NULL OR p.provolatile <> 'i' AND NOT (p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '^(now$|date|time|interval)')) AS found
GROUP BY kind, rel, name ORDER BY kind, rel, name`

// What a write reaches.
const (
	fillingReaches   = `SELECT 'public.session'::regclass::oid AS oid, 16 AS events, true AS off`
	recordingReaches = `SELECT 'sessiondbd.migrations'::regclass::oid AS oid, 4 AS events, false AS off`
	deletingReaches  = `SELECT 'public.session'::regclass::oid AS oid, 8 AS events, false AS off
	UNION SELECT c.conrelid, CASE c.confdeltype WHEN 'c' THEN 8 ELSE 16 END, false
	FROM reached r JOIN pg_catalog.pg_constraint c ON c.confrelid = r.oid WHERE c.contype = 'f' AND c.confdeltype IN ('c', 'n', 'd') AND (r.events = 8 OR c.confupdtype IN ('c', 'n', 'd'))`
)

// StrangersSQL is the question for strangers.
func StrangersSQL(w Write) string {
	return strings.Replace(strangersSQL, "{reached}", [...]string{Deleting: deletingReaches, Filling: fillingReaches, Recording: recordingReaches}[w], 1)
}

// String says what it is.
func (s Stranger) String() string {
	what := fmt.Sprintf("the %s %s on %s", s.Kind, s.Name, s.Table)
	if s.Who == "" {
		return what + " may execute anything"
	}
	return fmt.Sprintf("%s executes %s, which %s may change", what, s.Calls, s.Who)
}

// Remedy is how somebody takes it away, who does not trust it.
func (s Stranger) Remedy(database string) string {
	name := postgres.QuoteIdent(s.Name)
	sql := "ALTER TABLE " + s.Table + " DROP CONSTRAINT " + name
	switch s.Kind {
	case "trigger":
		sql = "DROP TRIGGER " + name + " ON " + s.Table
	case "rule":
		sql = "DROP RULE " + name + " ON " + s.Table
	case "index":
		schema, _, _ := strings.Cut(s.Table, ".")
		sql = "DROP INDEX " + schema + "." + name
	case "column":
		sql = "ALTER TABLE " + s.Table + " ALTER COLUMN " + name + " DROP EXPRESSION"
	}
	psql := "sudo -u postgres psql " + database + " -c "
	drop := fmt.Sprintf("%s'%s'", psql, sql)
	if s.Function == "" {
		return "if nobody knows what it is for, " + drop
	}
	return fmt.Sprintf("if it is to be trusted, %s'ALTER FUNCTION %s OWNER TO postgres'; else %s", psql, s.Function, drop)
}

// unaided is a statement that, ahead of ours in their transaction and after the lock that they need, has it fail where there are strangers.
func unaided(w Write) string {
	return "DO " + postgres.QuoteLiteral("DECLARE s record; BEGIN FOR s IN "+StrangersSQL(w)+" LOOP RAISE 'the % % on % would be executed with an administrator''s rights', s.kind, s.name, s.table; END LOOP; END")
}

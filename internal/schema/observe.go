package schema

import (
	"slices"
	"strings"

	"sessiondbd/internal/postgres"
)

// Observation is what the server says of the session database.
type Observation struct {
	Cluster    []Cluster   // one row
	Databases  []Database  // one row, or none: it does not exist
	History    []historyAt // one row; none: not connected to the session database
	Applied    []Applied
	Nulls      []nulls
	Orphans    []count
	Lockers    []locker // of the table, so that it cannot be looked at
	Catalogue  Catalogue
	Remembered *Identity // from the state directory; nil: nothing was remembered
	Damaged    string    // why what was remembered cannot be understood; empty: it can
}

// Cluster is what identifies the cluster.
type Cluster struct {
	SystemIdentifier string `json:"system_identifier"`
	Version          int    `json:"version"` // server_version_num
}

// Database is the session database's row of pg_database.
type Database struct {
	OID      string `json:"oid"`
	Owner    string `json:"owner"`
	Encoding string `json:"encoding"`
}

type historyAt struct {
	Table bool   `json:"table"`
	Owner string `json:"owner"`
}

// Applied is a row of the history.
type Applied struct {
	Number  int    `json:"number"`
	Name    string `json:"name"`
	SHA256  string `json:"sha256"`
	Adopted bool   `json:"adopted"`
	Minimum int    `json:"minimum"`
}

// nulls counts the rows that have no value where one must be.
type nulls struct {
	CreatedAt int64 `json:"created_at"`
	UpdatedAt int64 `json:"updated_at"`
}

type count struct {
	Rows int64 `json:"rows"`
}

// Queries asks for the whole observation.
func Queries(want Expected, database string, o *Observation) []postgres.Query {
	names := func(objects []string) string { return "{" + strings.Join(objects, ",") + "}" }
	tables, enums, functions := []string{}, []string{}, []string{}
	for _, t := range want.Catalogue.Tables {
		tables = append(tables, t.Name)
	}
	for _, t := range want.Catalogue.Enums {
		enums = append(enums, t.Name)
	}
	for _, f := range want.Catalogue.Functions {
		functions = append(functions, strings.TrimSuffix(f.Name, "()"))
	}
	c := &o.Catalogue
	return append(IdentityQueries(database, o), []postgres.Query{
		{Name: "the history", Into: &o.History, Session: true, SQL: `SELECT c.oid IS NOT NULL AS table,
			coalesce(pg_get_userbyid(n.nspowner), '') AS owner
			FROM (VALUES (1)) one LEFT JOIN pg_namespace n ON n.nspname = 'sessiondbd'
			LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'migrations' AND c.relkind = 'r'`},
		{Name: "the types", Into: &c.Enums, Session: true, Args: []string{names(enums)}, SQL: `SELECT t.typname AS name, t.typtype AS kind,
			pg_get_userbyid(t.typowner) AS owner,
			(SELECT coalesce(json_agg(e.enumlabel ORDER BY e.enumsortorder), '[]') FROM pg_enum e WHERE e.enumtypid = t.oid) AS labels
			FROM pg_type t WHERE t.typnamespace = 'public'::regnamespace AND t.typname = ANY ($1::name[]) ORDER BY 1`},
		{Name: "the tables", Into: &c.Tables, Session: true, Args: []string{names(tables)}, SQL: `SELECT c.relname AS name, c.relkind AS kind,
			c.relpersistence AS persistence, pg_get_userbyid(c.relowner) AS owner, c.relrowsecurity AS row_security
			FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1::name[]) ORDER BY 1`},
		{Name: "the columns", Into: &c.Columns, Session: true, SQL: `SELECT a.attname AS name,
			format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint k
				WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND NOT k.convalidated AND a.attnum = ANY (k.conkey)) AS not_null,
			coalesce(pg_get_expr(d.adbin, CASE a.attgenerated WHEN '' THEN 0 ELSE d.adrelid END), '') AS default, a.attgenerated::text || a.attidentity::text AS generated
			FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
			WHERE a.attrelid = to_regclass('public.session') AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`},
		{Name: "the constraints", Into: &c.Constraints, Session: true, SQL: `SELECT conname AS name,
			CASE WHEN contype = 'c' AND ` + tableLocked + ` THEN '' ELSE pg_get_constraintdef(oid) END AS definition, convalidated AS validated
			FROM pg_constraint WHERE conrelid = to_regclass('public.session') AND (contype <> 'n' OR NOT convalidated) ORDER BY 1`},
		{Name: "the indexes", Into: &c.Indexes, Session: true, SQL: `SELECT c.relname AS name,
			CASE WHEN ` + tableLocked + ` THEN '' ELSE pg_get_indexdef(i.indexrelid) END AS definition,
			i.indisvalid AND i.indisready AS valid,
			EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid = i.indrelid AND i.indexrelid = p.index_relid) AS building,
			EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')) AS constraint
			FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass('public.session') ORDER BY 1`},
		{Name: "the functions", Into: &c.Functions, Session: true, Args: []string{names(functions)}, SQL: `SELECT p.proname || '()' AS name,
			pg_get_userbyid(p.proowner) AS owner, pg_get_functiondef(p.oid) AS definition
			FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proname = ANY ($1::name[]) AND p.pronargs = 0
			AND p.prokind = 'f' ORDER BY 1`},
		{Name: "the triggers", Into: &c.Triggers, Session: true, SQL: `SELECT tgname AS name, pg_get_triggerdef(oid) AS definition,
			tgenabled AS enabled FROM pg_trigger WHERE tgrelid = to_regclass('public.session') AND NOT tgisinternal ORDER BY 1`},
		lockQuery(o),
		// Only what the first answers make sensible: a table that is not there cannot be named in a query.
		{
			Name: "the applied migrations", Into: &o.Applied, Session: true, When: o.hasHistory,
			SQL: `SELECT number, name, sha256, adopted, minimum FROM sessiondbd.migrations ORDER BY number`,
		},
		{Name: "the rows without a timestamp", Into: &o.Nulls, Session: true, When: func() bool { return o.lacksNotNull() && o.unlocked() }, SQL: `SELECT
			count(*) FILTER (WHERE created_at IS NULL) AS created_at, count(*) FILTER (WHERE updated_at IS NULL) AS updated_at
			FROM ONLY public.session WHERE created_at IS NULL OR updated_at IS NULL`},
		{Name: "the rows without their parent", Into: &o.Orphans, Session: true, When: func() bool { return o.lacksParentKey() && o.unlocked() }, SQL: `SELECT count(*) AS rows
			FROM ONLY public.session s WHERE s.parent IS NOT NULL AND NOT EXISTS (SELECT FROM public.session p WHERE p.id = s.parent)`},
	}...)
}

// IdentityQueries asks only which cluster and which database this is.
func IdentityQueries(database string, o *Observation) []postgres.Query {
	return []postgres.Query{
		{Name: "the cluster", Into: &o.Cluster, SQL: `SELECT system_identifier::text AS system_identifier,
			current_setting('server_version_num')::int AS version FROM pg_control_system()`},
		{Name: "the database", Into: &o.Databases, Args: []string{database}, SQL: `SELECT oid::text AS oid,
			pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = $1`},
	}
}

func (o *Observation) hasHistory() bool { return len(o.History) == 1 && o.History[0].Table }

// lacksParentKey says whether there is no valid foreign key on parent, though there are the columns that it is about.
func (o *Observation) lacksParentKey() bool {
	if t := find(o.Catalogue.Tables, "session", Table.id); t == nil || t.Kind != "r" {
		return false
	}
	for _, name := range []string{"id", "parent"} {
		if c := find(o.Catalogue.Columns, name, Column.id); c == nil || c.Type != "uuid" {
			return false
		}
	}
	return !slices.ContainsFunc(o.Catalogue.Constraints, func(c Constraint) bool {
		return c.Validated && strings.HasPrefix(c.Definition, "FOREIGN KEY (parent) REFERENCES public.session(id)")
	})
}

// lacksNotNull says whether both timestamps are there and one of them may be NULL: only then is a scan worth its cost.
func (o *Observation) lacksNotNull() bool {
	if t := find(o.Catalogue.Tables, "session", Table.id); t == nil || t.Kind != "r" {
		return false
	}
	c := find(o.Catalogue.Columns, "created_at", Column.id)
	u := find(o.Catalogue.Columns, "updated_at", Column.id)
	return c != nil && u != nil && !(c.NotNull && u.NotNull)
}

// Version is the number of the newest migration in the history; 0 while there is no table to speak of.
func (o Observation) Version() int {
	if len(o.Applied) == 0 || !o.Catalogue.Has("table session") {
		return 0
	}
	return o.Applied[len(o.Applied)-1].Number
}

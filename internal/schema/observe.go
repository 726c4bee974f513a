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
	Strangers  []Stranger // whose code would be executed where timestamps are filled in
	Lockers    []locker   // of the table, so that it cannot be looked at
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
	// Administrator says that the owner is a superuser.
	Administrator bool `json:"administrator"`
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
	return slices.Concat(IdentityQueries(database, o), catalogueQueries(want.Catalogue, o), []postgres.Query{
		{Name: "the history", Durable: true, Into: &o.History, Session: true, SQL: `SELECT
			(SELECT relkind = 'r' FROM pg_class WHERE oid = to_regclass('sessiondbd.migrations')) AS table,
			(SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'sessiondbd') AS owner`},
		lockQuery(o),
		lockerQuery(o),
		// Only what the first answers make sensible: a table that is not there cannot be named in a query.
		{
			Name: "the applied migrations", Durable: true, Into: &o.Applied, Session: true, When: o.hasHistory,
			SQL: `SELECT number::int8 AS number, name::text AS name, sha256::text AS sha256, adopted::bool AS adopted, minimum::int8 AS minimum
				FROM sessiondbd.migrations ORDER BY 1`,
		},
		{Name: "the rows without a timestamp", Into: &o.Nulls, Session: true, When: func() bool { return o.lacksNotNull() && o.unlocked() }, SQL: `SELECT
			count(*) FILTER (WHERE created_at IS NULL) AS created_at, count(*) FILTER (WHERE updated_at IS NULL) AS updated_at
			FROM ONLY public.session WHERE created_at IS NULL OR updated_at IS NULL`},
		{Name: "code of others", Into: &o.Strangers, Session: true, When: func() bool { return o.fills() && o.unlocked() }, SQL: StrangersSQL(Filling)},
		{Name: "the rows without their parent", Into: &o.Orphans, Session: true, When: func() bool { return o.lacksParentKey() && o.unlocked() }, SQL: `SELECT count(*) AS rows
			FROM ONLY public.session s WHERE s.parent IS NOT NULL AND NOT EXISTS (SELECT FROM public.session p WHERE p.id = s.parent)`},
	})
}

// IdentityQueries asks only which cluster and which database this is.
func IdentityQueries(database string, o *Observation) []postgres.Query {
	return []postgres.Query{
		{Name: "the cluster", Durable: true, Into: &o.Cluster, SQL: `SELECT system_identifier::text AS system_identifier,
			current_setting('server_version_num')::int AS version FROM pg_control_system()`},
		{Name: "the database", Durable: true, Into: &o.Databases, Args: []string{database}, SQL: `SELECT oid::text AS oid,
			pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding,
			coalesce((SELECT rolsuper FROM pg_authid a WHERE a.oid = datdba), false) AS administrator FROM pg_database WHERE datname = $1`},
	}
}

func (o *Observation) hasHistory() bool { return len(o.History) == 1 && o.History[0].Table }

// lacksParentKey says whether there is no valid foreign key on parent that is heeded, though there are the columns that it is about.
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
		return c.Validated && !c.Off && strings.HasPrefix(c.Definition, "FOREIGN KEY (parent) REFERENCES public.session(id)")
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

// fills says whether a timestamp may have to be filled in: one of the columns may be NULL, or is not there yet.
func (o *Observation) fills() bool {
	if t := find(o.Catalogue.Tables, "session", Table.id); t == nil || t.Kind != "r" {
		return false
	}
	return slices.ContainsFunc([]string{"created_at", "updated_at"}, func(name string) bool {
		c := find(o.Catalogue.Columns, name, Column.id)
		return c == nil || !c.NotNull
	})
}

// Version is the number of the newest migration in the history; 0 while there is no table to speak of.
func (o Observation) Version() int {
	if len(o.Applied) == 0 || !o.Catalogue.Has("table session") {
		return 0
	}
	return o.Applied[len(o.Applied)-1].Number
}

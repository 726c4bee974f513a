package schema

import (
	"slices"
)

// columnRows are what can differ in a column.
var columnRows = []row{
	{
		name: "a default", have: func(o *Observation) { column(o, "created_at").Default = "clock_timestamp()" },
		want: []string{"update schema/session.created_at default: clock_timestamp() -> CURRENT_TIMESTAMP"},
		twin: func(o *Observation) { column(o, "created_at").Default = "now()" },
	},
	{
		name: "a default where none is documented", have: func(o *Observation) { column(o, "messages").Default = "'{}'::jsonb" },
		want: []string{"delete schema/session.messages default: '{}'::jsonb -> "},
		twin: func(o *Observation) { column(o, "messages").Default = "" },
	},
	{
		name: "a nullable timestamp with NULLs", have: func(o *Observation) {
			column(o, "updated_at").NotNull = false
			o.Nulls = []nulls{{CreatedAt: 5, UpdatedAt: 3}}
		},
		want: []string{
			"update schema/session.updated_at rows: 3 NULL -> filled",
			"create schema/session.updated_at check:  -> CHECK (updated_at IS NOT NULL)…",
			"run schema/session.updated_at validation: NOT VALID -> valid",
			"update schema/session.updated_at nullability: NULL -> NOT NULL",
			"delete schema/session.updated_at check: CHECK (updated_at IS NOT NULL) -> ",
		},
		twin: func(o *Observation) { o.Nulls = []nulls{{}} },
	},
	{
		name: "a nullable timestamp with NULLs, and code of somebody's", have: func(o *Observation) {
			column(o, "updated_at").NotNull = false
			o.Nulls = []nulls{{UpdatedAt: 3}}
			o.Strangers = []Stranger{{Kind: "rule", Table: "public.session", Name: "r", Who: "", Calls: ""}}
		},
		want: []string{"refuse schema/session.updated_at: updated_at: 3 NULL, and filling them in would execute it with an administrator's rights: the rule r on public.session may execute anything"},
		twin: func(o *Observation) { o.Nulls = []nulls{{}} },
	},
	{
		name: "a repair of NULLs that was killed after validating", have: func(o *Observation) {
			column(o, "updated_at").NotNull = false
			o.Nulls = []nulls{{}}
			o.Catalogue.Constraints = append(o.Catalogue.Constraints, Constraint{"sessiondbd_updated_at_not_null", "CHECK ((updated_at IS NOT NULL))", true, false})
		},
		want: []string{
			"update schema/session.updated_at nullability: NULL -> NOT NULL",
			"delete schema/session.updated_at check: CHECK (updated_at IS NOT NULL) -> ",
		},
		twin: func(*Observation) {},
	},
	{
		name: "a repair of NULLs that was killed before its last step", have: func(o *Observation) {
			o.Catalogue.Constraints = append(o.Catalogue.Constraints, Constraint{"sessiondbd_updated_at_not_null", "CHECK ((updated_at IS NOT NULL))", true, false})
		},
		want: []string{"delete schema/session.updated_at check: CHECK ((updated_at IS NOT NULL… -> "},
		twin: func(*Observation) {},
	},
	{
		name: "a column that is NOT NULL and should not be", have: func(o *Observation) { column(o, "messages").NotNull = true },
		want: []string{"update schema/session.messages nullability: NOT NULL -> NULL"},
		twin: func(o *Observation) { column(o, "messages").NotNull = false },
	},
	{
		name: "a missing column", have: func(o *Observation) { o.Catalogue.Columns = without(o.Catalogue.Columns, "sbx_config", Column.id) },
		want: []string{"create schema/session.sbx_config column:  -> jsonb"},
		twin: func(o *Observation) { slices.Reverse(o.Catalogue.Columns) },
	},
	{
		name: "a type", have: func(o *Observation) { column(o, "created_at").Type = "timestamp without time zone" },
		want: []string{"refuse schema/session.created_at: column created_at has type timestamp without time zone, documented is timestamp with time zone; changing it can rewrite the table and change meaning"},
		twin: func(o *Observation) { column(o, "created_at").Type = "timestamp with time zone" },
	},
	{
		name: "a column more", have: func(o *Observation) {
			o.Catalogue.Columns = append(o.Catalogue.Columns, Column{Name: "tags", Type: "text[]"})
		},
		want: []string{"warn schema/session.tags: a column that is not ours: tags text[]"},
		twin: func(*Observation) {},
	},
	{
		name: "a nullable timestamp on PostgreSQL 18", have: func(o *Observation) {
			o.Cluster[0].Version = 180004
			column(o, "created_at").NotNull = false
			o.Nulls = []nulls{{CreatedAt: 2}}
		},
		want: []string{
			"update schema/session.created_at rows: 2 NULL -> filled",
			"create schema/session.created_at nullability: NULL -> NOT NULL created_at NOT VALID",
			"run schema/session.created_at validation: NOT VALID -> valid",
		},
		twin: func(o *Observation) { o.Cluster[0].Version = 180004 },
	},
	{
		name: "the same, killed in the middle", have: func(o *Observation) {
			o.Cluster[0].Version = 180004
			column(o, "created_at").NotNull = false
			o.Nulls = []nulls{{}}
			o.Catalogue.Constraints = append(o.Catalogue.Constraints, Constraint{"session_created_at_not_null", "NOT NULL created_at NOT VALID", false, false})
		},
		want: []string{"run schema/session.created_at validation: NOT VALID -> valid"},
		twin: func(*Observation) {},
	},
}

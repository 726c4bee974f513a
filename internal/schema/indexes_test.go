package schema

import (
	"slices"
	"strings"
)

// indexRows are what can differ in indexes and constraints.
var indexRows = []row{
	{
		name: "a missing index", have: func(o *Observation) {
			o.Catalogue.Indexes = without(o.Catalogue.Indexes, "idx_session_parent", Index.id)
		},
		want: []string{"create schema/idx_session_parent index:  -> CREATE INDEX idx_session_paren…"},
		twin: func(o *Observation) { slices.Reverse(o.Catalogue.Indexes) },
	},
	{
		name: "an invalid index", have: func(o *Observation) { index(o, "idx_session_parent").Valid = false },
		want: []string{
			"delete schema/idx_session_parent validity: invalid -> ",
			"create schema/idx_session_parent index:  -> CREATE INDEX idx_session_paren…",
		},
		twin: func(o *Observation) { index(o, "idx_session_parent").Valid = true },
	},
	{
		name: "an index of another column under our name", have: func(o *Observation) {
			i := index(o, "idx_session_parent")
			i.Definition = strings.Replace(i.Definition, "(parent)", "(id)", 1)
		},
		want: []string{
			"delete schema/idx_session_parent definition: CREATE INDEX idx_session_paren… -> ",
			"create schema/idx_session_parent index:  -> CREATE INDEX idx_session_paren…",
		},
		twin: func(*Observation) {},
	},
	{
		name: "an index under another name", have: func(o *Observation) {
			i := index(o, "idx_session_parent")
			i.Name, i.Definition = "session_parent_idx", strings.Replace(i.Definition, i.Name, "session_parent_idx", 1)
		},
		want: []string{"update schema/idx_session_parent name: session_parent_idx -> idx_session_parent"},
		twin: func(*Observation) {},
	},
	{
		name: "an index more", have: func(o *Observation) {
			o.Catalogue.Indexes = append(o.Catalogue.Indexes, Index{"by_time", "CREATE INDEX by_time ON public.session USING btree (created_at)", true, false, false})
		},
		want: []string{"warn schema/by_time: an index that is not ours: CREATE INDEX by_time ON public.session USING btree (created_at)"},
		twin: func(o *Observation) {
			o.Catalogue.Indexes = append(o.Catalogue.Indexes, Index{"u", "CREATE UNIQUE INDEX u ON public.session USING btree (id)", true, true, false})
		},
	},
	{
		name: "a foreign key that was not validated", have: func(o *Observation) {
			c := find(o.Catalogue.Constraints, "session_parent_fkey", Constraint.id)
			c.Validated, c.Definition = false, c.Definition+" NOT VALID"
		},
		want: []string{"run schema/session_parent_fkey validation: NOT VALID -> valid"},
		twin: func(*Observation) {},
	},
	{
		name: "a foreign key whose triggers are off", have: func(o *Observation) {
			find(o.Catalogue.Constraints, "session_parent_fkey", Constraint.id).Off = true
		},
		want: []string{
			"update schema/session_parent_fkey enforced: its triggers are off -> FOREIGN KEY (parent) REFERENCE…",
			"run schema/session_parent_fkey validation: NOT VALID -> valid",
		},
		twin: func(o *Observation) { find(o.Catalogue.Constraints, "session_pkey", Constraint.id).Off = true },
	},
	{
		name: "a foreign key whose triggers were off when orphans came", have: func(o *Observation) {
			find(o.Catalogue.Constraints, "session_parent_fkey", Constraint.id).Off = true
			o.Orphans = []count{{Rows: 3}}
		},
		want: []string{"refuse schema/session_parent_fkey: 3 rows name a parent that does not exist: whether to restore the parents or to forget them is not ours to guess"},
		twin: func(o *Observation) { o.Orphans = []count{{}} },
	},
	{
		name: "no foreign key", have: func(o *Observation) {
			o.Catalogue.Constraints = without(o.Catalogue.Constraints, "session_parent_fkey", Constraint.id)
		},
		want: []string{
			"create schema/session_parent_fkey constraint:  -> FOREIGN KEY (parent) REFERENCE…",
			"run schema/session_parent_fkey validation: NOT VALID -> valid",
		},
		twin: func(o *Observation) { slices.Reverse(o.Catalogue.Constraints) },
	},
	{
		name: "a foreign key that cascades", have: func(o *Observation) {
			find(o.Catalogue.Constraints, "session_parent_fkey", Constraint.id).Definition += " ON DELETE CASCADE"
		},
		want: []string{"refuse schema/session_parent_fkey: constraint session_parent_fkey is FOREIGN KEY (parent) REFERENCES public.session(id) ON DELETE CASCADE, documented is FOREIGN KEY (parent) REFERENCES public.session(id)"},
		twin: func(*Observation) {},
	},
	{
		name: "a constraint under another name", have: func(o *Observation) {
			find(o.Catalogue.Constraints, "session_parent_fkey", Constraint.id).Name = "fk"
		},
		want: []string{"update schema/session_parent_fkey name: fk -> session_parent_fkey"},
		twin: func(*Observation) {},
	},
	{
		name: "no primary key", have: func(o *Observation) {
			o.Catalogue.Constraints = without(o.Catalogue.Constraints, "session_pkey", Constraint.id)
		},
		want: []string{"refuse schema/session_pkey: the table has no PRIMARY KEY (id)"},
		twin: func(*Observation) {},
	},
	{
		name: "a missing trigger", have: func(o *Observation) { o.Catalogue.Triggers = nil },
		want: []string{"create schema/update_session_updated_at trigger:  -> CREATE TRIGGER update_session_…"},
		twin: func(*Observation) {},
	},
	{
		name: "what a REINDEX CONCURRENTLY left", have: func(o *Observation) {
			o.Catalogue.Indexes = append(o.Catalogue.Indexes, Index{Name: "idx_session_parent_ccnew1", Definition: "CREATE INDEX idx_session_parent_ccnew1 ON public.session USING btree (parent)"})
		},
		want: []string{"delete schema/idx_session_parent_ccnew1 validity: invalid -> "},
		twin: func(*Observation) {},
	},
	{
		name: "an index that somebody is building", have: func(o *Observation) {
			index(o, "idx_session_parent").Valid, index(o, "idx_session_parent").Building = false, true
		},
		want: []string{"warn schema/idx_session_parent: somebody is building it at this moment"},
		twin: func(*Observation) {},
	},
}

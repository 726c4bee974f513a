package schema

import (
	"slices"
)

// historyRows are what can differ between the diary, the migrations and what is there.
var historyRows = []row{
	{
		name: "the diary's owner", have: func(o *Observation) { o.History[0].Owner = "sessionuser" },
		want: []string{"update schema/sessiondbd.migrations owner: sessionuser -> sessiondb_owner"},
		twin: func(o *Observation) { o.Applied[0].Adopted = true },
	},
	{
		name: "the table gone, the history there", have: func(o *Observation) { o.Catalogue = Catalogue{Enums: o.Catalogue.Enums} },
		want: []string{"refuse schema/session: table public.session is gone, though the history says that it was made: an accident, not a to-do"},
		twin: func(*Observation) {},
	},
	{
		name: "an edited migration", have: func(o *Observation) { o.Applied[1].SHA256 = "0123456789abcdef" },
		want: []string{"refuse migration/0002_session_table: the migration was edited after it was applied: have SHA-256 0123456789ab, want " + goalSHA(1)},
		twin: func(*Observation) {},
	},
	{
		name: "a gap", have: func(o *Observation) { o.Applied = slices.Delete(o.Applied, 1, 2) },
		want: []string{
			"refuse migration/0002_session_table: the history holds 0003_session_indexes where this binary has 0002_session_table: it is not this product's, or rows are missing",
			"refuse migration/0003_session_indexes: the history holds 0004_session_updated_at where this binary has 0003_session_indexes: it is not this product's, or rows are missing",
			"create migration/0004_session_updated_at history:  -> adopted",
		},
		twin: func(*Observation) {},
	},
	{
		name: "a newer database", have: func(o *Observation) { o.Applied = append(o.Applied, Applied{5, "later", "x", false, 5}) },
		want: []string{"refuse migration/0005_later: the database is newer than this binary, which knows migrations up to 0004; what serves it must know 0005"},
		twin: func(*Observation) {},
	},
	{
		name: "a newer database that this binary still serves, whatever its schema is", have: func(o *Observation) {
			o.Applied = append(o.Applied, Applied{5, "later", "x", false, 4})
			o.Catalogue.Triggers, column(o, "messages").Type = nil, "text"
		},
		want: []string{"warn migration/0005_later: the database is newer than this binary, which knows migrations up to 0004 and still serves it: access and firewall are kept, the schema is left alone"},
		twin: func(*Observation) {},
	},
	{
		name: "a lost history", have: func(o *Observation) { o.History[0].Table, o.Applied = false, nil },
		want: []string{
			"create schema/sessiondbd.migrations table:  -> sessiondbd.migrations",
			"create migration/0001_inbox_status_enum history:  -> adopted",
			"create migration/0002_session_table history:  -> adopted",
			"create migration/0003_session_indexes history:  -> adopted",
			"create migration/0004_session_updated_at history:  -> adopted",
		},
		twin: func(*Observation) {},
	},
	{
		name: "nothing at all", have: func(o *Observation) { *o = Observation{Cluster: o.Cluster} },
		want: []string{
			"create schema/sessiondbd.migrations table:  -> sessiondbd.migrations",
			"run migration/0001_inbox_status_enum migration:  -> type inbox_status_enum",
			"run migration/0002_session_table migration:  -> table session",
			"run migration/0003_session_indexes migration:  -> index idx_session_parent, inde…",
			"run migration/0004_session_updated_at migration:  -> function update_updated_at_col…",
		},
		twin: func(*Observation) {},
	},
	{
		name: "only the enum, of a script that stopped", have: func(o *Observation) {
			*o = Observation{Cluster: o.Cluster, Databases: o.Databases, History: []historyAt{{}}, Catalogue: Catalogue{Enums: o.Catalogue.Enums}}
		},
		want: []string{
			"create schema/sessiondbd.migrations table:  -> sessiondbd.migrations",
			"create migration/0001_inbox_status_enum history:  -> adopted",
			"run migration/0002_session_table migration:  -> table session",
			"run migration/0003_session_indexes migration:  -> index idx_session_parent, inde…",
			"run migration/0004_session_updated_at migration:  -> function update_updated_at_col…",
		},
		twin: func(*Observation) {},
	},
	{
		name: "an adoption that must be refused changes nothing", have: func(o *Observation) {
			o.History[0].Table, o.Applied = false, nil
			column(o, "inbox_status").Type = "text"
			o.Catalogue.Triggers = nil
		},
		want: []string{"refuse schema/session.inbox_status: column inbox_status has type text, documented is public.inbox_status_enum; changing it can rewrite the table and change meaning"},
		twin: func(*Observation) {},
	},
}

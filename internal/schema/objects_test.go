package schema

import (
	"slices"
	"strings"
)

// objectRows are what can differ in the table as a whole, the type, the function and the trigger.
var objectRows = []row{
	{
		name: "an owner", have: func(o *Observation) { o.Catalogue.Tables[0].Owner = "postgres" },
		want: []string{"update schema/session owner: postgres -> sessiondb_owner"},
		twin: func(o *Observation) { o.Catalogue.Tables[0].Owner = "sessiondb_owner" },
	},
	{
		name: "a disabled trigger", have: func(o *Observation) { o.Catalogue.Triggers[0].Enabled = "D" },
		want: []string{"update schema/update_session_updated_at enabled: no -> yes"},
		twin: func(o *Observation) { o.Catalogue.Triggers[0].Enabled = "O" },
	},
	{
		name: "a trigger more", have: func(o *Observation) {
			o.Catalogue.Triggers = append(o.Catalogue.Triggers, Trigger{"audit", "CREATE TRIGGER audit …", "O"})
		},
		want: []string{"warn schema/audit: a trigger that is not ours: CREATE TRIGGER audit …"},
		twin: func(*Observation) {},
	},
	{
		name: "a missing function", have: func(o *Observation) { o.Catalogue.Functions = nil },
		want: []string{"create schema/update_updated_at_column() function:  -> as in the catalogue"},
		twin: func(*Observation) {},
	},
	{
		name: "another body", have: func(o *Observation) {
			f := &o.Catalogue.Functions[0]
			f.Definition = strings.Replace(f.Definition, "CURRENT_TIMESTAMP", "OLD.updated_at", 1)
		},
		want: []string{"update schema/update_updated_at_column() definition: CREATE OR REPLACE FUNCTION pub… -> CREATE OR REPLACE FUNCTION pub…"},
		twin: func(*Observation) {},
	},
	{
		name: "another body, which other tables rely on", have: func(o *Observation) {
			f := &o.Catalogue.Functions[0]
			f.Definition, f.Shared = strings.Replace(f.Definition, "NEW.updated_at", "NEW.modified", 1), true
		},
		want: []string{"refuse schema/update_updated_at_column(): public.update_updated_at_column() has another body than documented, and triggers of other tables call it, too: to replace it would change what they do"},
		twin: func(o *Observation) { o.Catalogue.Functions[0].Shared = true },
	},
	{
		name: "the same body in other words, which other tables rely on", have: func(o *Observation) {
			f := &o.Catalogue.Functions[0]
			f.Definition, f.Shared = strings.Replace(f.Definition, "NEW.updated_at := CURRENT_TIMESTAMP", "NEW.updated_at  =  now()", 1), true
		},
		want: []string{"update schema/update_updated_at_column() definition: CREATE OR REPLACE FUNCTION pub… -> CREATE OR REPLACE FUNCTION pub…"},
		twin: func(o *Observation) { o.Catalogue.Functions[0].Shared = true },
	},
	{
		name: "a missing label", have: func(o *Observation) { o.Catalogue.Enums[0].Labels = []string{"pending", "completed", "failed"} },
		want: []string{"create schema/inbox_status_enum label:  -> processing"},
		twin: func(*Observation) {},
	},
	{
		name: "a label more", have: func(o *Observation) {
			o.Catalogue.Enums[0].Labels = append(o.Catalogue.Enums[0].Labels, "archived")
		},
		want: []string{"warn schema/inbox_status_enum: labels that are not ours: archived"},
		twin: func(*Observation) {},
	},
	{
		name: "labels in another order", have: func(o *Observation) { slices.Reverse(o.Catalogue.Enums[0].Labels) },
		want: []string{"warn schema/inbox_status_enum: the labels sort as failed, completed, processing, pending, documented is pending, processing, completed, failed"},
		twin: func(*Observation) {},
	},
	{
		name: "a view in the table's place", have: func(o *Observation) { o.Catalogue.Tables[0].Kind = "v" },
		want: []string{`refuse schema/session: public.session is not an ordinary table (relkind "v")`},
		twin: func(*Observation) {},
	},
	{
		name: "an unlogged table with row security", have: func(o *Observation) {
			o.Catalogue.Tables[0].Persistence, o.Catalogue.Tables[0].RowSecurity = "u", true
		},
		want: []string{
			"warn schema/session: the table is UNLOGGED: a crash of the server empties it",
			"warn schema/session: row security is on: the VMs see only what policies let them",
		},
		twin: func(*Observation) {},
	},
}

package schema

import (
	"fmt"
	"slices"
	"strings"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

func public(name string) string { return "public." + postgres.QuoteIdent(name) }

// owner compares an object's owner; kind is the word of ALTER.
func (d *differ) owner(r *plan.Resource, kind, object, have string) {
	if have == d.goal.Owner {
		return
	}
	r.Add(plan.Update, "owner", have, d.goal.Owner, "an owner may drop and alter; only a role that nobody logs in as may",
		sql("ALTER "+kind+" "+object+" OWNER TO "+postgres.QuoteIdent(d.goal.Owner)))
}

func (d *differ) enum(want Enum) {
	have := find(d.have.Enums, want.Name, Enum.id)
	if have == nil {
		return // its migration is pending; with the table in place a column's type says what is wrong
	}
	r := d.resource(want.Name)
	if have.Kind != want.Kind {
		r.Refuse(fmt.Sprintf("public.%s is not an enum (typtype %q)", want.Name, have.Kind), "rename it out of the way: ALTER TYPE "+public(want.Name)+" RENAME TO …")
		d.add(r)
		return
	}
	last := ""
	for _, label := range want.Labels {
		if !slices.Contains(have.Labels, label) {
			at := " BEFORE " + postgres.QuoteLiteral(firstOf(have.Labels))
			if last != "" {
				at = " AFTER " + postgres.QuoteLiteral(last)
			} else if len(have.Labels) == 0 {
				at = ""
			}
			r.Add(plan.Create, "label", "", label, "documented status that the type lacks",
				sql("ALTER TYPE "+public(want.Name)+" ADD VALUE IF NOT EXISTS "+postgres.QuoteLiteral(label)+at))
		}
		last = label
	}
	var common, extra []string
	for _, l := range have.Labels {
		if slices.Contains(want.Labels, l) {
			common = append(common, l)
		} else {
			extra = append(extra, l)
		}
	}
	if len(extra) > 0 {
		r.Warn("labels that are not ours: "+strings.Join(extra, ", "), "nothing to do if they are meant; PostgreSQL cannot drop a label")
	}
	if !slices.IsSortedFunc(common, func(a, b string) int { return slices.Index(want.Labels, a) - slices.Index(want.Labels, b) }) {
		r.Warn("the labels sort as "+strings.Join(have.Labels, ", ")+", documented is "+strings.Join(want.Labels, ", "), "harmless unless somebody sorts by status; a new type and a rewrite of the table would settle it")
	}
	d.owner(&r, "TYPE", public(want.Name), have.Owner)
	d.add(r)
}

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// table compares the table as a whole; false: what stands there is nothing to go on with.
func (d *differ) table(want Table) bool {
	have := find(d.have.Tables, want.Name, Table.id)
	r := d.resource(want.Name)
	defer func() { d.add(r) }()
	if have.Kind != want.Kind {
		r.Refuse(fmt.Sprintf("public.%s is not an ordinary table (relkind %q)", want.Name, have.Kind), "rename it out of the way, then sudo sessiondbd apply")
		return false
	}
	d.owner(&r, "TABLE", public(want.Name), have.Owner)
	if have.Persistence != want.Persistence {
		r.Warn("the table is UNLOGGED: a crash of the server empties it", "when nobody writes (it rewrites the table): ALTER TABLE "+public(want.Name)+" SET LOGGED")
	}
	if have.RowSecurity && !want.RowSecurity {
		r.Warn("row security is on: the VMs see only what policies let them", "if it is not meant: ALTER TABLE "+public(want.Name)+" DISABLE ROW LEVEL SECURITY")
	}
	return true
}

func (d *differ) function(want Function) {
	r := d.resource(want.Name)
	have := find(d.have.Functions, want.Name, Function.id)
	switch {
	case have == nil:
		r.Add(plan.Create, "function", "", "as in the catalogue", "the trigger that keeps updated_at calls it",
			sql(want.Definition, "ALTER FUNCTION public."+want.Name+" OWNER TO "+postgres.QuoteIdent(d.goal.Owner)))
	case have.Shared && !sameBody(have.Definition, want.Definition):
		r.Refuse(fmt.Sprintf("public.%s has another body than documented, and triggers of other tables call it, too: to replace it would change what they do", want.Name),
			"give the other tables a function of their own (see them: SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgfoid = 'public."+want.Name+"'::regprocedure); then sudo sessiondbd apply")
	default:
		if have.Definition != want.Definition {
			r.Add(plan.Update, "definition", have.Definition, want.Definition, "the trigger calls it: what it does to updated_at is documented, and a pinned search_path keeps it safe", sql(want.Definition))
		}
		d.owner(&r, "FUNCTION", "public."+want.Name, have.Owner)
	}
	d.add(r)
}

// sameBody says whether two definitions do the same, however they are spelt: the oneshot assigned with = and did not pin the
// search_path.
func sameBody(a, b string) bool {
	plain := func(definition string) string {
		_, body, _ := strings.Cut(definition, "$function$")
		body = strings.ToLower(strings.Join(strings.Fields(body), ""))
		return strings.NewReplacer(":=", "=", "now()", "current_timestamp").Replace(body)
	}
	return plain(a) == plain(b)
}

func (d *differ) triggers() {
	for _, want := range d.want.Triggers {
		r := d.resource(want.Name)
		have := find(d.have.Triggers, want.Name, Trigger.id)
		switch {
		case have == nil:
			r.Add(plan.Create, "trigger", "", want.Definition, "keeps updated_at, whatever a client sends", sql(want.Definition))
		case have.Definition != want.Definition:
			r.Add(plan.Update, "definition", have.Definition, want.Definition, "fires as documented",
				sql(strings.Replace(want.Definition, "CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1)))
		}
		if have != nil && have.Enabled != want.Enabled {
			r.Add(plan.Update, "enabled", firing(have.Enabled), firing(want.Enabled), "until it fires again, updated_at is left to the clients",
				sql("ALTER TABLE public.session ENABLE TRIGGER "+postgres.QuoteIdent(want.Name)))
		}
		d.add(r)
	}
	for _, have := range d.have.Triggers {
		if find(d.want.Triggers, have.Name, Trigger.id) == nil {
			r := d.resource(have.Name)
			r.Warn("a trigger that is not ours: "+have.Definition, "nothing to do if it is meant; else DROP TRIGGER "+postgres.QuoteIdent(have.Name)+" ON public.session")
			d.add(r)
		}
	}
}

// firing says in words when a trigger fires (pg_trigger.tgenabled).
func firing(enabled string) string {
	switch enabled {
	case "O":
		return "yes"
	case "D":
		return "no"
	case "R":
		return "on replicas only"
	case "A":
		return "always, on replicas too"
	}
	return enabled
}

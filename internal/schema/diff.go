package schema

import (
	"slices"

	"sessiondbd/internal/plan"
)

// Diff compares everything in the session database: history, then each object. A database that is not there yet compares
// as an empty one.
//
// A table without a history is somebody's work that we are about to adopt. If anything about it has to be refused, nothing
// of it is changed: half an adoption would be neither theirs nor ours.
//
// A table that somebody keeps locked is not judged at all: Observation.Locked tells.
func Diff(g Goal, have Observation) []plan.Resource {
	if have.Locked() != "" {
		return nil
	}
	history := DiffHistory(g, have)
	var objects []plan.Resource
	if len(have.Applied) <= len(g.Migrations) { // what a newer binary made is not ours to compare
		objects = DiffObjects(g, have)
	}
	adopting := len(have.Applied) == 0 && have.Catalogue.Has("table session")
	if adopting && slices.ContainsFunc(objects, func(r plan.Resource) bool { return len(r.Refusals) > 0 }) {
		for i := range history {
			history[i].Changes = nil
			history[i].Needs = append(history[i].Needs, "schema/")
		}
		for i := range objects {
			objects[i].Changes = nil
		}
		return append(objects, history...)
	}
	return append(history, objects...)
}

// DiffObjects compares the catalogue, object by object. What a pending migration is about to make is not missing.
func DiffObjects(g Goal, have Observation) []plan.Resource {
	d := differ{want: g.Catalogue, have: have.Catalogue, goal: g, obs: have}
	if table := find(d.have.Tables, "session", Table.id); table == nil {
		d.without()
		return d.list
	}
	for _, e := range d.want.Enums {
		d.enum(e)
	}
	if !d.table(d.want.Tables[0]) {
		return d.list
	}
	for _, f := range d.want.Functions {
		d.function(f)
	}
	d.columns()
	d.constraints()
	d.indexes()
	d.triggers()
	return d.list
}

// differ collects the differences of one comparison.
type differ struct {
	want, have Catalogue
	goal       Goal
	obs        Observation
	list       []plan.Resource
}

// add keeps a resource that has something to say, and returns whether it does.
func (d *differ) add(r plan.Resource) {
	if len(r.Changes)+len(r.Refusals)+len(r.Warnings) > 0 {
		d.list = append(d.list, r)
	}
}

func (d *differ) resource(object string) plan.Resource {
	return plan.Resource{Name: "schema/" + object, Needs: []string{d.goal.DatabaseResource(), "migration/"}}
}

// without is the comparison while the table is not there: its migration is pending, or it was lost.
func (d *differ) without() {
	for _, a := range d.obs.Applied {
		if a.Number > len(d.goal.Migrations) || !slices.Contains(d.goal.Migrations[a.Number-1].Creates, "table session") {
			continue
		}
		r := plan.Resource{Name: "schema/session", Needs: []string{d.goal.DatabaseResource()}}
		r.Refuse("table public.session is gone, though the history says that it was made: an accident, not a to-do",
			"restore it from a backup, or, if it shall start empty, as postgres in "+d.goal.Database+": DELETE FROM sessiondbd.migrations; then sudo sessiondbd apply")
		d.add(r)
		return
	}
	// A type or a function without the table: what the first half of a script left. Labels are compared, the rest is to come.
	for _, e := range d.want.Enums {
		d.enum(e)
	}
	for _, f := range d.want.Functions {
		if find(d.have.Functions, f.Name, Function.id) != nil {
			d.function(f)
		}
	}
}

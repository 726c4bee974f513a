package schema

import (
	"fmt"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// nullability brings a column to NOT NULL in steps that never hold an exclusive lock for longer than an instant: rows are
// filled, a constraint that is not validated keeps new NULLs out, and it is validated beside writers. From PostgreSQL 18 on
// that constraint is NOT NULL itself; before, it is a check, which lets SET NOT NULL do without a scan. Each step is taken
// from what the catalogue shows, so a pass that was killed goes on where it stopped.
//
// Filling comes first: also a constraint that is not valid is held against every row that is written, and whoever updated
// another column of a row that lacks its timestamp would fail. A NULL that somebody writes in between fails the validation,
// and the next pass fills it.
func (d *differ) nullability(r *plan.Resource, want, have Column) {
	check := "sessiondbd_" + want.Name + "_not_null"
	c := find(d.have.Constraints, check, Constraint.id)
	drop := sql(table + "DROP CONSTRAINT " + check)
	column := table + "ALTER COLUMN " + postgres.QuoteIdent(want.Name)
	switch {
	case have.NotNull == want.NotNull && c != nil:
		r.Add(plan.Delete, "check", c.Definition, "", "left by an earlier pass; NOT NULL says it now", drop)
	case have.NotNull == want.NotNull:
	case want.NotNull && d.nulls(want.Name) != "" && len(d.obs.Strangers) > 0:
		s := d.obs.Strangers[0]
		r.Refuse(fmt.Sprintf("%s: %s, and filling them in would execute it with an administrator's rights: %s", want.Name, d.nulls(want.Name), s), s.Remedy(d.goal.Database))
	case !want.NotNull:
		r.Add(plan.Update, "nullability", "NOT NULL", "NULL", "documented as optional: clients may leave it out", sql(column+" DROP NOT NULL"))
	case c == nil && d.version() >= 180000:
		d.notNull(r, want)
	default:
		rule := "CHECK (" + want.Name + " IS NOT NULL)"
		d.fill(r, want.Name)
		if c == nil {
			r.Add(plan.Create, "check", "", rule+" NOT VALID", keepsOut, sql(table+"ADD CONSTRAINT "+check+" "+rule+" NOT VALID"))
		}
		if c == nil || !c.Validated {
			r.Add(plan.Run, "validation", "NOT VALID", "valid", besideWriters, sql(table+"VALIDATE CONSTRAINT "+check))
		}
		r.Add(plan.Update, "nullability", "NULL", "NOT NULL", "documented as always set; takes an instant, since the check proves that no row lacks it", sql(column+" SET NOT NULL"))
		r.Add(plan.Delete, "check", rule, "", "has served its purpose: the column says it now", drop)
	}
}

const (
	keepsOut      = "keeps new NULLs out until the column itself does; looks at no row that is there"
	besideWriters = "reads the table once; writers go on meanwhile"
)

// notNull takes the way that PostgreSQL 18 has for it.
func (d *differ) notNull(r *plan.Resource, want Column) {
	rule := "NOT NULL " + want.Name
	name := "session_" + want.Name + "_not_null"
	there := false
	for _, c := range d.have.Constraints {
		if c.Definition == rule+" NOT VALID" {
			name, there = c.Name, true
		}
	}
	d.fill(r, want.Name)
	if !there {
		r.Add(plan.Create, "nullability", "NULL", rule+" NOT VALID", keepsOut, sql(table+"ADD CONSTRAINT "+postgres.QuoteIdent(name)+" "+rule+" NOT VALID"))
	}
	r.Add(plan.Run, "validation", "NOT VALID", "valid", "documented as always set; "+besideWriters, sql(table+"VALIDATE CONSTRAINT "+postgres.QuoteIdent(name)))
}

// fill gives the rows that lack a timestamp the best evidence that there is.
func (d *differ) fill(r *plan.Resource, column string) {
	n := d.nulls(column)
	if n == "" {
		return
	}
	r.Add(plan.Update, "rows", n, "filled", evidence[column].words+"; the trigger does not fire meanwhile, so that no updated_at that is set changes",
		postgres.SQL{
			Replica: true, Label: "fill " + column, Before: []string{"LOCK TABLE ONLY public.session IN ROW EXCLUSIVE MODE", unaided(Filling)}, Sweep: "SELECT id FROM ONLY public.session WHERE " + column + " IS NULL",
			Statements: []string{"UPDATE ONLY public.session s SET " + column + " = " + evidence[column].expression +
				" WHERE s.id = ANY (:keys::uuid[]) AND s." + column + " IS NULL"},
		})
}

// version is the server's, in the form of server_version_num.
func (d *differ) version() int {
	if len(d.obs.Cluster) == 0 {
		return 0
	}
	return d.obs.Cluster[0].Version
}

// evidence is the best guess for a timestamp that is missing. A parent is older than its children; the time of the repair
// is what is left when nothing else speaks.
var evidence = map[string]struct{ expression, words string }{
	"created_at": {
		"coalesce(s.updated_at, (SELECT p.created_at FROM public.session p WHERE p.id = s.parent), pg_catalog.now())",
		"with the row's updated_at, else its parent's created_at, else the time of this change",
	},
	"updated_at": {"coalesce(s.created_at, pg_catalog.now())", "with the row's created_at, else the time of this change"},
}

// nulls says how many rows lack a timestamp; empty: none.
func (d *differ) nulls(column string) string {
	if find(d.have.Columns, column, Column.id) == nil {
		return "NULL in all rows"
	}
	if len(d.obs.Nulls) == 0 {
		return ""
	}
	n := d.obs.Nulls[0].CreatedAt
	if column == "updated_at" {
		n = d.obs.Nulls[0].UpdatedAt
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d NULL", n)
}

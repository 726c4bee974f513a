package schema

import (
	"regexp"
	"strings"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// alone is a step that cannot run in a transaction.
func alone(statement string) postgres.SQL {
	return postgres.SQL{Alone: true, Statements: []string{statement}}
}

// carcass is what PostgreSQL names the unfinished indexes of REINDEX CONCURRENTLY.
var carcass = regexp.MustCompile(`_cc(new|old)\d*$`)

// indexes compares the indexes that stand for themselves. They are built CONCURRENTLY: writers go on meanwhile. An index
// that is not valid counts as missing; its carcass is dropped first.
func (d *differ) indexes() {
	claimed := map[string]bool{}
	for _, want := range d.want.Indexes {
		if want.Constraint {
			continue
		}
		r := d.resource(want.Name)
		have := find(d.have.Indexes, want.Name, Index.id)
		if have == nil {
			if twin := d.twin(want); twin != nil {
				claimed[twin.Name] = true
				r.Add(plan.Update, "name", twin.Name, want.Name, "the same index under another name",
					sql("ALTER INDEX "+public(twin.Name)+" RENAME TO "+postgres.QuoteIdent(want.Name)))
				d.add(r)
				continue
			}
		}
		if have != nil && have.Building {
			r.Warn("somebody is building it at this moment", "wait for them: SELECT * FROM pg_stat_progress_create_index")
			d.add(r)
			continue
		}
		if have != nil && (!have.Valid || have.Definition != want.Definition) {
			field, what := "validity", "invalid"
			if have.Valid {
				field, what = "definition", have.Definition
			}
			r.Add(plan.Delete, field, what, "", "an index holds no data of its own; it is built anew below", alone("DROP INDEX CONCURRENTLY "+public(want.Name)))
			have = nil
		}
		if have == nil {
			r.Add(plan.Create, "index", "", want.Definition, "built while writers go on", alone(strings.Replace(want.Definition, "CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1)))
		}
		d.add(r)
	}
	for _, have := range d.have.Indexes {
		if carcass.MatchString(have.Name) && !have.Valid && !have.Building {
			r := d.resource(have.Name)
			r.Add(plan.Delete, "validity", "invalid", "", "left by a REINDEX CONCURRENTLY that did not end; writers maintain it for nothing", alone("DROP INDEX CONCURRENTLY "+public(have.Name)))
			d.add(r)
			continue
		}
		if !have.Constraint && !claimed[have.Name] && find(d.want.Indexes, have.Name, Index.id) == nil {
			r := d.resource(have.Name)
			r.Warn("an index that is not ours: "+have.Definition, "nothing to do if it is meant; else DROP INDEX CONCURRENTLY "+public(have.Name))
			d.add(r)
		}
	}
}

// twin finds a valid index that differs from want in its name alone, and is not wanted under that name itself.
func (d *differ) twin(want Index) *Index {
	for i, have := range d.have.Indexes {
		if !have.Valid || have.Constraint || find(d.want.Indexes, have.Name, Index.id) != nil {
			continue
		}
		if strings.Replace(have.Definition, " "+quoteIfNeeded(have.Name)+" ON ", " "+want.Name+" ON ", 1) == want.Definition {
			return &d.have.Indexes[i]
		}
	}
	return nil
}

// quoteIfNeeded spells an identifier as pg_get_indexdef does.
func quoteIfNeeded(name string) string {
	plain := strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r == '_' || r >= '0' && r <= '9')
	}) < 0
	if plain && name != "" && !(name[0] >= '0' && name[0] <= '9') {
		return name
	}
	return postgres.QuoteIdent(name)
}

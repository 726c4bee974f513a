package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sessiondbd/internal/plan"
)

func goal(t testing.TB) Goal {
	t.Helper()
	e, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return Goal{Expected: e, Database: "sessiondb", Owner: "sessiondb_owner", Roles: []string{"sessionuser"}}
}

// converged is what a host looks like on which everything is as it should be.
func converged(t testing.TB) Observation {
	t.Helper()
	g := goal(t)
	o := Observation{
		Cluster:    []Cluster{{SystemIdentifier: "7"}},
		Databases:  []Database{{OID: "16384", Owner: g.Owner, Encoding: "UTF8"}},
		History:    []historyAt{{Table: true, Owner: g.Owner}},
		Remembered: &Identity{Cluster: "7", Database: "sessiondb", OID: "16384"},
	}
	for _, m := range g.Migrations {
		o.Applied = append(o.Applied, Applied{m.Number, m.Name, m.SHA256, false, m.Minimum})
	}
	data, err := json.Marshal(g.Catalogue) // a deep copy
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &o.Catalogue); err != nil {
		t.Fatal(err)
	}
	return o
}

// lines are a plan as a test reads it.
func lines(list []plan.Resource) []string {
	var all []string
	for _, r := range list {
		for _, c := range r.Changes {
			all = append(all, fmt.Sprintf("%s %s %s: %s -> %s", c.Action, c.Resource, c.Field, short(c.Have), short(c.Want)))
		}
		for _, f := range r.Refusals {
			all = append(all, "refuse "+f.Resource+": "+f.Summary)
		}
		for _, f := range r.Warnings {
			all = append(all, "warn "+f.Resource+": "+f.Summary)
		}
	}
	return all
}

func short(s string) string {
	if r := []rune(s); len(r) > 30 {
		return string(r[:30]) + "…"
	}
	return s
}

func column(o *Observation, name string) *Column { return find(o.Catalogue.Columns, name, Column.id) }

func index(o *Observation, name string) *Index { return find(o.Catalogue.Indexes, name, Index.id) }

func without[T any](list []T, name string, id func(T) string) []T {
	return slices.DeleteFunc(list, func(e T) bool { return id(e) == name })
}

// row is one thing that differs, with a twin that comes as close as it can without differing.
type row struct {
	name string
	have func(*Observation)
	want []string
	twin func(*Observation)
}

func TestDiff(t *testing.T) {
	for _, tt := range slices.Concat(objectRows, columnRows, indexRows, historyRows) {
		t.Run(tt.name, func(t *testing.T) {
			have := converged(t)
			tt.have(&have)
			if d := cmp.Diff(tt.want, lines(Diff(goal(t), have))); d != "" {
				t.Errorf("(-want +have):\n%s", d)
			}
			twin := converged(t)
			tt.twin(&twin)
			if got := lines(Diff(goal(t), twin)); len(got) != 0 {
				t.Errorf("the twin differs: %q", got)
			}
		})
	}
}

func goalSHA(i int) string {
	e, err := Embedded()
	if err != nil {
		panic(err)
	}
	return e.Migrations[i].SHA256[:12]
}

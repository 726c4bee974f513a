package operate

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestUntangle(t *testing.T) {
	// up reads a row, its parent, and how many of its children are not among the rows (x), or that another table keeps it (k).
	up := func(pairs ...string) []knot {
		var rows []knot
		below := map[string]int{}
		for _, p := range pairs {
			p, others, _ := strings.Cut(p, "+")
			id, parent, _ := strings.Cut(p, ">")
			if parent != id {
				below[parent]++
			}
			rows = append(rows, knot{ID: id, Parent: parent, Children: strings.Count(others, "x"), Kept: others == "k"})
		}
		for i := range rows {
			rows[i].Children += below[rows[i].ID]
		}
		return rows
	}
	for _, tt := range []struct {
		name  string
		rows  []knot
		order string
		want  [][]string
	}{
		{"nothing", nil, "", nil},
		{"a chain", up("a>b", "b>c", "c>"), "a b c", nil},
		{"a chain, the other way round", up("c>", "b>c", "a>b"), "a b c", nil},
		{"a chain to one who is not among them", up("a>b", "b>z"), "a b", nil},
		{"a chain with a child that stays", up("a>b", "b>c+x", "c>"), "a", nil},
		{"a chain that another table keeps", up("a>b", "b>c+k", "c>"), "a", nil},
		{"two children", up("p>", "a>p", "b>p"), "a b p", nil},
		{"two children, of whom one stays", up("p>", "a>p+x", "b>p"), "b", nil},
		{"its own parent", up("a>a"), "a", nil},
		{"its own parent, with a child", up("a>a", "b>a"), "b a", nil},
		{"a circle of two", up("a>b", "b>a"), "", [][]string{{"a", "b"}}},
		{"three, found from behind", up("c>a", "a>b", "b>c"), "", [][]string{{"c", "a", "b"}}},
		{"one with a tail", up("t>u", "u>a", "a>b", "b>a"), "t u", [][]string{{"a", "b"}}},
		{"one with two tails", up("t>a", "a>b", "b>a", "u>b"), "t u", [][]string{{"a", "b"}}},
		{"one with a child that stays", up("a>b+x", "b>a"), "", nil},
		{"one with a tail that stays", up("t>a+x", "a>b", "b>a"), "", nil},
		{"two circles", up("a>b", "b>a", "x>y", "y>z", "z>x"), "", [][]string{{"a", "b"}, {"x", "y", "z"}}},
	} {
		order, circles := untangle(tt.rows)
		if have := strings.Join(order, " "); have != tt.order {
			t.Errorf("%s: order %s, want %s", tt.name, have, tt.order)
		}
		if d := cmp.Diff(tt.want, circles); d != "" {
			t.Errorf("%s (-want +have):\n%s", tt.name, d)
		}
	}
}

func TestPrunedText(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := Pruned{Statuses: []string{"completed", "failed"}, Before: at, Deleted: 1, Parents: 2, Kept: 4, Keepers: []string{"public.notes"}, Busy: 3, Seconds: 1.25}
	dry := Pruned{DryRun: true, Statuses: []string{"completed"}, Before: at, Deleted: 7, Parents: 1, Forecast: &Forecast{Statuses: []StatusCount{{"completed", 7}}, Oldest: &at, Newest: &at}}
	for want, p := range map[string]Pruned{
		"deleted 1 session (completed or failed, created before 2026-01-02 03:04:05 +00:00) in 1.2 s\nstay: 2 sessions, parents of sessions that stay\nstay: 4 sessions that public.notes refers to\nbusy: 3 sessions that somebody held, or a trigger keeps; another run tries them\n": p,
		"would delete 7 sessions (completed, created before 2026-01-02 03:04:05 +00:00)\n  completed  7\n  created from 2026-01-02 03:04:05 to 2026-01-02 03:04:05\nstay: 1 session, parents of sessions that stay\n":                                                                   dry,
		"would delete 0 sessions (completed, created before 2026-01-02 03:04:05 +00:00)\n": {DryRun: true, Statuses: []string{"completed"}, Before: at, Forecast: &Forecast{}},
	} {
		var b strings.Builder
		if err := p.Text(&b); err != nil || b.String() != want {
			t.Errorf("%v\nhave %q\nwant %q", err, b.String(), want)
		}
	}
}

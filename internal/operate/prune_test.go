package operate

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCircles(t *testing.T) {
	up := func(pairs ...string) []knot {
		var rows []knot
		for _, p := range pairs {
			id, parent, _ := strings.Cut(p, ">")
			rows = append(rows, knot{id, parent})
		}
		return rows
	}
	for _, tt := range []struct {
		name string
		rows []knot
		want [][]string
	}{
		{"nothing", nil, nil},
		{"a chain", up("a>b", "b>c", "c>"), nil},
		{"a chain to one who is not among them", up("a>b", "b>c"), nil},
		{"two", up("a>b", "b>a"), [][]string{{"a", "b"}}},
		{"three, found from behind", up("c>a", "a>b", "b>c"), [][]string{{"c", "a", "b"}}},
		{"one with a tail", up("t>u", "u>a", "a>b", "b>a"), [][]string{{"a", "b"}}},
		{"one with two tails", up("t>a", "a>b", "b>a", "u>b"), [][]string{{"a", "b"}}},
		{"two circles", up("a>b", "b>a", "x>y", "y>z", "z>x"), [][]string{{"a", "b"}, {"x", "y", "z"}}},
	} {
		if d := cmp.Diff(tt.want, circles(tt.rows)); d != "" {
			t.Errorf("%s (-want +have):\n%s", tt.name, d)
		}
	}
}

func TestPrunedText(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := Pruned{Statuses: []string{"completed", "failed"}, Before: at, Deleted: 1, Parents: 2, Busy: 3, Seconds: 1.25}
	dry := Pruned{DryRun: true, Statuses: []string{"completed"}, Before: at, Deleted: 7, Parents: 1, Forecast: &Forecast{Statuses: []StatusCount{{"completed", 7}}, Oldest: &at, Newest: &at}}
	for want, p := range map[string]Pruned{
		"deleted 1 session (completed or failed, created before 2026-01-02 03:04:05 +00:00) in 1.2 s\nstay: 2 sessions, parents of sessions that stay\nbusy: 3 sessions that somebody held; another run takes them\n": p,
		"would delete 7 sessions (completed, created before 2026-01-02 03:04:05 +00:00)\n  completed  7\n  created from 2026-01-02 03:04:05 to 2026-01-02 03:04:05\nstay: 1 session, parents of sessions that stay\n": dry,
		"would delete 0 sessions (completed, created before 2026-01-02 03:04:05 +00:00)\n": {DryRun: true, Statuses: []string{"completed"}, Before: at, Forecast: &Forecast{}},
	} {
		var b strings.Builder
		if err := p.Text(&b); err != nil || b.String() != want {
			t.Errorf("%v\nhave %q\nwant %q", err, b.String(), want)
		}
	}
}

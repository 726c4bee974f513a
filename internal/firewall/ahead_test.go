package firewall

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sessiondbd/internal/plan"
)

func TestApart(t *testing.T) {
	four, six, next := Restore{Family: 4, Table: "mangle"}, Restore{Family: 6, Table: "mangle"}, Restore{Family: 6, Table: "filter"}
	left := Restore{Family: 6, Table: "filter", Backend: Legacy}
	change := func(steps ...plan.Step) plan.Resource {
		r := plan.Resource{}
		for _, s := range steps {
			r.Add(plan.Create, "", "", "", "", s)
		}
		return r
	}
	refused := change(six)
	refused.Refuse("cannot be read", "look")
	for name, tt := range map[string]struct {
		resources []plan.Resource
		want      []Restore
	}{
		"nothing":             {nil, nil},
		"one family":          {[]plan.Resource{change(), change(six, next)}, nil},
		"both":                {[]plan.Resource{change(four), change(six, six, next)}, []Restore{six, next}},
		"other steps as well": {[]plan.Resource{change(four, Cut{}), change(six, Cut{}, left)}, []Restore{six}},
		"one is refused":      {[]plan.Resource{change(four), refused}, nil},
	} {
		if diff := cmp.Diff(tt.want, Apart(tt.resources)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

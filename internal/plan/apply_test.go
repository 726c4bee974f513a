package plan

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// step is a named step; steps whose names begin with the same letter and a colon join.
type step string

func (s step) String() string { return string(s) }

func (s step) Join(next Step) (Step, bool) {
	n, ok := next.(step)
	group, _, joins := strings.Cut(string(s), ":")
	if !ok || !joins || !strings.HasPrefix(string(n), group+":") {
		return nil, false
	}
	return s + "+" + n, true
}

// script executes by writing down; what fail names goes wrong.
type script struct {
	fail map[string]bool
	ran  []string
}

func (s *script) Execute(_ context.Context, st Step) error {
	name := st.String()
	s.ran = append(s.ran, name)
	for part := range s.fail {
		if strings.Contains(name, part) {
			return errors.New(part + " went wrong")
		}
	}
	return nil
}

func res(name string, needs []string, steps ...string) Resource {
	r := Resource{Name: name, Needs: needs}
	for _, s := range steps {
		r.Add(Update, s, "", "", "", step(s))
	}
	return r
}

func refused(r Resource) Resource {
	r.Refuse("no", "ask")
	return r
}

func TestApply(t *testing.T) {
	for _, tt := range []struct {
		name    string
		plan    []Resource
		fail    string
		ran     []string
		done    []string
		blocked []Blocked
	}{
		{
			name: "in order",
			plan: []Resource{res("a", nil, "1", "2"), res("b", []string{"a"}, "3")},
			ran:  []string{"1", "2", "3"}, done: []string{"1", "2", "3"},
		},
		{
			name: "a failure blocks the rest of its resource and those that need it, no others",
			plan: []Resource{res("a", nil, "1", "2"), res("b", []string{"a"}, "3"), res("c", []string{"b"}, "4"), res("d", nil, "5")},
			fail: "1", ran: []string{"1", "5"}, done: []string{"5"},
			blocked: []Blocked{{"a", "1 went wrong"}, {"b", "a"}, {"c", "a"}},
		},
		{
			name: "a need with a slash is every resource below it",
			plan: []Resource{res("m/1", nil, "1"), res("m/2", nil, "2"), res("g", []string{"m/"}, "3"), res("h", []string{"m"}, "4")},
			fail: "2", ran: []string{"1", "2", "4"}, done: []string{"1", "4"},
			blocked: []Blocked{{"m/2", "2 went wrong"}, {"g", "m/2"}},
		},
		{
			name: "a refusal leaves its resource's own changes and blocks those that need it",
			plan: []Resource{refused(res("a", nil, "1")), res("b", []string{"a"}, "2"), res("c", nil, "3")},
			ran:  []string{"1", "3"}, done: []string{"1", "3"},
			blocked: []Blocked{{"b", "a"}},
		},
		{
			name:    "what is blocked with nothing to do is not listed, and blocks all the same",
			plan:    []Resource{refused(res("a", nil)), res("b", []string{"a"}), res("c", []string{"b"}, "1")},
			blocked: []Blocked{{"c", "a"}},
		},
		{
			name: "steps of one group share an execution across resources",
			plan: []Resource{res("a", nil, "x:1", "x:2"), res("b", []string{"a"}, "x:3"), res("c", nil, "y:4")},
			ran:  []string{"x:1+x:2+x:3", "y:4"}, done: []string{"x:1", "x:2", "x:3", "y:4"},
		},
		{
			name: "a shared execution that fails is taken apart",
			plan: []Resource{res("a", nil, "x:1", "x:2"), res("b", nil, "x:3"), res("c", []string{"b"}, "x:4"), res("d", nil, "x:5")},
			fail: "x:3",
			ran:  []string{"x:1+x:2+x:3+x:4+x:5", "x:1+x:2", "x:3", "x:5"}, done: []string{"x:1", "x:2", "x:5"},
			blocked: []Blocked{{"b", "x:3 went wrong"}, {"c", "b"}},
		},
		{
			name: "one resource's shared execution fails as one",
			plan: []Resource{res("a", nil, "x:1", "x:2")},
			fail: "x:2", ran: []string{"x:1+x:2"},
			blocked: []Blocked{{"a", "x:2 went wrong"}},
		},
		{
			name: "a resource that comes twice stays failed",
			plan: []Resource{res("s", nil, "1"), res("b", nil, "2"), res("s", nil, "3")},
			fail: "1", ran: []string{"1", "2"}, done: []string{"2"},
			blocked: []Blocked{{"s", "1 went wrong"}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := &script{fail: map[string]bool{}}
			if tt.fail != "" {
				x.fail[tt.fail] = true
			}
			var done []string
			out := Apply(t.Context(), Plan{Resources: tt.plan}, x, func(c Change) { done = append(done, c.Field) })
			if d := cmp.Diff(tt.ran, x.ran); d != "" {
				t.Errorf("executed (-want +have):\n%s", d)
			}
			if d := cmp.Diff(tt.done, done); d != "" {
				t.Errorf("done (-want +have):\n%s", d)
			}
			if d := cmp.Diff(tt.blocked, out.Blocked); d != "" {
				t.Errorf("blocked (-want +have):\n%s", d)
			}
			if tt.fail == "" != (out.Err() == nil) {
				t.Errorf("error %v", out.Err())
			}
		})
	}
}

func TestApplyStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	x := &script{}
	out := Apply(ctx, Plan{Resources: []Resource{res("a", nil, "1"), res("b", nil, "2")}}, x, func(Change) { cancel() })
	if d := cmp.Diff([]string{"1"}, x.ran); d != "" {
		t.Errorf("executed (-want +have):\n%s", d)
	}
	if !errors.Is(out.Err(), context.Canceled) {
		t.Errorf("error %v, want that of the context", out.Err())
	}
}

// world is a host of one value that converges in one step, unless it is broken or somebody else sets it back.
type world struct {
	have, want  string
	stuck       bool
	lost        error
	locked      error
	foresees    bool
	looks, held int
	unlocked    int // looks without the lock
}

func (w *world) Foresees() bool { return w.foresees }

func (w *world) Plan(context.Context) Plan {
	w.looks++
	if w.held == 0 {
		w.unlocked++
	}
	if w.lost != nil {
		return Plan{Unobserved: []Failure{{"v", w.lost}}}
	}
	r := Resource{Name: "v"}
	if w.have != w.want {
		r.Add(Update, "value", w.have, w.want, "", step("set"))
	}
	return Plan{Resources: []Resource{r}}
}

func (w *world) Begin(context.Context) (Executor, func(), error) {
	if w.locked != nil {
		return nil, nil, w.locked
	}
	w.held++
	return w, func() { w.held-- }, nil
}

func (w *world) Execute(context.Context, Step) error {
	if !w.stuck {
		w.have = w.want
	}
	return nil
}

func TestConverge(t *testing.T) {
	away := errors.New("away")
	for _, tt := range []struct {
		name     string
		w        world
		inSync   bool
		looks    int
		unlocked int
		change   int
		err      error
	}{
		{"nothing to do takes nothing", world{have: "1", want: "1"}, true, 1, 1, 0, nil},
		{"a change is looked at again under the lock, and after", world{have: "0", want: "1"}, true, 3, 1, 1, nil},
		{"what stays different is an error", world{have: "0", want: "1", stuck: true}, false, 3, 1, 1, ErrRemains},
		{"what cannot be seen is an error", world{have: "0", want: "1", lost: away}, false, 1, 1, 0, away},
		{"no lock, no change", world{have: "0", want: "1", locked: away}, false, 1, 1, 0, away},
		{"a foreseen change is looked at under the lock only", world{have: "0", want: "1", foresees: true}, true, 2, 0, 1, nil},
		{"what was foreseen in vain gives the lock back", world{have: "1", want: "1", foresees: true}, true, 1, 0, 0, nil},
		{"foreseen, but not to be seen", world{have: "0", want: "1", foresees: true, lost: away}, false, 1, 0, 0, away},
		{"foreseen, but no lock", world{have: "0", want: "1", foresees: true, locked: away}, false, 1, 1, 0, away},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := Converge(t.Context(), &tt.w, func(Change) {})
			if out.InSync != tt.inSync || tt.w.looks != tt.looks || tt.w.unlocked != tt.unlocked || len(out.Changes) != tt.change || !errors.Is(out.Err(), tt.err) {
				t.Errorf("in sync %t, %d looks, %d without the lock, changes %v, error %v", out.InSync, tt.w.looks, tt.w.unlocked, out.Changes, out.Err())
			}
			if tt.w.held != 0 {
				t.Error("the lock was not given back")
			}
		})
	}
}

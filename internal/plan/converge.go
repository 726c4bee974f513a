package plan

import (
	"context"
	"errors"
	"fmt"
)

// Host is what a pass looks at and writes to.
type Host interface {
	// Plan observes and diffs. It writes nothing. What it cannot look at stands in the plan as unobserved.
	Plan(ctx context.Context) Plan
	// Begin takes what writing needs (the lock) and returns who executes. end gives it back.
	Begin(ctx context.Context) (x Executor, end func(), err error)
}

// Foreseer is a Host that may know before it looks that there will be something to write, as on a host that nobody has
// provisioned yet, or whose lock costs less than a second look. The lock is then taken first, and the look under it is the only
// one before the changes.
type Foreseer interface {
	Host
	Foresees() bool
}

// Foresees asks a host that may know.
func Foresees(h Host) bool {
	f, ok := h.(Foreseer)
	return ok && f.Foresees()
}

// ErrRemains says that a resource still differs although each of its steps succeeded.
var ErrRemains = errors.New("still differs after it was changed; somebody else may be changing it too: see `sessiondbd plan`")

// Converge is one whole pass: plan, and where something is to do: begin, plan again (the world may have moved before the
// lock was ours), apply, observe again. The outcome lists what was done; refusals and warnings are those of the last
// look. In sync means that nothing is left to do, refuse or wait for. When there is nothing to do, nothing is taken or
// written, unless the host foresaw otherwise.
func Converge(ctx context.Context, h Host, done func(Change)) Outcome {
	var t turn
	foreseen := Foresees(h)
	if foreseen {
		t.begin(ctx, h)
	}
	first := h.Plan(ctx)
	if !first.executable() {
		t.end()
		return Outcome{Report: first.Report(), Failures: first.Unobserved}
	}
	if !foreseen {
		t.begin(ctx, h)
	}
	if t.err != nil {
		return notBegun(first, t.err)
	}
	if !foreseen {
		first = h.Plan(ctx)
	}
	out := Apply(ctx, first, t.x, done)
	after := h.Plan(ctx) // still our turn: what is left is not the next one's beginning
	t.end()
	out.verify(after)
	return out
}

// turn is our turn to write, or why we did not get it.
type turn struct {
	x    Executor
	done func()
	err  error
}

func (t *turn) begin(ctx context.Context, h Host) { t.x, t.done, t.err = h.Begin(ctx) }

func (t *turn) end() {
	if t.done != nil {
		t.done()
	}
}

// notBegun is the outcome of a plan for which it never was our turn.
func notBegun(p Plan, err error) Outcome {
	out := Outcome{Report: p.Report()}
	for _, c := range out.Changes {
		if n := len(out.Failures); n == 0 || out.Failures[n-1].Resource != c.Resource {
			out.Failures = append(out.Failures, Failure{c.Resource, err})
			out.Blocked = append(out.Blocked, Blocked{c.Resource, err.Error()})
		}
	}
	out.Changes, out.InSync = nil, false
	return out
}

// verify replaces what was planned by what is, and adds what should be gone and is not.
func (o *Outcome) verify(after Plan) {
	rep := after.Report()
	bad := map[string]bool{}
	for _, f := range o.Failures {
		bad[f.Resource] = true
	}
	for _, b := range o.Blocked {
		bad[b.Resource] = true
	}
	for _, f := range after.Unobserved {
		if !bad[f.Resource] {
			o.fail(f)
			bad[f.Resource] = true
		}
	}
	for _, c := range rep.Changes {
		if !bad[c.Resource] {
			o.fail(Failure{c.Resource, fmt.Errorf("%s %w", c.Field, ErrRemains)})
			bad[c.Resource] = true
		}
	}
	for _, b := range rep.Blocked {
		if !bad[b.Resource] {
			o.Blocked = append(o.Blocked, b)
			bad[b.Resource] = true
		}
	}
	o.Refusals, o.Warnings = rep.Refusals, rep.Warnings
	o.InSync = rep.InSync && len(o.Failures) == 0
}

func (o *Outcome) fail(f Failure) {
	o.Failures = append(o.Failures, f)
	o.Blocked = append(o.Blocked, Blocked{f.Resource, f.Err.Error()})
}

// executable says whether an apply would execute anything: changes that are not blocked.
func (p Plan) executable() bool {
	g := newGate(p.Unobserved)
	for _, r := range p.Resources {
		if g.admit(r) && len(r.Changes) > 0 {
			return true
		}
	}
	return false
}

// Add appends another part's outcome; both in sync is in sync.
func (o *Outcome) Add(other Outcome) {
	o.InSync = o.InSync && other.InSync
	o.Changes = append(o.Changes, other.Changes...)
	o.Refusals = append(o.Refusals, other.Refusals...)
	o.Blocked = append(o.Blocked, other.Blocked...)
	o.Warnings = append(o.Warnings, other.Warnings...)
	o.Failures = append(o.Failures, other.Failures...)
}

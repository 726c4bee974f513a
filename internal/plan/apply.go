package plan

import (
	"context"
	"fmt"
)

// Executor carries out one step. It returns once the step has happened or failed.
type Executor interface {
	Execute(ctx context.Context, s Step) error
}

// Outcome is what an apply did.
type Outcome struct {
	Report
	Failures []Failure `json:"-"`
}

// Err joins the failures, or is nil.
func (o Outcome) Err() error { return joinFailures(o.Failures) }

// Apply executes the plan's changes in order. Each change that happened is given to done, once. A resource that fails
// or is refused blocks only those that need it. The outcome reports what was done, not what was planned.
func Apply(ctx context.Context, p Plan, x Executor, done func(Change)) Outcome {
	a := applier{plan: p, x: x, done: done, gate: newGate(p.Unobserved)}
	a.out.Failures = append(a.out.Failures, p.Unobserved...)
	var open *unit // waits for a step that joins it
	for i, r := range p.Resources {
		if !a.gate.admit(r) {
			continue
		}
		for _, c := range r.Changes {
			if open != nil && open.join(i, c) {
				continue
			}
			a.flush(ctx, open)
			open = nil
			if !a.gate.admit(r) { // what was just executed may have failed, and been this resource or one that it needs
				break
			}
			open = &unit{c.Step, []Change{c}, []int{i}}
		}
	}
	a.flush(ctx, open)
	a.out.finish(p, a.gate)
	return a.out
}

type applier struct {
	plan Plan
	x    Executor
	done func(Change)
	gate *gate
	out  Outcome
}

// flush executes a unit. One that fails and holds several resources is taken apart, so that a failure blocks only its own.
func (a *applier) flush(ctx context.Context, u *unit) {
	if u == nil {
		return
	}
	err := a.execute(ctx, u.step)
	if err == nil {
		a.out.Changes = append(a.out.Changes, u.changes...)
		for _, c := range u.changes {
			a.done(c)
		}
		return
	}
	if u.index[0] != u.index[len(u.index)-1] && ctx.Err() == nil {
		for _, part := range u.split() {
			if a.gate.admit(a.plan.Resources[part.index[0]]) {
				a.flush(ctx, part)
			}
		}
		return
	}
	r := a.plan.Resources[u.index[0]]
	a.gate.fail(r.Name, err.Error())
	a.out.Failures = append(a.out.Failures, Failure{r.Name, err})
}

func (a *applier) execute(ctx context.Context, s Step) error {
	if ctx.Err() != nil {
		return fmt.Errorf("not started: %w", context.Cause(ctx))
	}
	return a.x.Execute(ctx, s)
}

// unit is a step with the changes that it brings about; index says which resource of the plan each came from.
type unit struct {
	step    Step
	changes []Change
	index   []int
}

func (u *unit) join(i int, c Change) bool {
	j, ok := u.step.(Joiner)
	if !ok {
		return false
	}
	s, ok := j.Join(c.Step)
	if ok {
		u.step, u.changes, u.index = s, append(u.changes, c), append(u.index, i)
	}
	return ok
}

// split groups a unit's changes by resource again, in order.
func (u *unit) split() []*unit {
	var parts []*unit
	for k, c := range u.changes {
		if n := len(parts); n > 0 && parts[n-1].index[0] == u.index[k] && parts[n-1].join(u.index[k], c) {
			continue
		}
		parts = append(parts, &unit{c.Step, []Change{c}, []int{u.index[k]}})
	}
	return parts
}

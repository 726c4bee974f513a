package firewall

import (
	"context"
	"errors"

	"sessiondbd/internal/plan"
)

// Ahead carries out the restores of one family while those of the other are under way: a restore waits for the kernel, and a
// door that somebody has opened stands open meanwhile. The nil Ahead has nothing to do.
type Ahead struct {
	results map[Restore]error
	done    chan struct{}
}

// errNotReached is the result of a restore whose forerunner failed.
var errNotReached = errors.New("not started: the restore before it failed")

// Apart lists the restores of IPv6, in order, if IPv4 has some as well, so that they are worth a way of their own.
func Apart(resources []plan.Resource) []Restore {
	var four bool
	var six []Restore
	for _, r := range resources {
		if len(r.Refusals) > 0 {
			return nil
		}
		for _, c := range r.Changes {
			s, ok := c.Step.(Restore)
			switch {
			case !ok || s.Backend != "":
			case s.Family == int(ipv4):
				four = true
			case len(six) == 0 || six[len(six)-1] != s:
				six = append(six, s)
			}
		}
	}
	if !four {
		return nil
	}
	return six
}

// Ahead begins with the steps. Who calls it calls Wait.
func (h *Host) Ahead(ctx context.Context, steps []Restore) *Ahead {
	a := &Ahead{results: map[Restore]error{}, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		var failed error
		for _, s := range steps {
			if failed == nil {
				failed = h.restore(ctx, s)
				a.results[s] = failed
			} else {
				a.results[s] = errNotReached
			}
		}
	}()
	return a
}

// Result waits, and says whether the step was among them and what came of it. It is told once: who executes a step again
// means it.
func (a *Ahead) Result(s plan.Step) (err error, was bool) {
	r, ok := s.(Restore)
	if a == nil || !ok {
		return nil, false
	}
	if r.Family != int(ipv6) {
		return nil, false
	}
	<-a.done
	err, was = a.results[r]
	delete(a.results, r)
	return err, was
}

// Wait returns when nothing is under way any more.
func (a *Ahead) Wait() {
	if a != nil {
		<-a.done
	}
}

package daemon

import (
	"context"
	"slices"
	"time"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/systemd"
)

// startExtension is asked for while a start makes progress or waits for PostgreSQL. It has to outlast the longest gap
// between two signs of progress.
const startExtension = time.Minute

// slowPass is how long a pass may go without a sign of progress before the state says so: a PostgreSQL that hangs
// must not look verified.
const slowPass = 10 * time.Second

// result is what the goroutine of a pass hands back: its outcome and the last plan that it saw.
type result struct {
	outcome plan.Outcome
	last    plan.Plan
	wrote   bool // it converged; false: it only looked, and the changes of its outcome are drift
	// contested says by whom what it repaired is undone all the time; empty: by nobody.
	contested string
}

// pass looks once and tells everybody what it found. It returns when the pass has ended, or ctx has and the pass did
// not follow within the grace period.
func (l *loop) pass(ctx context.Context, reason string) {
	began := time.Now()
	l.log.Debug("pass", "reason", reason)
	steps := make(chan plan.Change, 64)
	res := make(chan result, 1)
	host := &recorder{Host: l.part.Host}
	repair := l.part.Repair || !l.converged
	go func() {
		out := l.look(ctx, host, repair, func(c plan.Change) {
			select {
			case steps <- c:
			case <-ctx.Done(): // the loop may be gone; it logs what is still in the channel if it is not
				select {
				case steps <- c:
				default:
				}
			}
		})
		res <- result{outcome: out, last: host.last, wrote: repair}
	}()
	r, ended := l.attend(ctx, steps, res, reason)
	if !ended {
		l.log.Warn("the pass did not end in time and is given up", systemd.PassGivenUp.Attr(), "grace", l.opts.Grace)
		return
	}
	l.conclude(ctx, r, reason, began)
}

// attend serves signals while a pass runs, and returns its result.
func (l *loop) attend(ctx context.Context, steps <-chan plan.Change, res <-chan result, reason string) (r result, ended bool) {
	var grace <-chan time.Time
	done := ctx.Done()
	slow, still := time.NewTimer(slowPass), 0
	defer slow.Stop()
	for {
		select {
		case c := <-steps:
			l.changed(c, reason)
			still = 0
			slow.Reset(slowPass)
		case <-l.part.Progress:
			l.alive()
			still = 0
			slow.Reset(slowPass)
		case <-slow.C:
			still++
			l.hanging(still)
			slow.Reset(slowPass)
		case w, ok := <-l.part.Wake:
			l.heed(w, ok)
		case r := <-res:
			for len(steps) > 0 {
				l.changed(<-steps, reason)
			}
			return r, true
		case <-done:
			done = nil
			slow.Stop()
			l.stop()
			grace = time.After(l.opts.Grace)
		case <-grace:
			return result{}, false
		}
	}
}

// changed tells of a change once, when it has happened.
func (l *loop) changed(c plan.Change, reason string) {
	l.state.Changes++
	l.state.Counts.changed(c)
	have, want := c.Brief()
	l.log.Info("changed", ChangeMessage(c).Attr(), "resource", c.Resource, "action", string(c.Action), "field", c.Field,
		"have", have, "want", want, "summary", c.Summary, "reason", reason)
	l.alive()
}

// hanging says that the pass does not get on; its end will say what is true then. A start is given as long for one
// step as the watchdog gives afterwards, when it begins to watch.
func (l *loop) hanging(times int) {
	if !l.state.Ready && time.Duration(times)*slowPass < l.opts.Watchdog {
		l.notify.extend(startExtension)
	}
	if times > 1 {
		return
	}
	l.state.State = Waiting
	l.state.Status = "waiting: no progress for " + slowPass.String()
	l.log.Warn("the pass makes no progress", systemd.NoProgress.Attr(), "for", slowPass)
	l.notify.status(l.state.Status)
	l.file.write(l.state)
}

// alive says that the pass gets on.
func (l *loop) alive() {
	l.notify.watchdog()
	if !l.state.Ready {
		l.notify.extend(startExtension)
	}
}

// conclude draws the consequences of a pass.
func (l *loop) conclude(ctx context.Context, r result, reason string, began time.Time) {
	l.notify.watchdog()
	if ctx.Err() != nil { // cut short: what it could not see any more is no news
		return
	}
	l.contest(&r, reason)
	v := judge(l.part, r, l.reload)
	l.count(v)
	p := passOf(reason, began)
	l.state.Counts.passed(v, r, p, l.converged, l.notices)
	l.state.Facts = l.part.Facts(r.outcome.Report)
	if v.kind != Waiting {
		l.notices.tell(l.log, noticesOf(r))
	}
	if v.ready && !v.failed {
		l.converged = true
		l.part.Verified()
	}
	l.state.record(v, r, p)
	if v.ready && !l.state.Ready {
		l.state.Ready = true
		l.file.write(l.state) // before READY: whom that lets go on asks `status` next
		l.log.Info("ready", systemd.Ready.Attr(), "status", v.status)
		l.notify.ready(v.status)
	}
	if !l.state.Ready {
		l.unserved = unserved(r)
	}
	l.notify.status(v.status)
	l.endReload(v.failure(r))
	l.file.write(l.state)
}

// contest counts what was repaired because somebody changed it, and adds to the report that somebody does so all the time.
func (l *loop) contest(r *result, reason string) {
	now := time.Now()
	if changes := r.outcome.Changes; r.wrote && len(changes) > 0 && !own(reason) {
		l.state.Counts.undone(l.fight.repaired(reason, changes[0].Resource, now))
	}
	if w, fighting := l.fight.warning(now); fighting {
		r.outcome.Warnings = append(r.outcome.Warnings, w)
		r.contested = w.Summary
	}
}

// own says that nobody's event was the reason for a pass.
func own(reason string) bool {
	return slices.Contains([]string{"start", "interval", "retry", "reload"}, reason)
}

// count keeps the backoffs, and tells of waiting when it begins, has a new reason, or ends.
func (l *loop) count(v verdict) {
	if v.kind == Waiting {
		l.retries = 0
		if l.waits.add(v.wait, time.Now()) {
			l.log.Warn("waiting", systemd.Waiting.Attr(), "reason", v.wait)
		}
		if !l.state.Ready {
			l.notify.extend(startExtension)
		}
		return
	}
	if since, was := l.waits.end(time.Now()); was {
		l.log.Info("no longer waiting", systemd.WaitingEnded.Attr(), "after", since.Round(time.Millisecond))
	}
	if v.failed {
		l.retries++
	} else {
		l.retries = 0
	}
}

// recorder remembers the last plan that a pass saw: it names every resource, the outcome only those with news.
type recorder struct {
	plan.Host
	last plan.Plan
}

// Foresees passes on what the host knows.
func (r *recorder) Foresees() bool { return plan.Foresees(r.Host) }

func (r *recorder) Plan(ctx context.Context) plan.Plan {
	r.last = r.Host.Plan(ctx)
	return r.last
}

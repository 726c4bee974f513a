package daemon

import (
	"context"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/systemd"
)

// debounce is how long after a first reason others are awaited before the pass begins: one reload of nftables is many
// netlink messages, and a repair should still follow within milliseconds.
const debounce = 2 * time.Millisecond

// restAfter is how long after a pass its garbage is given back to the kernel. What lives is a third of a megabyte; the runtime
// would let the garbage of many passes grow around it first, and keep the pages. In a burst of passes none pays for that.
const restAfter = 2 * time.Second

// Run converges the part, then keeps it so until ctx ends. It returns nil then. It says READY once the part is verified, or
// degraded with the VMs served; a refusal never ends it from then on. A start that meets a refusal which keeps the VMs out
// fails with ErrUnserved: only a person can settle that, and a start that waited for it would tell nobody.
func Run(ctx context.Context, p Part, o Options) error {
	l := newLoop(p, o)
	defer l.end()
	reason := "start"
	for ctx.Err() == nil {
		if left, paused := l.part.Paused(); paused {
			reason = l.hold(ctx, left)
			continue
		}
		l.pass(ctx, reason)
		if l.unserved != nil {
			return l.unserved
		}
		reason = l.wait(ctx)
	}
	return nil
}

type loop struct {
	part   Part
	opts   Options
	log    *slog.Logger
	notify *teller
	state  State
	file   stateFile

	converged bool      // with the present config; in report mode nothing is written from then on
	notices   noticeSet // what was said of refusals, warnings, drift
	waits     waits
	fight     fight
	retries   int      // passes in a row that ended in an error
	reasons   []string // that came since the last pass began
	reload    error    // why the config on disk is not the one in force
	unserved  error    // why a start has failed
	reloading bool
	dog       <-chan time.Time
	stopDog   func()
	stopping  bool
}

func newLoop(p Part, o Options) *loop {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Notify == nil {
		o.Notify = nobody{}
	}
	if o.Grace <= 0 {
		o.Grace = 10 * time.Second
	}
	l := &loop{part: p.withDefaults(), opts: o, log: o.Log.With("part", p.Name), stopDog: func() {}}
	l.notify = &teller{to: o.Notify, log: l.log}
	l.state = newState(p.Name)
	l.state.Prompts = o.Prompt != nil
	l.file = stateFile{path: p.StateFile, log: l.log}
	if o.Watchdog > 0 {
		t := time.NewTicker(o.Watchdog / 3) // half of it would be enough for one loop; Share joins two
		l.dog, l.stopDog = t.C, t.Stop
	}
	l.notify.status("starting")
	l.file.write(l.state)
	return l
}

func (l *loop) end() {
	l.stop()
	l.stopDog()
	l.part.Close()
	l.file.remove()
}

// stop tells once that the service is on its way out.
func (l *loop) stop() {
	if !l.stopping {
		l.stopping = true
		l.notify.stopping()
	}
}

// wait returns the reason for the next pass, or "" when ctx is done. The watchdog is fed here, because waiting is
// progress; during a pass it is fed by what the pass achieves.
func (l *loop) wait(ctx context.Context) string {
	timer := time.NewTimer(l.delay())
	defer timer.Stop()
	quiet := time.NewTimer(restAfter)
	defer quiet.Stop()
	var burst <-chan time.Time
	if len(l.reasons) > 0 && !l.waits.waiting() {
		burst = time.After(max(debounce, l.fight.delay(time.Now())))
	}
	for {
		select {
		case <-ctx.Done():
			return ""
		case <-l.opts.Reload:
			l.beginReload(ctx)
			return l.takeReasons("reload")
		case <-l.opts.Prompt:
			return l.takeReasons("prompt")
		case <-timer.C:
			return l.takeReasons(l.routine())
		case <-burst:
			return l.takeReasons("")
		case <-quiet.C:
			debug.FreeOSMemory()
		case r, ok := <-l.part.Wake:
			l.heed(r, ok)
			// While what we wait for is away, each try may itself give a reason: the timer alone decides.
			if burst == nil && len(l.reasons) > 0 && !l.waits.waiting() {
				burst = time.After(max(debounce, l.fight.delay(time.Now())))
			}
		case <-l.dog:
			l.notify.watchdog()
		}
	}
}

func (l *loop) routine() string {
	if l.retries > 0 || l.waits.waiting() {
		return "retry"
	}
	return "interval"
}

// heed remembers a reason for the next pass.
func (l *loop) heed(reason string, ok bool) {
	if !ok {
		l.part.Wake = nil
		l.log.Warn("no more events: looking at the interval only", systemd.Blind.Attr())
		return
	}
	for _, r := range l.reasons {
		if r == reason {
			return
		}
	}
	if len(l.reasons) < 8 { // more would tell nobody more
		l.reasons = append(l.reasons, reason)
	}
}

func (l *loop) takeReasons(first string) string {
	all := l.reasons
	if first != "" && (len(all) == 0 || first == "reload") {
		all = append([]string{first}, all...)
	}
	l.reasons = nil
	return strings.Join(all, ", ")
}

// delay is the time until the next pass without a reason.
func (l *loop) delay() time.Duration {
	switch {
	case l.waits.waiting():
		return l.waits.delay()
	case l.retries > 0:
		return min(backoff(l.retries, 250*time.Millisecond), l.part.Interval)
	}
	return l.part.Interval
}

// beginReload replaces the part when the config can be loaded. The pass that follows belongs to the reload.
func (l *loop) beginReload(ctx context.Context) {
	if l.opts.Load == nil {
		return
	}
	l.reloading = true
	if l.state.Ready {
		l.notify.reloading()
	}
	l.state.Reload.Running = true
	l.file.write(l.state)
	p, err := l.opts.Load(ctx)
	l.reload = err
	if err != nil {
		l.log.Error("reload refused: the config in force stays", systemd.ReloadRefused.Attr(), "error", err)
		return
	}
	l.part.Close()
	p = p.withDefaults()
	p.StateFile = l.part.StateFile // who asked for the reload looks there
	l.part, l.converged, l.waits, l.retries = p, false, waits{}, 0
	l.log.Info("config reloaded", systemd.Reloaded.Attr())
}

// endReload tells both who waits: the service manager, then (through the state file) the reload command. failed is why the
// pass with the new config did not get on, or nil.
func (l *loop) endReload(failed error) {
	if !l.reloading {
		return
	}
	l.reloading = false
	if l.state.Ready {
		l.notify.ready(l.state.Status)
	}
	l.state.Reload = Reload{Seq: l.state.Reload.Seq + 1, OK: l.reload == nil && failed == nil}
	switch {
	case l.reload != nil:
		l.state.Reload.Error = l.reload.Error()
	case failed != nil:
		l.state.Reload.Error, l.state.Reload.Loaded = failed.Error(), true
	}
}

// look is one pass over the host, run on a goroutine of its own.
func (l *loop) look(ctx context.Context, h plan.Host, repair bool, done func(plan.Change)) plan.Outcome {
	if repair {
		return plan.Converge(ctx, h, done)
	}
	p := h.Plan(ctx)
	return plan.Outcome{Report: p.Report(), Failures: p.Unobserved}
}

package daemon

import (
	"strings"
	"testing"
	"time"
)

func TestWatchdogIsFedByProgressOnly(t *testing.T) {
	var progress chan struct{}
	onBench(t, func(b *bench) {
		progress = make(chan struct{})
		b.opts.Watchdog, b.part.Progress = 30*time.Second, progress
	}, func(b *bench) {
		pings := func(d time.Duration) int {
			b.manager.mu.Lock()
			b.manager.pings = nil
			b.manager.mu.Unlock()
			b.pass(d)
			b.manager.mu.Lock()
			defer b.manager.mu.Unlock()
			return len(b.manager.pings)
		}
		if n := pings(time.Minute); n < 6 {
			t.Errorf("%d pings in a quiet minute", n)
		}
		b.world.set(func(w *world) { w.away = errAway })
		if n := pings(time.Minute); n < 6 {
			t.Errorf("%d pings in a minute of waiting", n)
		}
		hold := make(chan struct{})
		b.world.set(func(w *world) { w.away, w.hang = nil, hold })
		b.pass(time.Second)
		if n := pings(10 * time.Minute); n != 0 {
			t.Errorf("%d pings while a pass hangs", n)
		}
		progress <- struct{}{}
		if n := pings(0); n > 1 {
			t.Errorf("%d pings", n)
		}
		close(hold)
		b.world.set(func(w *world) { w.hang = nil })
		if n := pings(time.Minute); n < 6 {
			t.Errorf("%d pings after it came back", n)
		}
	})
}

func TestHungPassDoesNotLookVerified(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		b.manager.take()
		b.journal.take()
		hold := make(chan struct{})
		b.world.set(func(w *world) { w.hang = hold })
		b.wake <- "something"
		b.pass(9 * time.Second)
		b.heard()
		b.pass(time.Minute)
		b.heard("STATUS waiting: no progress for 10s")
		b.logged(`level=WARN msg="the pass makes no progress" for=10s`)
		if s := b.state(); s.State != Waiting {
			t.Errorf("state %s", s.State)
		}
		close(hold)
		b.pass(0)
		b.heard("STATUS " + fine)
		if s := b.state(); s.State != Converged {
			t.Errorf("state %s", s.State)
		}
	})
}

func TestLongStepExtendsTheStartAsLongAsTheWatchdogWould(t *testing.T) {
	onBench(t, func(b *bench) {
		b.opts.Watchdog = 2 * time.Minute
		b.world.hang = make(chan struct{})
	}, func(b *bench) {
		extended := func(d time.Duration) (n int) {
			b.pass(d)
			for _, h := range b.manager.take() {
				if strings.HasPrefix(h, "EXTEND") {
					n++
				}
			}
			return n
		}
		if n := extended(119 * time.Second); n < 5 { // each gives a minute, one every 20 s
			t.Errorf("%d extensions in two minutes", n)
		}
		if n := extended(10 * time.Minute); n != 0 {
			t.Errorf("%d extensions of a start that hangs", n)
		}
	})
}

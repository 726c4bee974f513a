package daemon

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sessiondbd/internal/plan"
)

const fine = "schema 0004, 1/1 roles, 5/5 networks, 0 drift"

func TestReadyOnlyAfterVerification(t *testing.T) {
	var hold chan struct{}
	onBench(t, func(b *bench) {
		hold = make(chan struct{})
		b.world.drift, b.world.hang = []string{"connection_limit"}, hold
	}, func(b *bench) {
		b.pass(time.Second)
		b.heard("STATUS starting")
		if s := b.state(); s.State != Starting || s.Ready {
			t.Errorf("before the first pass: %s, ready %v", s.State, s.Ready)
		}
		close(hold)
		b.pass(0)
		b.heard("EXTEND 1m0s", "READY "+fine)
		b.logged(`level=INFO msg=changed resource=role/sessionuser action=update field=connection_limit have=10 want=80 summary="the config says so" reason=start`,
			`level=INFO msg=ready status="`+fine+`"`)
		s := b.state()
		if s.State != Converged || !s.Ready || s.Changes != 1 || s.LastPass.Reason != "start" || s.LastPass.Seconds != 1 || s.PID != os.Getpid() {
			t.Errorf("state %+v", s)
		}
		for _, r := range s.Items {
			if r.State != "in_sync" || r.Verified.IsZero() {
				t.Errorf("resource %+v", r)
			}
		}
		b.pass(25 * time.Second)
		b.heard()
		b.logged()
		if b.world.looked() != 5 || b.world.began() != 1 { // first pass: before the lock, under it, after
			t.Errorf("%d plans, %d begins after two quiet intervals", b.world.looked(), b.world.began())
		}
	})
}

// `systemctl start sessiondbd && sessiondbd status` asks right after READY.
func TestReadyFindsTheStateWritten(t *testing.T) {
	var at State
	var err error
	onBench(t, func(b *bench) {
		b.manager.ready = func() { at, err = ReadState(b.path) }
	}, func(b *bench) {
		b.heard("STATUS starting", "READY "+fine)
		if err != nil || at.State != Converged || !at.Ready {
			t.Errorf("state at READY: %v %+v", err, at)
		}
	})
}

func TestDegradedIsReadyWhileServing(t *testing.T) {
	onBench(t, func(b *bench) {
		b.world.refused = []string{"column messages is text"}
		b.part.Serving = func(plan.Outcome) bool { return true }
	}, func(b *bench) {
		b.heard("STATUS starting", "READY degraded: schema/session refused: column messages is text; schema 0004, 1/1 roles, 5/5 networks")
		if s := b.state(); s.State != Degraded || !s.Ready || StatusCode([]Seen{{"database", true, &s}}) != 1 {
			t.Errorf("%s, ready %v", s.State, s.Ready)
		}
		b.world.set(func(w *world) { w.refused = nil })
		b.pass(10 * time.Second)
		b.heard("STATUS " + fine)
		b.world.set(func(w *world) { w.refused = []string{"again"} })
		b.part.Serving = nil
		b.pass(20 * time.Second) // a refusal never ends a daemon that is up
		if s := b.state(); s.State != Degraded {
			t.Errorf("%s", s.State)
		}
	})
}

func TestWaitingForPostgreSQL(t *testing.T) {
	onBench(t, func(b *bench) { b.world.away = errAway }, func(b *bench) {
		line := "STATUS waiting: database/sessiondb: " + errAway.Error()
		b.heard("STATUS starting", "EXTEND 1m0s", line)
		b.pass(10 * time.Millisecond)
		if n := b.world.looked(); n < 2 || n > 3 { // at 0, 5, perhaps 10; so it goes on while it may be a restart
			t.Errorf("%d looks in the first 10 ms", n)
		}
		b.pass(9 * time.Second)
		b.heard()
		if n := b.world.looked(); n < 1760 || n > 1820 {
			t.Errorf("%d looks in 9 s, which is not two hundred a second", n)
		}
		b.pass(2 * time.Second)
		b.heard()
		outage := b.world.looked()
		b.pass(10 * time.Second)
		b.heard("EXTEND 1m0s")
		if n := b.world.looked() - outage; n < 38 || n > 42 {
			t.Errorf("%d looks in 10 s after a restart would have ended, which is not four a second", n)
		}
		b.logged(`level=WARN msg=waiting reason="database/sessiondb: ` + errAway.Error() + `"`)
		b.pass(2 * time.Minute)
		looks := b.world.looked()
		b.pass(10 * time.Second)
		if n := b.world.looked() - looks; n < 9 || n > 11 {
			t.Errorf("%d looks in 10 s after minutes of waiting", n)
		}
		for _, h := range b.manager.take() {
			if h != "EXTEND 1m0s" {
				t.Errorf("heard %q while waiting", h)
			}
		}
		// The reason alternates: each is told once to the log.
		starting := errors.Join(errAway, errors.New("the database system is starting up"))
		for range 3 {
			b.world.set(func(w *world) { w.away = starting })
			b.pass(2 * time.Second)
			b.world.set(func(w *world) { w.away = errAway })
			b.pass(2 * time.Second)
		}
		b.logged(`level=WARN msg=waiting reason="database/sessiondb: no such file: is PostgreSQL running? the database system is starting up"`)
		b.manager.take()
		b.world.set(func(w *world) { w.away = nil })
		b.pass(time.Second)
		b.heard("READY " + fine)
		if got := b.journal.take(); len(got) != 2 || !strings.Contains(got[0], "msg=\"no longer waiting\" after=2m44") {
			t.Errorf("logged %q", got)
		}
	})
}

func TestLostServerIsNoticedByItsEvent(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		b.heard("STATUS starting", "READY "+fine)
		b.world.set(func(w *world) { w.away, w.looks = errAway, nil })
		b.wake <- "connection lost"
		b.pass(3 * time.Millisecond)
		b.heard("STATUS waiting: database/sessiondb: " + errAway.Error())
		for range 200 { // each try in vain says so, which must not make the next try come at once
			b.wake <- "connection lost"
		}
		b.pass(0)
		if n := b.world.looked(); n != 1 {
			t.Errorf("%d looks", n)
		}
		b.world.set(func(w *world) { w.away = nil })
		b.pass(5 * time.Millisecond)
		b.heard("STATUS " + fine)
	})
}

func TestWakesCoalesce(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		b.world.set(func(w *world) { w.looks = nil })
		b.pass(time.Second)
		for range 500 {
			b.wake <- "nftables changed"
		}
		b.wake <- "address added"
		b.pass(time.Second)
		if n := b.world.looked(); n != 1 {
			t.Errorf("%d looks after a burst", n)
		}
		if r := b.state().LastPass.Reason; r != "nftables changed, address added" {
			t.Errorf("reason %q", r)
		}
		b.wake <- "one"
		b.pass(3 * time.Millisecond)
		b.wake <- "two"
		b.pass(3 * time.Millisecond)
		if n := b.world.looked(); n != 3 {
			t.Errorf("%d looks, two reasons 3 ms apart are two passes", n)
		}
		close(b.wake)
		b.pass(20 * time.Second)
		if n := b.world.looked(); n != 5 {
			t.Errorf("%d looks, without events the interval goes on", n)
		}
	})
}

func TestWakeDuringAPassMakesAnother(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		hold := make(chan struct{})
		b.world.set(func(w *world) { w.hang, w.looks = hold, nil })
		b.wake <- "first"
		b.pass(3 * time.Millisecond)
		b.wake <- "second"
		b.world.set(func(w *world) { w.hang = nil })
		close(hold)
		b.pass(3 * time.Millisecond)
		if r := b.state().LastPass.Reason; r != "second" || b.world.looked() != 2 {
			t.Errorf("reason %q, %d looks", r, b.world.looked())
		}
	})
}

func TestDriftIsRepairedOrReported(t *testing.T) {
	for _, repair := range []bool{true, false} {
		onBench(t, func(b *bench) {
			b.part.Repair = repair
			b.part.Serving = func(plan.Outcome) bool { return true }
			b.world.drift = []string{"first"} // the first convergence writes in both modes
		}, func(b *bench) {
			b.heard("STATUS starting", "EXTEND 1m0s", "READY "+fine)
			b.journal.take()
			b.world.set(func(w *world) { w.drift, w.executed = []string{"login"}, nil })
			b.pass(10 * time.Second)
			b.pass(10 * time.Second)
			if repair {
				b.heard()
				b.logged(`level=INFO msg=changed resource=role/sessionuser action=update field=login have=10 want=80 summary="the config says so" reason=interval`)
				return
			}
			b.heard("STATUS degraded: 1 drift: role/sessionuser login; schema 0004, 1/1 roles, 5/5 networks")
			b.logged("level=WARN msg=drift resource=role/sessionuser summary=\"role/sessionuser: update login: \\\"10\\\" -> \\\"80\\\"\" remedy=\"`sessiondbd apply` mends it\"")
			if len(b.world.executed) > 0 || b.world.began() != 1 {
				t.Errorf("report mode executed %q, began %d times", b.world.executed, b.world.began())
			}
			if s := b.state(); s.State != Degraded || s.Items[1].State != "drift" || !s.Items[1].Verified.Before(s.Items[0].Verified) {
				t.Errorf("state %s %+v", s.State, s.Items)
			}
			b.world.set(func(w *world) { w.drift = nil })
			b.pass(10 * time.Second)
			b.heard("STATUS " + fine)
			b.logged(`level=INFO msg=settled was=drift resource=role/sessionuser summary="role/sessionuser: update login: \"10\" -> \"80\""`)
		})
	}
}

func TestRefusalsAndWarningsAreLoggedOnce(t *testing.T) {
	onBench(t, func(b *bench) {
		b.part.Serving = func(plan.Outcome) bool { return true }
		b.world.refused, b.world.warned = []string{"unknown enum label"}, []string{"documented password"}
	}, func(b *bench) {
		b.pass(30 * time.Second)
		b.world.set(func(w *world) { w.away = errAway }) // what is not seen meanwhile is not settled
		b.pass(30 * time.Second)
		b.world.set(func(w *world) { w.away = nil })
		b.pass(30 * time.Second)
		b.world.set(func(w *world) { w.refused = nil })
		b.pass(30 * time.Second)
		var told []string
		for _, l := range b.journal.take() {
			for _, kind := range []string{"refused", "warning", "settled"} {
				if strings.Contains(l, "msg="+kind) {
					told = append(told, l)
				}
			}
		}
		equal(t, "refusals and warnings", told, []string{
			`level=ERROR msg=refused resource=schema/session summary="unknown enum label" remedy="sessiondbd apply --accept-new-database"`,
			`level=WARN msg=warning resource=schema/session summary="documented password" remedy="look at it"`,
			`level=INFO msg=settled was=refused resource=schema/session summary="unknown enum label"`,
		})
		if s := b.state().Status; s != fine+", 1 warning" {
			t.Errorf("status %q", s)
		}
	})
}

func TestFailedStepsBackOff(t *testing.T) {
	onBench(t, func(b *bench) { b.world.drift, b.world.stuck = []string{"login"}, errors.New("disk full") }, func(b *bench) {
		b.pass(2 * time.Minute)
		if n := b.world.began(); n < 14 || n > 22 { // 0.25, 0.5, 1, 2, 4, 8, 10, 10 …
			t.Errorf("%d tries in two minutes", n)
		}
		b.logged(`level=ERROR msg=failed resource=role/sessionuser summary="disk full" remedy=""`)
		if s := b.state(); s.State != Degraded || s.Ready || s.Items[1].State != "blocked" {
			t.Errorf("state %+v", s)
		}
	})
}

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

func TestReload(t *testing.T) {
	bad := errors.New("config.yaml:3: roles[0].acess: unknown key")
	next := &world{drift: []string{"connection_limit"}}
	var load func(b *bench) (Part, error)
	onBench(t, func(b *bench) {
		b.opts.Load = func(context.Context) (Part, error) { return load(b) }
	}, func(b *bench) {
		b.heard("STATUS starting", "READY "+fine)
		b.journal.take()

		load = func(*bench) (Part, error) { return Part{}, bad }
		b.world.set(func(w *world) { w.drift = []string{"login"} })
		b.reload <- syscall.SIGHUP
		b.pass(0)
		line := "degraded: config not reloaded: " + bad.Error() + "; schema 0004, 1/1 roles, 5/5 networks"
		b.heard("RELOADING", "STATUS "+line, "READY "+line)
		b.logged(`level=ERROR msg="reload refused: the config in force stays" error="`+bad.Error()+`"`,
			`level=INFO msg=changed resource=role/sessionuser action=update field=login have=10 want=80 summary="the config says so" reason=reload`)
		if s := b.state(); s.Reload != (Reload{Seq: 1, Error: bad.Error()}) || s.State != Degraded || b.closed != 0 {
			t.Errorf("after a bad one: %+v, %s, closed %d", s.Reload, s.State, b.closed)
		}
		b.pass(20 * time.Second)
		if s := b.state(); s.Status != line { // it stays visible
			t.Errorf("status %q", s.Status)
		}

		load = func(b *bench) (Part, error) {
			p := b.part
			p.Host, p.Interval, p.Repair, p.Wake, p.StateFile = next, time.Hour, false, nil, ""
			return p, nil
		}
		b.manager.take()
		b.reload <- syscall.SIGHUP
		b.pass(0)
		b.heard("RELOADING", "STATUS "+fine, "READY "+fine)
		if s := b.state(); s.Reload != (Reload{Seq: 2, OK: true}) || s.State != Converged || b.closed != 1 {
			t.Errorf("after a good one: %+v, %s, closed %d", s.Reload, s.State, b.closed)
		}
		if len(next.executed) != 1 { // applied before the reload is over, in report mode too
			t.Errorf("executed %q", next.executed)
		}
		looks := next.looked()
		b.pass(30 * time.Minute)
		if next.looked() != looks {
			t.Errorf("the new interval is not in force")
		}
	})
}

func TestReloadBeforeReadyIsNotReady(t *testing.T) {
	onBench(t, func(b *bench) {
		b.world.away = errAway
		b.opts.Load = func(context.Context) (Part, error) { return b.part, nil }
	}, func(b *bench) {
		b.reload <- syscall.SIGHUP
		b.pass(time.Second)
		for _, h := range b.manager.take() {
			if strings.HasPrefix(h, "READY") || h == "RELOADING" {
				t.Errorf("heard %q", h)
			}
		}
		if r := b.state().Reload; r.Seq != 1 || r.OK || !r.Loaded { // the config was good, and nothing could be done with it
			t.Errorf("reload %+v", r)
		}
	})
}

func TestTermination(t *testing.T) {
	tests := []struct {
		name  string
		hang  bool
		deaf  bool
		takes time.Duration
	}{
		{"idle", false, false, 0},
		{"mid-pass", true, false, 0},
		{"mid-pass that does not heed it", true, true, 10 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onBench(t, nil, func(b *bench) {
				b.manager.take()
				hold := make(chan struct{})
				defer close(hold)
				if tt.hang {
					b.world.set(func(w *world) { w.hang, w.deaf = hold, tt.deaf })
				}
				b.wake <- "something"
				b.pass(3 * time.Millisecond)
				began := time.Now()
				b.cancel()
				synctest.Wait()
				b.heard("STOPPING")
				err := <-b.done
				if err != nil || time.Since(began) != tt.takes || b.closed != 1 {
					t.Errorf("Run: %v after %v, closed %d", err, time.Since(began), b.closed)
				}
				if _, err := os.Stat(b.path); !os.IsNotExist(err) {
					t.Errorf("the state file is still there: %v", err)
				}
				b.heard()
				b.done <- nil
			})
		})
	}
}

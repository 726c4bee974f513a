package daemon

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/plan"
)

const fine = "schema 0004, 1/1 roles, 5/5 networks, 0 drift"

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

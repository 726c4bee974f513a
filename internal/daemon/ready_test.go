package daemon

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/plan"
)

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

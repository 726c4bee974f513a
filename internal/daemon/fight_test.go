package daemon

import (
	"strings"
	"testing"
	"time"
)

// undo makes a difference and tells of it as the firewall's events do.
func (b *bench) undo(by string) {
	b.world.set(func(w *world) { w.drift = []string{"limit"} })
	b.wake <- by
	b.pass(debounce)
}

func TestFight(t *testing.T) {
	const nft = "nftables changed by nft[4711]"
	onBench(t, nil, func(b *bench) {
		b.pass(time.Second)
		b.journal.take()
		for range fightMany - 1 {
			b.undo(nft)
		}
		if s := b.state(); s.State != Converged || strings.Contains(strings.Join(b.journal.take(), "\n"), "fight") {
			t.Errorf("%d repairs are no fight: %s, %s", fightMany-1, s.State, s.Status)
		}
		b.undo("nftables changed by iptables-restor[9]")
		s := b.state()
		if s.State != Degraded || !strings.HasPrefix(s.Status, "degraded: nft undoes what sessiondbd repairs") || len(s.Report.Warnings) != 1 {
			t.Errorf("%s: %s, %v", s.State, s.Status, s.Report.Warnings)
		}
		for range 3 * paceBurst {
			b.undo(nft)
		}
		told := 0
		for _, line := range b.journal.take() {
			told += strings.Count(line, "msg=warning")
		}
		if told != 1 {
			t.Errorf("told %d times of one fight", told)
		}
		b.pass(fightSpan + 2*b.part.Interval)
		if s := b.state(); s.State != Converged {
			t.Errorf("after it: %s", s.Status)
		}
		if log := strings.Join(b.journal.take(), "\n"); !strings.Contains(log, "msg=settled") {
			t.Errorf("the end of it is not told:\n%s", log)
		}
	})
}

// Who undoes us as fast as we repair is repaired at a bounded pace, and never waits longer than a token.
func TestFightIsPaced(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		b.pass(time.Second)
		for range paceBurst {
			b.undo("nftables changed by nft[1]")
		}
		before := b.world.began()
		begin := time.Now()
		for time.Since(begin) < 10*time.Second {
			b.world.set(func(w *world) { w.drift = []string{"limit"} })
			select {
			case b.wake <- "nftables changed by nft[1]":
			default:
			}
			b.pass(time.Millisecond)
		}
		repairs := b.world.began() - before
		if most := int(10*time.Second/paceRefill) + paceBurst; repairs > most || repairs < int(10*time.Second/paceRefill)/2 {
			t.Errorf("%d repairs in 10 s, at most %d", repairs, most)
		}
	})
}

func TestFightDelay(t *testing.T) {
	now := time.Now()
	var f fight
	for range paceBurst {
		if d := f.delay(now); d != 0 {
			t.Fatalf("one of the first ones waits %s", d)
		}
		f.repaired("nftables changed", "firewall/ipv4", now)
	}
	if d := f.delay(now); d != paceRefill {
		t.Errorf("one too many waits %s", d)
	}
	if d := f.delay(now.Add(paceRefill)); d != 0 {
		t.Errorf("with a token it waits %s", d)
	}
	if w, fighting := f.warning(now); !fighting || !strings.HasPrefix(w.Summary, "somebody undoes") {
		t.Errorf("nobody is known by name: %v, %v", w, fighting)
	}
	if _, fighting := f.warning(now.Add(fightSpan + 1)); fighting {
		t.Error("there is no end to it")
	}
}

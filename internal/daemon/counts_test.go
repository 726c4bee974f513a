package daemon

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What is made at the start is a change and no drift; what is mended later is both; who undoes our work is counted by name.
func TestCounts(t *testing.T) {
	onBench(t, func(b *bench) { b.world.drift = []string{"connection_limit"} }, func(b *bench) {
		b.pass(0)
		want := newCounts()
		want.Passes, want.Changes["role"] = 1, map[string]int{"update": 1}
		b.counted(want)
		b.undo("nftables changed by nft[4711]")
		b.pass(10 * time.Millisecond)
		want.Passes, want.Repairs, want.Drift["role"], want.Opponents["nft"] = 2, 1, 1, 1
		want.Changes["role"]["update"] = 2
		b.counted(want)
		b.pass(25 * time.Second) // two quiet intervals
		want.Passes = 4
		b.counted(want)
	})
}

// Drift that is only reported counts when it appears, not with each pass that sees it.
func TestReportedDriftCountsOnce(t *testing.T) {
	onBench(t, func(b *bench) { b.part.Repair = false }, func(b *bench) {
		b.pass(0)
		b.world.set(func(w *world) { w.drift = []string{"connection_limit"} })
		b.pass(35 * time.Second)
		want := newCounts()
		want.Passes, want.Drift["role"] = 4, 1
		b.counted(want)
		b.world.set(func(w *world) { w.drift = nil })
		b.pass(10 * time.Second)
		b.world.set(func(w *world) { w.drift = []string{"connection_limit"} })
		b.pass(10 * time.Second)
		want.Passes, want.Drift["role"] = 6, 2
		b.counted(want)
	})
}

// counted compares the counters, but for the seconds.
func (b *bench) counted(want Counts) {
	b.t.Helper()
	have := b.state().Counts
	have.PassSeconds = 0
	if d := cmp.Diff(want, have); d != "" {
		b.t.Errorf("counts (-want +have):\n%s", d)
	}
}

// Names that others choose do not make the state grow.
func TestOpponentsAreBounded(t *testing.T) {
	c := newCounts()
	for i := range 1000 {
		c.undone(fmt.Sprint("program", i))
	}
	c.undone("program3")
	if len(c.Opponents) != opponentsMost+1 || c.Opponents["others"] != 1000-opponentsMost || c.Opponents["program3"] != 2 {
		t.Errorf("%v", c.Opponents)
	}
}

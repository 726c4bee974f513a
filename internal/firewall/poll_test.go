package firewall

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// kernel is what a poll asks: its count, which answers or does not.
type kernel struct {
	count  atomic.Uint64
	silent atomic.Bool
}

func (k *kernel) ask() (uint64, bool) { return k.count.Load(), !k.silent.Load() }

func TestPoll(t *testing.T) {
	for _, row := range []struct {
		name string
		do   func(k *kernel, known *atomic.Uint64)
		want int // resyncs within five seconds
	}{
		{"nothing happens", func(*kernel, *atomic.Uint64) {}, 0},
		{"changed, and no event came", func(k *kernel, _ *atomic.Uint64) { k.count.Add(1) }, 1},
		{"changed, and the event came first", func(k *kernel, known *atomic.Uint64) { known.Store(k.count.Add(1)) }, 0},
		{"changed, and the event comes a moment later", func(k *kernel, known *atomic.Uint64) {
			k.count.Add(1)
			time.Sleep(time.Second) // the next tick falls together with this; the event after it
			known.Store(k.count.Load())
		}, 0},
		{"changed twice, apart", func(k *kernel, _ *atomic.Uint64) {
			k.count.Add(1)
			time.Sleep(2500 * time.Millisecond)
			k.count.Add(1)
		}, 2},
		{"no answer is no news", func(k *kernel, _ *atomic.Uint64) { k.silent.Store(true); k.count.Add(1) }, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var k kernel
				var known atomic.Uint64
				k.count.Store(7)
				events, ended := make(chan string, 10), make(chan struct{})
				go func() { defer close(ended); poll(ctx, time.Second, &known, k.ask, events) }()
				time.Sleep(10 * time.Millisecond)
				row.do(&k, &known)
				time.Sleep(5 * time.Second)
				if len(events) != row.want {
					t.Errorf("%d times, not %d", len(events), row.want)
				}
				cancel()
				<-ended
			})
		})
	}
}

func TestWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w Writers
		started := func(pid int) { _ = w.start(func() (int, error) { return pid, nil }) }
		started(41)
		for pid, want := range map[uint32]bool{41: true, 42: false, 0: false} {
			if got := w.wrote(pid); got != want {
				t.Errorf("%d: %v", pid, got)
			}
		}
		time.Sleep(writerKept)
		if w.wrote(41) {
			t.Error("the number may be somebody else's by now")
		}
		for pid := range 2 * len(w.last) {
			started(100 + pid)
		}
		if !w.wrote(100+uint32(2*len(w.last))-1) || w.wrote(100) {
			t.Error("the last ones count, and no others")
		}
		if (*Writers)(nil).wrote(41) {
			t.Error("nobody's is ours")
		}
	})
}

// On a busy machine a tool has written, and the kernel has told, before whoever started it runs again.
func TestWritersAheadOfTheirNumber(t *testing.T) {
	var w Writers
	var judged sync.WaitGroup
	err := w.start(func() (int, error) {
		judged.Go(func() {
			if !w.wrote(41) {
				t.Error("what our own process wrote at once was taken for somebody else's")
			}
		})
		time.Sleep(50 * time.Millisecond) // for the event to be judged, were it not held back
		return 41, nil
	})
	judged.Wait()
	failed := errors.New("no such tool")
	if err != nil || !errors.Is(w.start(func() (int, error) { return 0, failed }), failed) {
		t.Errorf("%v, or the failure to start was lost", err)
	}
}

package firewall

import (
	"os"
	"slices"
	"sync"
	"time"
)

// Writers remembers which processes wrote on our behalf, so that the events of our own repairs wake nobody. The zero value is
// ready; nil knows nobody.
type Writers struct {
	mu   sync.Mutex
	last [16]writer // a pass starts four at most
	next int
}

type writer struct {
	pid   uint32
	since time.Time
}

// writerKept is how long a process counts as ours. Events lag by milliseconds; the number may be somebody else's later.
const writerKept = execTimeout + time.Second

// started says that a process of ours begins to write.
func (w *Writers) started(pid int) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last[w.next%len(w.last)] = writer{uint32(pid), time.Now()}
	w.next++
}

// wrote says whether a process is ours: this one, or one that it started.
func (w *Writers) wrote(pid uint32) bool {
	if w == nil || pid == 0 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if pid == uint32(os.Getpid()) {
		return true
	}
	return slices.ContainsFunc(w.last[:], func(o writer) bool { return o.pid == pid && time.Since(o.since) < writerKept })
}

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
	starting sync.RWMutex // held together by all who start a process, alone by who judges an event

	mu   sync.Mutex // among those who start
	last [16]writer // a pass starts four at most
	next int
}

type writer struct {
	pid   uint32
	since time.Time
}

// writerKept is how long a process counts as ours. Events lag by milliseconds; the number may be somebody else's later.
const writerKept = execTimeout + time.Second

// start starts a process of ours that may write. It may have written before its number has reached us, and its event is
// then judged only once we know.
func (w *Writers) start(begin func() (pid int, err error)) error {
	if w == nil {
		_, err := begin()
		return err
	}
	w.starting.RLock()
	defer w.starting.RUnlock()
	pid, err := begin()
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last[w.next%len(w.last)] = writer{uint32(pid), time.Now()}
	w.next++
	return nil
}

// wrote says whether a process is ours: this one, or one that it started.
func (w *Writers) wrote(pid uint32) bool {
	if w == nil || pid == 0 {
		return false
	}
	w.starting.Lock()
	defer w.starting.Unlock()
	if pid == uint32(os.Getpid()) {
		return true
	}
	return slices.ContainsFunc(w.last[:], func(o writer) bool { return o.pid == pid && time.Since(o.since) < writerKept })
}

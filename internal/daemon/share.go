package daemon

import (
	"strings"
	"sync"
	"time"
)

// Share splits one notifier among several loops of one process (`sessiondbd run` without --only): the service is ready,
// and feeds the watchdog, when each of them does; its status is theirs side by side.
func Share(to Notifier, parts ...string) []Notifier {
	s := &shared{to: to, status: make([]string, len(parts)), parts: parts, ready: map[int]bool{}, fed: map[int]bool{}}
	all := make([]Notifier, len(parts))
	for i := range parts {
		all[i] = member{s, i}
	}
	return all
}

type shared struct {
	mu       sync.Mutex
	to       Notifier
	parts    []string
	status   []string
	ready    map[int]bool
	fed      map[int]bool
	stopping bool
}

func (s *shared) line() string {
	var all []string
	for i, st := range s.status {
		if st != "" {
			all = append(all, s.parts[i]+": "+st)
		}
	}
	return strings.Join(all, " | ")
}

type member struct {
	*shared
	i int
}

func (m member) Ready(status string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status[m.i], m.ready[m.i] = status, true
	if len(m.ready) < len(m.parts) {
		return m.to.Status(m.line())
	}
	return m.to.Ready(m.line())
}

func (m member) Status(status string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status[m.i] = status
	return m.to.Status(m.line())
}

func (m member) Reloading() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.ready, m.i)
	return m.to.Reloading()
}

func (m member) Stopping() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopping {
		return nil
	}
	m.stopping = true
	return m.to.Stopping()
}

func (m member) ExtendTimeout(d time.Duration) error { return m.to.ExtendTimeout(d) }

func (m member) Watchdog() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fed[m.i] = true
	if len(m.fed) < len(m.parts) {
		return nil
	}
	clear(m.fed)
	return m.to.Watchdog()
}

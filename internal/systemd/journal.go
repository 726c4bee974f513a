package systemd

import (
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
)

const (
	// queueLength bounds the entries that wait for journald. While journald is stopped a send blocks after about 278
	// datagrams; nobody else may wait for it, or the watchdog would end a healthy daemon.
	queueLength = 1024
	// flushTimeout bounds how long the end of the process waits for a journald that does not take what is queued.
	flushTimeout = 2 * time.Second
	identifier   = "sessiondbd"
	// unitTells is the attribute that only repeats the unit which every line of the journal has beside it.
	unitTells = "part"
)

type sendFunc func(message string, p journal.Priority, fields map[string]string) error

// queue hands entries to journald from a goroutine of its own. What does not fit is dropped and counted.
type queue struct {
	entries chan entry
	send    sendFunc
	dropped atomic.Int64
	closing chan struct{}
	once    sync.Once
	done    chan struct{}
}

func newQueue(send sendFunc, length int) *queue {
	q := &queue{entries: make(chan entry, length), send: send, closing: make(chan struct{}), done: make(chan struct{})}
	go q.run()
	return q
}

func (q *queue) put(e entry) {
	select {
	case q.entries <- e:
	default:
		q.dropped.Add(1)
	}
}

func (q *queue) run() {
	defer close(q.done)
	for {
		select {
		case e := <-q.entries:
			q.deliver(e)
		case <-q.closing:
			for {
				select {
				case e := <-q.entries:
					q.deliver(e)
				default:
					return
				}
			}
		}
	}
}

// deliver sends one entry, then says how many were lost before it could be sent, so that a gap is visible where it is.
func (q *queue) deliver(e entry) {
	if err := q.send(e.text(unitTells), priority(e.level), fields(e)); err != nil {
		q.dropped.Add(1)
		return
	}
	if n := q.dropped.Swap(0); n > 0 {
		lost := entry{level: slog.LevelWarn, message: "log entries lost: journald did not take them", attrs: []pair{{messageID, EntriesLost.ID}, {"lost", strconv.FormatInt(n, 10)}}}
		if err := q.send(lost.text(), priority(lost.level), fields(lost)); err != nil {
			q.dropped.Add(n)
		}
	}
}

// stop delivers what is queued, or gives up after flushTimeout. Entries put later are lost.
func (q *queue) stop() {
	q.once.Do(func() { close(q.closing) })
	select {
	case <-q.done:
	case <-time.After(flushTimeout):
	}
}

// fields are the journal fields of an entry. Of two attributes with one name the later wins.
func fields(e entry) map[string]string {
	f := map[string]string{"SYSLOG_IDENTIFIER": identifier}
	for _, a := range e.attrs {
		if a.key == messageID {
			f[messageID] = a.value
			continue
		}
		f[fieldName(a.key)] = a.value
	}
	return f
}

// fieldName makes a journal field of an attribute's name: upper case letters, digits and underscores, at most 64
// (systemd.journal-fields(7), journald's limit).
func fieldName(key string) string {
	name := "SESSIONDBD_" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
	if len(name) > 64 {
		name = name[:64]
	}
	return name
}

func priority(l slog.Level) journal.Priority {
	switch {
	case l >= slog.LevelError:
		return journal.PriErr
	case l >= slog.LevelWarn:
		return journal.PriWarning
	case l >= slog.LevelInfo:
		return journal.PriInfo
	}
	return journal.PriDebug
}

package systemd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
)

// Formats are the log formats that NewHandler knows.
var Formats = []string{"auto", "journal", "text", "json"}

// messageID is the attribute that names an entry of the message catalogue; it becomes journald's own field.
const messageID = "MESSAGE_ID"

// NewHandler makes the log handler for a format: auto is the journal with fields when stderr leads there, else text.
// stop hands over what is still queued, waits at most two seconds for that, and may be called once at the end.
func NewHandler(format string, level slog.Leveler, stderr io.Writer) (h slog.Handler, stop func(), err error) {
	toJournal, err := journal.StderrIsJournalStream()
	if err != nil {
		toJournal = false // a malformed JOURNAL_STREAM is somebody else's mistake and no reason not to log
	}
	if format == "auto" {
		format = "text"
		if toJournal {
			format = "journal"
		}
	}
	switch format {
	case "journal":
		q := newQueue(journal.Send, queueLength)
		return &handler{level: level, emit: q.put}, q.stop, nil
	case "text":
		t := &textSink{w: stderr, prefix: toJournal, times: !toJournal && os.Getenv("INVOCATION_ID") == ""}
		return &handler{level: level, emit: t.write}, func() {}, nil
	case "json":
		return slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}), func() {}, nil
	}
	return nil, nil, fmt.Errorf("log format %q: is one of %s", format, strings.Join(Formats, ", "))
}

// entry is one record with its attributes flattened: the group's names joined by dots.
type entry struct {
	time    time.Time
	level   slog.Level
	message string
	attrs   []pair
}

type pair struct{ key, value string }

// text is message and attributes on one line, for a person, but for those named. Long values are cut; the journal's
// fields hold them whole.
func (e entry) text(but ...string) string {
	var b strings.Builder
	b.WriteString(e.message)
	for _, a := range e.attrs {
		if a.key == messageID || a.value == "" || slices.Contains(but, a.key) {
			continue
		}
		b.WriteString(" " + a.key + "=" + quote(a.value))
	}
	return b.String()
}

func quote(s string) string {
	if r := []rune(s); len(r) > 200 {
		s = string(r[:199]) + "…"
	}
	if strings.ContainsAny(s, " \t\n\"=") {
		return strconv.Quote(s)
	}
	return s
}

// handler flattens records for a sink that may not block.
type handler struct {
	level slog.Leveler
	emit  func(entry)
	attrs []pair
	group string
}

func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	e := entry{time: r.Time, level: r.Level, message: r.Message, attrs: append([]pair(nil), h.attrs...)}
	r.Attrs(func(a slog.Attr) bool {
		e.attrs = flatten(e.attrs, h.group, a)
		return true
	})
	h.emit(e)
	return nil
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append([]pair(nil), h.attrs...)
	for _, a := range attrs {
		c.attrs = flatten(c.attrs, h.group, a)
	}
	return &c
}

func (h *handler) WithGroup(name string) slog.Handler {
	c := *h
	if name != "" {
		c.group = h.group + name + "."
	}
	return &c
}

func flatten(to []pair, group string, a slog.Attr) []pair {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, m := range v.Group() {
			to = flatten(to, group, m)
		}
		return to
	}
	if a.Equal(slog.Attr{}) {
		return to
	}
	if a.Key == messageID {
		group = ""
	}
	return append(to, pair{group + a.Key, v.String()})
}

// textSink writes one line a record.
type textSink struct {
	mu     sync.Mutex
	w      io.Writer
	prefix bool // the reader is journald, which takes the priority from a <N> (sd-daemon(3))
	times  bool
}

func (t *textSink) write(e entry) {
	line := strings.ToLower(e.level.String()) + " " + e.text() + "\n"
	if t.times {
		line = e.time.Format("15:04:05.000 ") + line
	}
	if t.prefix {
		line = fmt.Sprintf("<%d>%s", priority(e.level), line)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = io.WriteString(t.w, line) // there is nowhere left to say that stderr is gone
}

package systemd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
)

// datagram is what journald would get.
type datagram struct {
	message  string
	priority journal.Priority
	fields   map[string]string
}

func TestJournalFields(t *testing.T) {
	got := make(chan datagram, 16)
	q := newQueue(func(m string, p journal.Priority, f map[string]string) error {
		got <- datagram{m, p, f}
		return nil
	}, 16)
	log := slog.New(&handler{level: slog.LevelDebug, emit: q.put})
	log.With("part", "database").WithGroup("pass").Info("changed", "resource", "role/sessionuser", "have", "10", "want", 80,
		"MESSAGE_ID", "0a1b", slog.Group("took", "wall-time", 3*time.Millisecond))
	log.Error("failed", "error", errors.New("disk full: no space"))
	log.Warn("drift")
	log.Debug("pass")
	q.stop()
	close(got)
	want := []datagram{
		{"changed pass.resource=role/sessionuser pass.have=10 pass.want=80 pass.took.wall-time=3ms", journal.PriInfo, map[string]string{
			"SYSLOG_IDENTIFIER": "sessiondbd", "SESSIONDBD_PART": "database", "SESSIONDBD_PASS_RESOURCE": "role/sessionuser", "SESSIONDBD_PASS_HAVE": "10",
			"SESSIONDBD_PASS_WANT": "80", "MESSAGE_ID": "0a1b", "SESSIONDBD_PASS_TOOK_WALL_TIME": "3ms",
		}},
		{`failed error="disk full: no space"`, journal.PriErr, map[string]string{"SYSLOG_IDENTIFIER": "sessiondbd", "SESSIONDBD_ERROR": "disk full: no space"}},
		{"drift", journal.PriWarning, map[string]string{"SYSLOG_IDENTIFIER": "sessiondbd"}},
		{"pass", journal.PriDebug, map[string]string{"SYSLOG_IDENTIFIER": "sessiondbd"}},
	}
	for _, w := range want {
		g := <-got
		if g.message != w.message || g.priority != w.priority || !maps.Equal(g.fields, w.fields) {
			t.Errorf("sent %+v\nwant %+v", g, w)
		}
	}
}

func TestFieldNames(t *testing.T) {
	for key, want := range map[string]string{
		"resource":               "SESSIONDBD_RESOURCE",
		"pass.wall-time":         "SESSIONDBD_PASS_WALL_TIME",
		"größe":                  "SESSIONDBD_GR__E",
		strings.Repeat("a", 100): "SESSIONDBD_" + strings.Repeat("A", 53),
	} {
		if got := fieldName(key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}

func TestLogDoesNotWaitForJournald(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resume := make(chan struct{})
		var sent []string
		q := newQueue(func(m string, _ journal.Priority, _ map[string]string) error {
			<-resume
			sent = append(sent, m)
			return nil
		}, 4)
		log := slog.New(&handler{level: slog.LevelInfo, emit: q.put})
		began := time.Now()
		log.Info("entry 0")
		synctest.Wait() // it is in the owner's hands
		for i := 1; i < 10; i++ {
			log.Info(fmt.Sprintf("entry %d", i))
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("logging took %v while journald was stopped", d)
		}
		close(resume)
		synctest.Wait()
		log.Info("later")
		q.stop()
		want := "entry 0|log entries lost: journald did not take them lost=5|entry 1|entry 2|entry 3|entry 4|later"
		if got := strings.Join(sent, "|"); got != want {
			t.Errorf("sent %s\nwant %s", got, want)
		}
	})
}

func TestStopDoesNotWaitForJournaldForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resume := make(chan struct{})
		q := newQueue(func(string, journal.Priority, map[string]string) error { <-resume; return nil }, 4)
		q.put(entry{message: "last words"})
		began := time.Now()
		q.stop()
		if d := time.Since(began); d != flushTimeout {
			t.Errorf("stop took %v", d)
		}
		close(resume)
		q.stop() // and again, without harm
	})
}

func TestTextFormat(t *testing.T) {
	t.Setenv("JOURNAL_STREAM", "")
	t.Setenv("INVOCATION_ID", "0123")
	var b bytes.Buffer
	h, stop, err := NewHandler("auto", slog.LevelInfo, &b)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(h)
	log.Debug("unseen")
	log.Info("changed", "resource", "role/x", "have", "", "want", "a b", "MESSAGE_ID", "0a1b")
	log.Warn("body", "want", strings.Repeat("x", 300)+"\nend")
	stop()
	want := "info changed resource=role/x want=\"a b\"\nwarn body want=" + strings.Repeat("x", 199) + "…\n"
	if b.String() != want {
		t.Errorf("wrote %q\nwant  %q", b.String(), want)
	}
}

func TestTextFormatTellsTheTimeWhereNobodyElseDoes(t *testing.T) {
	t.Setenv("JOURNAL_STREAM", "")
	t.Setenv("INVOCATION_ID", "")
	var b bytes.Buffer
	h, _, err := NewHandler("text", slog.LevelInfo, &b)
	if err != nil {
		t.Fatal(err)
	}
	slog.New(h).Info("hello")
	if _, err := time.Parse("15:04:05.000 info hello\n", b.String()); err != nil {
		t.Errorf("%q: %v", b.String(), err)
	}
}

func TestJSONFormat(t *testing.T) {
	var b bytes.Buffer
	h, _, err := NewHandler("json", slog.LevelInfo, &b)
	if err != nil {
		t.Fatal(err)
	}
	slog.New(h).Info("changed", "resource", "hba")
	var m map[string]string
	if err := json.Unmarshal(b.Bytes(), &m); err != nil || m["msg"] != "changed" || m["resource"] != "hba" || m["level"] != "INFO" {
		t.Errorf("%s: %v", b.String(), err)
	}
}

func TestUnknownFormat(t *testing.T) {
	if _, _, err := NewHandler("xml", slog.LevelInfo, nil); err == nil || !strings.Contains(err.Error(), "auto, journal, text, json") {
		t.Errorf("%v", err)
	}
}

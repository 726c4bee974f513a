package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sessiondbd/internal/plan"
)

var errAway = errors.New("no such file: is PostgreSQL running?")

// world is a host in memory: resources that differ until somebody applies their step.
type world struct {
	mu       sync.Mutex
	away     error // cannot be observed
	drift    []string
	refused  []string
	warned   []string
	stuck    error // each step fails
	hang     chan struct{}
	deaf     bool // a hanging look does not heed its context
	begins   int
	executed []string
	looks    []time.Time
}

type step string

func (s step) String() string { return string(s) }

func (w *world) set(f func(w *world)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(w)
}

func (w *world) looked() (n int) {
	w.set(func(w *world) { n = len(w.looks) })
	return n
}

func (w *world) began() (n int) {
	w.set(func(w *world) { n = w.begins })
	return n
}

func (w *world) Plan(ctx context.Context) plan.Plan {
	w.mu.Lock()
	hang, deaf := w.hang, w.deaf
	w.mu.Unlock()
	switch {
	case hang != nil && deaf:
		<-hang
	case hang != nil:
		select {
		case <-hang:
		case <-ctx.Done():
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks = append(w.looks, time.Now())
	if w.away != nil {
		return plan.Plan{Unobserved: []plan.Failure{{Resource: "database/sessiondb", Err: w.away}}}
	}
	schema, role := plan.Resource{Name: "schema/session"}, plan.Resource{Name: "role/sessionuser"}
	for _, f := range w.drift {
		role.Add(plan.Update, f, "10", "80", "the config says so", step(f))
	}
	for _, s := range w.refused {
		schema.Refuse(s, "sessiondbd apply --accept-new-database")
	}
	for _, s := range w.warned {
		schema.Warn(s, "look at it")
	}
	return plan.Plan{Resources: []plan.Resource{schema, role}}
}

func (w *world) Begin(context.Context) (plan.Executor, func(), error) {
	w.set(func(w *world) { w.begins++ })
	return w, func() {}, nil
}

func (w *world) Execute(_ context.Context, s plan.Step) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stuck != nil {
		return w.stuck
	}
	w.executed = append(w.executed, s.String())
	var left []string
	for _, f := range w.drift {
		if f != s.String() {
			left = append(left, f)
		}
	}
	w.drift = left
	return nil
}

// manager is a service manager that remembers what it was told, with the time since the start.
type manager struct {
	mu    sync.Mutex
	began time.Time
	heard []string
	pings []time.Duration
	ready func() // what READY sets free
}

func (m *manager) hear(s string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heard = append(m.heard, s)
	return nil
}

func (m *manager) Status(s string) error               { return m.hear("STATUS " + s) }
func (m *manager) Reloading() error                    { return m.hear("RELOADING") }
func (m *manager) Stopping() error                     { return m.hear("STOPPING") }
func (m *manager) ExtendTimeout(d time.Duration) error { return m.hear(fmt.Sprintf("EXTEND %v", d)) }

func (m *manager) Ready(s string) error {
	if m.ready != nil {
		m.ready()
	}
	return m.hear("READY " + s)
}

func (m *manager) Watchdog() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pings = append(m.pings, time.Since(m.began))
	return nil
}

// take returns what was heard since it was last called.
func (m *manager) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.heard
	m.heard = nil
	return h
}

// journal is a log in memory: one line a record, without the time.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(j.b.String()), "\n")
	j.b.Reset()
	if lines[0] == "" {
		return nil
	}
	return lines
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		// Which entry of the catalogue explains a line is TestMessages' business.
		if a.Key == slog.TimeKey || a.Key == "part" || a.Key == "MESSAGE_ID" {
			return slog.Attr{}
		}
		return a
	}}))
}

// bench is a loop over a world, on a fake clock.
type bench struct {
	t       *testing.T
	world   *world
	manager *manager
	journal *journal
	wake    chan string
	reload  chan os.Signal
	path    string
	part    Part
	opts    Options
	cancel  context.CancelFunc
	done    chan error
	closed  int
}

// onBench runs f beside a loop that set has prepared, and ends the loop afterwards.
func onBench(t *testing.T, prepare func(b *bench), f func(b *bench)) {
	path := filepath.Join(t.TempDir(), "database", "status.json")
	synctest.Test(t, func(t *testing.T) {
		b := &bench{
			t: t, world: &world{}, manager: &manager{began: time.Now()}, journal: &journal{},
			wake: make(chan string), reload: make(chan os.Signal, 1), path: path, done: make(chan error, 1),
		}
		b.part = Part{
			Name: "database", Host: b.world, Wake: b.wake, Interval: 10 * time.Second, Repair: true,
			Describe:  func(plan.Report) string { return "schema 0004, 1/1 roles, 5/5 networks" },
			Retry:     func(err error) bool { return errors.Is(err, errAway) },
			StateFile: path, Close: func() { b.closed++ },
		}
		b.opts = Options{Log: b.journal.logger(), Notify: b.manager, Reload: b.reload}
		if prepare != nil {
			prepare(b)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b.cancel = cancel
		go func() { b.done <- Run(ctx, b.part, b.opts) }()
		synctest.Wait()
		f(b)
		cancel()
		if err := <-b.done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func (b *bench) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (b *bench) state() State {
	b.t.Helper()
	s, err := ReadState(b.path)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// heard fails the test unless exactly these were said since the last look.
func (b *bench) heard(want ...string) {
	b.t.Helper()
	equal(b.t, "told to the service manager", b.manager.take(), want)
}

func (b *bench) logged(want ...string) {
	b.t.Helper()
	equal(b.t, "logged", b.journal.take(), want)
}

func equal(t *testing.T, what string, have, want []string) {
	t.Helper()
	if strings.Join(have, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n%s\nwant:\n%s", what, strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
}

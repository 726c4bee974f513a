package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// holding is a pause in memory.
type holding struct {
	until    time.Time
	released int
}

func (h *holding) on(b *bench) chan os.Signal {
	prompt := make(chan os.Signal, 1)
	b.opts.Prompt = prompt
	b.part.Paused = func() (time.Duration, bool) { return time.Until(h.until), time.Now().Before(h.until) }
	b.part.Release = func() { h.released++ }
	return prompt
}

func TestPause(t *testing.T) {
	var h holding
	var prompt chan os.Signal
	onBench(t, func(b *bench) { prompt = h.on(b) }, func(b *bench) {
		b.heard("STATUS starting", "READY "+fine)
		b.logged(`level=INFO msg=ready status="` + fine + `"`)
		h.until = time.Now().Add(time.Hour)
		b.world.set(func(w *world) { w.drift = []string{"connection_limit"} })
		prompt <- syscall.SIGUSR1
		b.pass(0)
		s := b.state()
		if s.State != Paused || !strings.HasPrefix(s.Status, "paused until ") || h.released != 1 || !s.Prompts || StatusCode([]Seen{{"database", true, &s}}) != 1 {
			t.Errorf("%+v, released %d times", s, h.released)
		}
		looks := b.world.looked()
		b.wake <- "the connection ended"
		prompt <- syscall.SIGUSR1 // once more, and nothing has changed
		b.pass(59 * time.Minute)
		if n := b.world.looked(); n != looks || b.world.began() != 0 {
			t.Errorf("%d looks, %d begins during the pause", n-looks, b.world.began())
		}
		b.manager.take()
		b.journal.take()
		b.pass(time.Minute) // it ends by itself
		b.heard("STATUS " + fine)
		b.logged(`level=INFO msg="the pause is over"`,
			`level=INFO msg=changed resource=role/sessionuser action=update field=connection_limit have=10 want=80 summary="the config says so" reason=resume`)
		h.until = time.Now().Add(time.Hour)
		prompt <- syscall.SIGUSR1
		b.pass(time.Second)
		h.until = time.Time{}
		prompt <- syscall.SIGUSR1
		b.pass(0)
		if s := b.state(); s.State != Converged || s.LastPass.Reason != "resume" {
			t.Errorf("resumed: %s, %s", s.State, s.LastPass.Reason)
		}
	})
}

// A start in a pause is READY: nothing is wrong, and whoever waits for us must not wait for its end.
func TestStartInAPause(t *testing.T) {
	h := holding{}
	onBench(t, func(b *bench) {
		h.on(b)
		h.until = time.Now().Add(time.Minute)
	}, func(b *bench) {
		heard := b.manager.take()
		if len(heard) != 2 || !strings.HasPrefix(heard[1], "READY paused until ") || b.world.looked() != 0 {
			t.Errorf("told %q after %d looks", heard, b.world.looked())
		}
		b.pass(time.Minute)
		if s := b.state(); s.State != Converged || b.world.looked() == 0 {
			t.Errorf("after it: %s", s.State)
		}
	})
}

// A reload is answered in a pause, too.
func TestReloadInAPause(t *testing.T) {
	h := holding{}
	var bad error
	onBench(t, func(b *bench) {
		h.on(b)
		h.until = time.Now().Add(time.Hour)
		b.opts.Load = func(context.Context) (Part, error) { return b.part, bad }
	}, func(b *bench) {
		for seq, err := range []error{nil, errors.New("config.yaml:1:1: unknown key")} {
			bad = err
			b.reload <- syscall.SIGHUP
			b.pass(0)
			if s := b.state(); s.Reload.Seq != seq+1 || s.Reload.OK != (err == nil) || s.State != Paused {
				t.Errorf("%v: %+v, %s", err, s.Reload, s.State)
			}
		}
	})
}

// Which boot it is may be hidden from a process; a pause that could be of this one is one.
func TestPauseOfABoot(t *testing.T) {
	for _, tt := range []struct {
		written, now string
		paused       bool
	}{{"a", "a", true}, {"a", "b", false}, {"a", "", true}, {"", "a", true}, {"", "", true}} {
		p := pause{BootID: tt.written, Until: time.Hour}
		if left, paused := p.left(time.Minute, tt.now); paused != tt.paused || paused && left != 59*time.Minute {
			t.Errorf("written in boot %q, read in %q: %v, %v", tt.written, tt.now, left, paused)
		}
		if _, paused := p.left(time.Hour, tt.now); paused {
			t.Errorf("written in boot %q, read in %q: it does not end", tt.written, tt.now)
		}
	}
}

func TestPauseFile(t *testing.T) {
	t.Setenv(bootEnv, "0123")
	f := PauseFile{Path: filepath.Join(t.TempDir(), "state", "pause.json")}
	if left, paused, err := f.Left(); left != 0 || paused || err != nil {
		t.Errorf("at first: %v, %v, %v", left, paused, err)
	}
	if was, err := f.End(); was || err != nil {
		t.Errorf("ending none: %v, %v", was, err)
	}
	for _, d := range []time.Duration{time.Hour, 2 * time.Hour} {
		if err := f.Begin(d, "root"); err != nil {
			t.Fatal(err)
		}
		if left, paused, err := f.Left(); !paused || err != nil || left > d || left < d-time.Minute {
			t.Errorf("%v: %v, %v, %v", d, left, paused, err)
		}
	}
	text, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	for what, content := range map[string]string{
		"another boot": strings.Replace(string(text), bootID(), "feed", 1),
		"over":         `{"boot_id": "` + bootID() + `", "until": 1, "by": "root"}`,
	} {
		if err := os.WriteFile(f.Path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if left, paused, err := f.Left(); paused || err != nil {
			t.Errorf("%s: %v, %v, %v", what, left, paused, err)
		}
	}
	if err := os.WriteFile(f.Path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, paused, err := f.Left(); paused || !errors.Is(err, errPause) {
		t.Errorf("cut off: %v, %v", paused, err)
	}
	if was, err := f.End(); was || err != nil {
		t.Errorf("ending one that is cut off: %v, %v", was, err)
	}
	if err := f.Begin(time.Hour, "root"); err != nil {
		t.Fatal(err)
	}
	if was, err := f.End(); !was || err != nil {
		t.Errorf("ending: %v, %v", was, err)
	}
	if _, paused, _ := f.Left(); paused {
		t.Error("it is still on")
	}
}

package daemon

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestReload(t *testing.T) {
	bad := errors.New("config.yaml:3: roles[0].acess: unknown key")
	next := &world{drift: []string{"connection_limit"}}
	var load func(b *bench) (Part, error)
	onBench(t, func(b *bench) {
		b.opts.Load = func(context.Context) (Part, error) { return load(b) }
	}, func(b *bench) {
		b.heard("STATUS starting", "READY "+fine)
		b.journal.take()

		load = func(*bench) (Part, error) { return Part{}, bad }
		b.world.set(func(w *world) { w.drift = []string{"login"} })
		b.reload <- syscall.SIGHUP
		b.pass(0)
		line := "degraded: config not reloaded: " + bad.Error() + "; schema 0004, 1/1 roles, 5/5 networks"
		b.heard("RELOADING", "STATUS "+line, "READY "+line)
		b.logged(`level=ERROR msg="reload refused: the config in force stays" error="`+bad.Error()+`"`,
			`level=INFO msg=changed resource=role/sessionuser action=update field=login have=10 want=80 summary="the config says so" reason=reload`)
		if s := b.state(); s.Reload != (Reload{Seq: 1, Error: bad.Error()}) || s.State != Degraded || b.closed != 0 {
			t.Errorf("after a bad one: %+v, %s, closed %d", s.Reload, s.State, b.closed)
		}
		b.pass(20 * time.Second)
		if s := b.state(); s.Status != line { // it stays visible
			t.Errorf("status %q", s.Status)
		}

		load = func(b *bench) (Part, error) {
			p := b.part
			p.Host, p.Interval, p.Repair, p.Wake, p.StateFile = next, time.Hour, false, nil, ""
			return p, nil
		}
		b.manager.take()
		b.reload <- syscall.SIGHUP
		b.pass(0)
		b.heard("RELOADING", "STATUS "+fine, "READY "+fine)
		if s := b.state(); s.Reload != (Reload{Seq: 2, OK: true}) || s.State != Converged || b.closed != 1 {
			t.Errorf("after a good one: %+v, %s, closed %d", s.Reload, s.State, b.closed)
		}
		if len(next.executed) != 1 { // applied before the reload is over, in report mode too
			t.Errorf("executed %q", next.executed)
		}
		looks := next.looked()
		b.pass(30 * time.Minute)
		if next.looked() != looks {
			t.Errorf("the new interval is not in force")
		}
	})
}

func TestReloadBeforeReadyIsNotReady(t *testing.T) {
	onBench(t, func(b *bench) {
		b.world.away = errAway
		b.opts.Load = func(context.Context) (Part, error) { return b.part, nil }
	}, func(b *bench) {
		b.reload <- syscall.SIGHUP
		b.pass(time.Second)
		for _, h := range b.manager.take() {
			if strings.HasPrefix(h, "READY") || h == "RELOADING" {
				t.Errorf("heard %q", h)
			}
		}
		if r := b.state().Reload; r.Seq != 1 || r.OK || !r.Loaded { // the config was good, and nothing could be done with it
			t.Errorf("reload %+v", r)
		}
	})
}

func TestTermination(t *testing.T) {
	tests := []struct {
		name  string
		hang  bool
		deaf  bool
		takes time.Duration
	}{
		{"idle", false, false, 0},
		{"mid-pass", true, false, 0},
		{"mid-pass that does not heed it", true, true, 10 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onBench(t, nil, func(b *bench) {
				b.manager.take()
				hold := make(chan struct{})
				defer close(hold)
				if tt.hang {
					b.world.set(func(w *world) { w.hang, w.deaf = hold, tt.deaf })
				}
				b.wake <- "something"
				b.pass(3 * time.Millisecond)
				began := time.Now()
				b.cancel()
				synctest.Wait()
				b.heard("STOPPING")
				err := <-b.done
				if err != nil || time.Since(began) != tt.takes || b.closed != 1 {
					t.Errorf("Run: %v after %v, closed %d", err, time.Since(began), b.closed)
				}
				if _, err := os.Stat(b.path); !os.IsNotExist(err) {
					t.Errorf("the state file is still there: %v", err)
				}
				b.heard()
				b.done <- nil
			})
		})
	}
}

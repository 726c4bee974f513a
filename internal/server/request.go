package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"sessiondbd/internal/postgres"
)

const (
	defaultFlagWait    = 5 * time.Second
	defaultRestartWait = 60 * time.Second
)

// errNotTaken says that nobody restarts for us.
var errNotTaken = errors.New("nobody took the request for a restart: the path unit of sessiondbd is not active")

// restart asks for a restart and waits for it. PostgreSQL that does not come up gets its former setting back: Debian's unit
// would stay activating for ever.
func (f Files) restart(ctx context.Context, s RequestRestart) error {
	started, err := f.beforeRestart(ctx, s)
	if err != nil {
		return err
	}
	err = f.requestAndWait(ctx, s.Unit, started)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if errors.Is(err, errNotTaken) {
		return fmt.Errorf("%w; run: sudo systemctl restart %s", err, s.Unit)
	}
	if s.Undo == nil {
		return fmt.Errorf("%w; see journalctl -u %s", err, s.Unit)
	}
	if undo := replace(s.Undo.Path, s.Undo.Content); undo != nil {
		return fmt.Errorf("%w; its former setting could not be put back into %s: %w; see journalctl -u %s", err, s.Undo.Path, undo, s.Unit)
	}
	if again := f.requestAndWait(ctx, s.Unit, started); again != nil {
		return fmt.Errorf("%w; with its former setting back in %s: %w; see journalctl -u %s", err, s.Undo.Path, again, s.Unit)
	}
	return fmt.Errorf("%w; it runs again with its former setting, which is back in %s; see journalctl -u %s", err, s.Undo.Path, s.Unit)
}

// beforeRestart looks once more who is there, and when this server was started.
func (f Files) beforeRestart(ctx context.Context, s RequestRestart) (started string, err error) {
	err = f.with(ctx, func(ctx context.Context, c *postgres.Conn) error {
		var o Observation
		if err := c.Ask(ctx, Queries(c.Version(), &o)); err != nil {
			return err
		}
		if !s.Force && o.sessionCount() > 0 {
			return errors.New("left for later: " + o.describeSessions())
		}
		started = o.facts().Started
		return nil
	})
	return started, err
}

func (f Files) requestAndWait(ctx context.Context, unit, started string) error {
	if err := replace(f.Flag, unit+"\n"); err != nil {
		return fmt.Errorf("request: %w", err)
	}
	taken, err := until(ctx, or(f.flagWait, defaultFlagWait), func() bool {
		_, err := os.Lstat(f.Flag)
		return errors.Is(err, fs.ErrNotExist)
	})
	if !taken {
		// Taken in this very moment is taken, too.
		if rm := os.Remove(f.Flag); rm == nil || !errors.Is(rm, fs.ErrNotExist) {
			return errors.Join(err, rm, errNotTaken)
		}
	}
	wait := or(f.restartWait, defaultRestartWait)
	last := errors.New("it runs on without a restart")
	back, err := until(ctx, wait, func() bool {
		err := f.with(ctx, func(ctx context.Context, c *postgres.Conn) error {
			var now []Facts
			if err := c.Ask(ctx, []postgres.Query{{Name: "the start time", SQL: "SELECT pg_postmaster_start_time()::text AS started", Into: &now}}); err != nil {
				return err
			}
			if len(now) == 1 && now[0].Started == started {
				return errors.New("it runs on without a restart")
			}
			return nil
		})
		if err != nil {
			last = err
		}
		return err == nil
	})
	if err != nil || back {
		return err
	}
	return fmt.Errorf("PostgreSQL is not back after %s: %w", wait, last)
}

// until asks every 50 ms until the answer is yes or the time is up. The error is that of the context.
func until(ctx context.Context, wait time.Duration, ask func() bool) (bool, error) {
	for deadline := time.Now().Add(wait); ; {
		if ask() {
			return true, nil
		}
		if time.Now().After(deadline) {
			return false, nil
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return false, err
		}
	}
}

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

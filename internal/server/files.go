package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// Files executes the steps of this room.
type Files struct {
	// Connect opens an administrator's connection, which is closed after the step.
	Connect func(context.Context) (*postgres.Conn, error)
	// Idle is one that is open already: a step that restarts nothing takes it instead. May be nil.
	Idle *postgres.Conn
	// Flag is the file whose appearance makes root's oneshot restart the unit that it names.
	Flag string

	// How long the flag may lie, and how long PostgreSQL may take; 0: the defaults.
	flagWait, restartWait time.Duration
}

// Execute carries out one step.
func (f Files) Execute(ctx context.Context, step plan.Step) error {
	var err error
	switch s := step.(type) {
	case WriteFile:
		err = f.write(ctx, s)
	case Reload:
		err = f.idly(ctx, reloadAndWait)
	case RequestRestart:
		err = f.restart(ctx, s)
	default:
		return fmt.Errorf("%s is not a step of the server's files", step)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	return nil
}

func (f Files) idly(ctx context.Context, do func(context.Context, *postgres.Conn) error) error {
	if f.Idle.Dead() {
		return f.with(ctx, do)
	}
	return do(ctx, f.Idle)
}

func (f Files) with(ctx context.Context, do func(context.Context, *postgres.Conn) error) error {
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.CloseSoon()
	return do(ctx, c)
}

func (f Files) write(ctx context.Context, s WriteFile) error {
	return f.idly(ctx, func(ctx context.Context, c *postgres.Conn) error {
		now, err := os.ReadFile(s.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if string(now) != s.Old || (err == nil) != s.Exists {
			return errors.New("somebody has just changed it; it is left alone until the next pass")
		}
		if err := replace(s.Path, s.Content); err != nil {
			return err
		}
		if err := s.check(ctx, c); err != nil {
			return errors.Join(fmt.Errorf("%w; the former file is back in place", err), s.putBack())
		}
		return reloadAndWait(ctx, c)
	})
}

func (s WriteFile) putBack() error {
	var err error
	if s.Exists {
		err = replace(s.Path, s.Old)
	} else {
		err = remove(s.Path)
	}
	if err != nil {
		return fmt.Errorf("putting it back: %w", err)
	}
	return nil
}

// check has the server read the file before it loads it: one bad line would discard the whole reload in silence.
func (s WriteFile) check(ctx context.Context, c *postgres.Conn) error {
	var o Observation
	if err := c.Ask(ctx, Queries(c.Version(), &o)); err != nil {
		return err
	}
	if s.Check == CheckHBA {
		for _, r := range o.Rules {
			if r.broken() {
				return fmt.Errorf("PostgreSQL cannot take line %d of %s: %s", r.Line, r.File, r.Error)
			}
		}
		return nil
	}
	for _, b := range o.broken() {
		return fmt.Errorf("PostgreSQL cannot take line %d of %s: %s%s", b.Line, b.File, named(b.Name), b.Error)
	}
	return nil
}

// reloadWait bounds the wait for a reload, which takes milliseconds.
const reloadWait = 5 * time.Second

// reloadAndWait returns once the server has loaded its files: this session reads them after the postmaster has begun, which
// takes in nobody before it is through.
func reloadAndWait(ctx context.Context, c *postgres.Conn) error {
	type row struct {
		Loaded string `json:"loaded"`
		Sent   bool   `json:"sent"`
	}
	var before, after []row
	ask := func(sql string, into *[]row) error {
		*into = nil
		return c.Ask(ctx, []postgres.Query{{Name: "the reload", SQL: sql, Into: into}})
	}
	if err := ask("SELECT pg_conf_load_time()::text AS loaded, pg_reload_conf() AS sent", &before); err != nil {
		return err
	}
	if len(before) != 1 || !before[0].Sent {
		return errors.New("the postmaster could not be signalled")
	}
	for deadline := time.Now().Add(reloadWait); ; {
		if err := ask("SELECT pg_conf_load_time()::text AS loaded", &after); err != nil {
			return err
		}
		if len(after) == 1 && after[0].Loaded != before[0].Loaded {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("PostgreSQL has not loaded its files within %s; see its log", reloadWait)
		}
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

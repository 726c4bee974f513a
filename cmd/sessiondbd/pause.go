package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sessiondbd/internal/daemon"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// The bounds of a pause.
const (
	shortestPause = time.Second
	longestPause  = 7 * 24 * time.Hour
	usualPause    = time.Hour
)

// letGoWait is how long pause and resume wait for the daemon, whose pass may be in the middle of something.
const letGoWait = time.Minute

func pauseFile() daemon.PauseFile { return daemon.PauseFile{Path: stateDir() + "/pause.json"} }

func (a *app) pauseCommand() *cobra.Command {
	var length time.Duration
	c := &cobra.Command{
		Use: "pause", Short: "have the database part let go for maintenance; the firewall stays", Args: cobra.NoArgs,
		Long: "Has the database part let go of its connection and leave everything alone: for dumps, restores and major upgrades of PostgreSQL. " +
			"The firewall stays. It ends by itself after the time, at a boot, or with resume.\n\nExit codes: 0 paused, 64 usage, 75 the daemon did not let go in time, 77 not permitted.",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.pause(cmd.Context(), length) },
	}
	c.Flags().DurationVar(&length, "for", usualPause, "for how long at most: a `duration` from 1s to 168h")
	return c
}

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "resume", Short: "end a pause", Args: cobra.NoArgs,
		Long: "Ends a pause and returns when the daemon has looked again.\n\nExit codes: 0 not paused any more, 75 the daemon did not answer in time, 77 not permitted.",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.resume(cmd.Context()) },
	}
}

func (a *app) pause(ctx context.Context, length time.Duration) error {
	if length < shortestPause || length > longestPause {
		return usageError{fmt.Errorf("--for %s: must be from 1s to 168h", length)}
	}
	who := "somebody"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	if err := pauseFile().Begin(length, who); err != nil {
		return mayPause(err)
	}
	until := time.Now().Add(length).Format("15:04:05 on Jan 2")
	running, err := a.prompt(ctx, func(s daemon.State) bool { return s.State == daemon.Paused })
	if err != nil {
		return fmt.Errorf("paused until %s, but %w", until, err)
	}
	if !running {
		fmt.Fprintf(a.stdout, "Paused until %s. The daemon is not running; started, it would wait for that.\n", until)
		return nil
	}
	fmt.Fprintf(a.stdout, "Paused until %s: the database part has let go, the firewall stays.\nsudo sessiondbd resume ends it.\n", until)
	return nil
}

func (a *app) resume(ctx context.Context) error {
	was, err := pauseFile().End()
	if err != nil {
		return mayPause(err)
	}
	if !was {
		fmt.Fprintln(a.stdout, "Not paused.")
	}
	running, err := a.prompt(ctx, func(s daemon.State) bool { return s.State != daemon.Paused })
	switch {
	case err != nil:
		return err
	case !was:
	case !running:
		fmt.Fprintln(a.stdout, "Resumed. The daemon is not running: sudo systemctl start sessiondbd")
	default:
		seen, err := daemon.See(database, runDir(database)+"/status.json")
		if err != nil || seen.State == nil {
			return err
		}
		fmt.Fprintln(a.stdout, "Resumed. "+seen.State.Status)
	}
	return nil
}

// mayPause explains who may.
func mayPause(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: only root and database.os_user may: sudo sessiondbd pause", err)
	}
	return err
}

// prompt has the database's daemon look at once, and waits until its state is as it should be. Without a daemon there is
// nobody to wait for.
func (a *app) prompt(ctx context.Context, settled func(daemon.State) bool) (running bool, err error) {
	file := runDir(database) + "/status.json"
	s, err := daemon.ReadState(file)
	if err != nil || s.Stale() {
		return false, nil // whoever starts reads the pause
	}
	if s.Prompts {
		if err := syscall.Kill(s.PID, syscall.SIGUSR1); err != nil {
			return true, fmt.Errorf("the daemon, process %d, cannot be told: %w", s.PID, err)
		}
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	slow := time.After(time.Second)
	over := time.After(letGoWait)
	for {
		if s, err := daemon.ReadState(file); err != nil || s.Stale() || settled(s) {
			return err == nil && !s.Stale(), nil
		}
		select {
		case <-tick.C:
		case <-slow:
			fmt.Fprintln(a.stderr, "sessiondbd: waiting for the daemon to end what it is doing")
		case <-ctx.Done():
			return true, context.Cause(ctx)
		case <-over:
			return true, postgres.NewError(postgres.Busy, fmt.Sprintf("the daemon, process %d, has not followed within %s; see sessiondbd status", s.PID, letGoWait))
		}
	}
}

// tellDaemon has a daemon look at once, without waiting for it.
func tellDaemon() {
	s, err := daemon.ReadState(runDir(database) + "/status.json")
	if err == nil && !s.Stale() && s.Prompts && s.State == daemon.Degraded {
		_ = syscall.Kill(s.PID, syscall.SIGUSR1) // it looks at its interval, too
	}
}

// leftAlone is a host that is to be left alone.
func leftAlone(resource string) (plan.Host, bool) {
	left, is, err := pauseFile().Left()
	if err != nil || !is { // whoever cannot read that meets the same obstacle at what is remembered, and is told there
		return nil, false
	}
	return unobservable{resource, postgres.NewError(postgres.Busy, fmt.Sprintf("paused for another %s: sudo sessiondbd resume ends it", left.Round(time.Second)))}, true
}

// paused is how the daemon sees a pause. One that cannot be read is told of once, and is none.
func (a *app) paused() func() (time.Duration, bool) {
	told := false
	return func() (time.Duration, bool) {
		left, is, err := pauseFile().Left()
		if err != nil && !told {
			told = true
			a.log.Warn("a pause cannot be read", "error", err)
		}
		return left, is
	}
}

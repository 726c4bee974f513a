package daemon

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// ErrReload says that a daemon refused its new config and keeps the old one.
var ErrReload = errors.New("the new config was refused, the old one stays in force")

// ErrPass says that a daemon took its new config, and that the pass with it failed.
var ErrPass = errors.New("the new config is in force, and the pass with it failed")

// ErrNotRunning says that there is no daemon to talk to.
var ErrNotRunning = errors.New("not running")

// WaitReload asks the daemon of that state file to reload and returns when it has: nil once the new config is loaded
// and a pass with it has ended, ErrReload with the reason when it was refused. pid is the daemon's process ($MAINPID);
// 0 takes the state file's. It is how `systemctl reload` learns the result where Type=notify-reload is unknown.
func WaitReload(ctx context.Context, statePath string, pid int) error {
	s, err := ReadState(statePath)
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	if s.Stale() {
		return fmt.Errorf("reload: process %d: %w", s.PID, ErrNotRunning)
	}
	if pid == 0 {
		pid = s.PID
	}
	if pid != s.PID {
		return fmt.Errorf("reload: %s belongs to process %d, not %d", statePath, s.PID, pid)
	}
	// A reload that is running may have read the config before it was edited: the one after it is ours.
	want := s.Reload.Seq + 1
	if s.Reload.Running {
		want++
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return fmt.Errorf("reload: signal process %d: %w", pid, err)
	}
	return awaitReload(ctx, statePath, pid, want)
}

func awaitReload(ctx context.Context, statePath string, pid, want int) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := ReadState(statePath)
		if err != nil || s.PID != pid || s.Stale() {
			return fmt.Errorf("reload: process %d ended meanwhile: %w", pid, ErrNotRunning)
		}
		if s.Reload.Seq >= want {
			if s.Reload.Loaded {
				return fmt.Errorf("%w: %s", ErrPass, s.Reload.Error)
			}
			if !s.Reload.OK {
				return fmt.Errorf("%w: %s", ErrReload, s.Reload.Error)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("reload: no answer from process %d: %w", pid, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

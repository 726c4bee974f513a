package systemd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
)

// postgresqlUnit is what the daemon may ask root to restart: the unit of the whole service, or one cluster's instance
// as Debian names it (VERSION-NAME).
var postgresqlUnit = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^postgresql(@[0-9]{2}-[A-Za-z0-9][A-Za-z0-9_.-]{0,62})?\.service$`)
})

// ErrNotPostgreSQL says that a restart was asked for of something that is not PostgreSQL.
var ErrNotPostgreSQL = errors.New("not a unit of PostgreSQL (postgresql.service or postgresql@VERSION-NAME.service)")

// RestartPostgreSQL restarts the unit named in the flag file, which the unprivileged daemon wrote, and removes the flag
// before it does so: a flag left behind would start the oneshot again and again. No flag is nothing to do. The file's
// folder belongs to the daemon's user, so links are not followed and only a unit of PostgreSQL is accepted.
func RestartPostgreSQL(ctx context.Context, flag string, restart func(ctx context.Context, unit string) error) error {
	unit, err := readFlag(flag)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if rm := os.Remove(flag); rm != nil {
		return fmt.Errorf("restart flag: %w", rm)
	}
	if err != nil {
		return fmt.Errorf("restart flag: %w", err)
	}
	if !postgresqlUnit().MatchString(unit) {
		return fmt.Errorf("restart flag %s: %.80q: %w", flag, unit, ErrNotPostgreSQL)
	}
	if err := restart(ctx, unit); err != nil {
		return fmt.Errorf("restart %s: %w", unit, err)
	}
	return nil
}

func readFlag(path string) (string, error) {
	// Non-blocking, or a FIFO in its place would hold root's oneshot for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, 256))
	return strings.TrimSpace(string(b)), err
}

// SystemctlRestart queues the restart of a unit and does not wait for it: an instance of PostgreSQL that cannot come up
// stays activating on Debian, and whoever asked for the restart sees how it ends.
func SystemctlRestart(ctx context.Context, unit string) error {
	out, err := exec.CommandContext(ctx, "systemctl", "restart", "--no-block", "--", unit).CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

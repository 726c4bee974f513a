package dump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Job is a dump that pg_dump is to write.
type Job struct {
	Env      []string // how to connect
	Snapshot string   // that it reads, as pg_export_snapshot named it
	To       string   // the file
	Major    int      // the server's version
}

// zstdFrom is the version from which on pg_dump knows zstd, if it was built with it.
const zstdFrom = 16

// Write runs pg_dump of the server's version or a newer one: an older one refuses, and should. How long it may wait for locks is for
// the context to say: its own bound is one for each table, and its message does not say whom it has waited for. Publications and
// subscriptions are left out: whose they are has to be an administrator, as the role that executes a dump is not.
func (j Job) Write(ctx context.Context) error {
	tool, major, err := ToolFor("pg_dump", j.Major)
	if err != nil {
		return err
	}
	args := []string{"--format=custom", "--snapshot=" + j.Snapshot, "--file=" + j.To, "--no-publications", "--no-subscriptions", "--no-password"}
	if major >= zstdFrom {
		err = j.run(ctx, tool, append(args, "--compress=zstd"))
		if err == nil || !strings.Contains(err.Error(), "compress") {
			return err
		}
	}
	return j.run(ctx, tool, args)
}

func (j Job) run(ctx context.Context, tool string, args []string) error {
	_, err := run(ctx, j.Env, tool, args...)
	return err
}

// List requires of an archive that pg_restore can read what is in it, and that the rows of public.session are.
func List(ctx context.Context, path string, major int) error {
	tool, _, err := ToolFor("pg_restore", major)
	if err != nil {
		return err
	}
	out, err := run(ctx, nil, tool, "--list", path)
	if err != nil {
		return err
	}
	if !strings.Contains(out, " TABLE DATA public session ") {
		return fmt.Errorf("%s lists no rows of public.session", filepath.Base(path))
	}
	return nil
}

// run runs a program of PostgreSQL, and makes an error of what it says.
func run(ctx context.Context, env []string, tool string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Env = append(env, "LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin", "HOME=/nonexistent")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// At that pg_dump ends what it has the server do. Killed, it would leave its place in the queue for a lock to nobody.
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, 5*time.Second
	var out, says bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &says
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		first, _, _ := strings.Cut(strings.TrimSpace(says.String()), "\n")
		return "", fmt.Errorf("%s: %w", strings.TrimPrefix(first, filepath.Base(tool)+": "), err)
	}
	return out.String(), nil
}

var versionLike = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\) (\d+)`) })

// ErrTool says that a program of PostgreSQL is missing, or too old.
var ErrTool = errors.New("install PostgreSQL's client programs of that version")

// ToolFor finds a program of a server's version, else the oldest that is newer.
func ToolFor(name string, major int) (path string, version int, err error) {
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	best := 0
	for _, p := range all {
		if v, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(p)))); err == nil && v >= major && (best == 0 || v < best) {
			best, path = v, p
		}
	}
	if best > 0 {
		return path, best, nil
	}
	remedy := fmt.Sprintf("%%w (Debian: sudo apt install postgresql-client-%d)", major)
	if path, err = exec.LookPath(name); err != nil || strings.HasPrefix(path, "/usr/bin/") && len(all) > 0 {
		// Debian's own in PATH leads to one of those below /usr/lib.
		return "", 0, fmt.Errorf("there is no %s of PostgreSQL %d or newer on this host: "+remedy, name, major, ErrTool)
	}
	out, err := exec.Command(path, "--version").Output()
	if m := versionLike().FindStringSubmatch(string(out)); err == nil && m != nil {
		version, _ = strconv.Atoi(m[1])
	}
	if version < major {
		return "", 0, fmt.Errorf("%s is of PostgreSQL %d, the server is %d: "+remedy, path, version, major, ErrTool)
	}
	return path, version, nil
}

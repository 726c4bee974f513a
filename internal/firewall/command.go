package firewall

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The errors that a caller may want to tell apart. Each that is returned carries the next step.
var (
	ErrMissing      = errors.New("iptables is missing")
	ErrNotPermitted = errors.New("not permitted to manage the firewall")
	ErrBusy         = errors.New("the firewall is busy")
)

const (
	execTimeout = 10 * time.Second // for one run of a tool; they take milliseconds
	lockSeconds = 5                // to wait for the lock of xtables, which only legacy takes
)

// run executes one tool in a clean environment and returns what it printed to stdout.
func (h *Host) run(ctx context.Context, stdin, tool string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, execTimeout, fmt.Errorf("no answer in %s", execTimeout))
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=" + strings.Join(h.dirs, ":")}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	cmd.WaitDelay = time.Second
	err := h.Writers.start(func() (int, error) {
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		return cmd.Process.Pid, nil
	})
	if err == nil {
		err = cmd.Wait()
	}
	if err == nil {
		return stdout.String(), nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return "", explain(strings.Join(append([]string{filepath.Base(tool)}, args...), " "), stderr.String(), err)
}

// explain turns what a tool complained about into an error of a known kind.
func explain(command, complaint string, err error) error {
	complaint = strings.Join(strings.FieldsFunc(complaint, func(r rune) bool { return r == '\n' }), "; ")
	switch {
	case containsAny(complaint, "you must be root", "Permission denied", "Operation not permitted"):
		return fmt.Errorf("%s: %w: %s: run it as root or with CAP_NET_ADMIN", command, ErrNotPermitted, complaint)
	case containsAny(complaint, "Address family not supported"): // AF_INET, which nft does without, is closed to the unit
		return fmt.Errorf("%s: %w: %s: the legacy back end needs the drop-in examples/legacy-iptables.conf of sessiondbd's documentation, or set firewall.backend: auto",
			command, ErrNotPermitted, complaint)
	case containsAny(complaint, "holding the xtables lock", "Resource temporarily unavailable"):
		return fmt.Errorf("%s: %w: %s: try again; `fuser /run/xtables.lock` names who holds it", command, ErrBusy, complaint)
	case complaint == "":
		return fmt.Errorf("%s: %w", command, err)
	}
	return fmt.Errorf("%s: %w: %s", command, err, complaint)
}

func containsAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// searchPath is PATH, then the places where distributions keep iptables and an unprivileged PATH does not look.
func searchPath() []string {
	return append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin", "/usr/bin", "/bin", "/run/current-system/sw/bin")
}

// lookPath finds an executable, or returns "".
func lookPath(dirs []string, name string) string {
	for _, d := range dirs {
		if !filepath.IsAbs(d) {
			continue
		}
		path := filepath.Join(d, name)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

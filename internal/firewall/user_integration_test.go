//go:build integration

package firewall

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sessiondbd/internal/plan"
)

// asUser is the whole job in the shoes of whoever runs it.
func asUser() int {
	ctx := context.Background()
	h, err := Open(ctx, Auto)
	if err == nil {
		var o Observation
		if o, err = h.Observe(ctx, 5432); err == nil {
			err = plan.Apply(ctx, plan.Plan{Resources: Diff(twoVMs(), o)}, h, func(c plan.Change) { fmt.Println(c) }).Err()
		}
	}
	if err != nil {
		fmt.Println(errors.Is(err, ErrNotPermitted), err)
		return 1
	}
	return 0
}

// The unit runs as a user of its own with CAP_NET_ADMIN and nothing else; without it the error says so.
func TestStaticUser(t *testing.T) {
	inHypervisor(t, func(t *testing.T, w world) {
		exe := readable(t)
		for _, row := range []struct {
			name string
			caps []uintptr
			want string
		}{
			{"nobody", nil, "true not permitted to manage the firewall: CAP_NET_ADMIN is missing: run it as root\n"},
			{"CAP_NET_ADMIN", []uintptr{unix.CAP_NET_ADMIN}, ""},
		} {
			cmd := exec.Command(exe)
			cmd.Env = append(os.Environ(), userEnv+"=1")
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, AmbientCaps: row.caps}
			out, err := cmd.CombinedOutput()
			if row.want != "" && string(out) != row.want {
				t.Errorf("%s: %q, not %q", row.name, out, row.want)
			}
			if row.want == "" && (err != nil || strings.Count(string(out), "\n") != 8) {
				t.Errorf("%s: %v\n%s", row.name, err, out)
			}
		}
		if left := lines(Diff(twoVMs(), observed(t, opened(t, Auto)))); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	})
}

// readable copies the test binary to where every user may run it.
func readable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "firewall")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	in, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	path := filepath.Join(dir, "firewall.test")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(out.Close(), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

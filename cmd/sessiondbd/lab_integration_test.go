//go:build integration

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/plan"
)

// making is held by who runs make in the checkout: two at once would write one binary.
var making sync.Mutex

// install is `make install` into a root that is not running, with what the package's scripts will do.
func install(ctx context.Context, r *lab.Root) error {
	top, err := lab.Checkout()
	if err != nil {
		return err
	}
	making.Lock()
	defer making.Unlock()
	out, err := exec.CommandContext(ctx, "make", "-C", top, "install", "DESTDIR="+r.Dir).CombinedOutput()
	if err != nil {
		return errors.New(string(out))
	}
	_, err = r.Run(ctx, "systemd-sysusers", "sessiondbd.conf")
	return err
}

// boot starts a hypervisor with sessiondbd installed and not yet started.
func boot(t *testing.T, o lab.Options) *lab.Hypervisor {
	t.Helper()
	prepare := o.Prepare
	o.Prepare = func(ctx context.Context, r *lab.Root) error {
		if err := install(ctx, r); err != nil || prepare == nil {
			return err
		}
		return prepare(ctx, r)
	}
	return lab.BootT(t, o)
}

// run executes a command on the hypervisor and returns its output and exit code.
func run(t *testing.T, h *lab.Hypervisor, argv ...string) (stdout, stderr string, code int) {
	t.Helper()
	r, err := h.Exec(t.Context(), lab.Command{Argv: argv})
	var exit *lab.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", strings.Join(argv, " "), err)
	}
	return r.Stdout, r.Stderr, r.Code
}

// must executes a command that has to succeed.
func must(t *testing.T, h *lab.Hypervisor, argv ...string) string {
	t.Helper()
	out, errOut, code := run(t, h, argv...)
	if code != 0 {
		journal, _ := h.Journal(t.Context(), "sessiondbd")
		t.Fatalf("%s: exit %d\n%s%s\njournal:\n%s", strings.Join(argv, " "), code, out, errOut, journal)
	}
	return out
}

func sh(t *testing.T, h *lab.Hypervisor, script string) string {
	t.Helper()
	return must(t, h, "sh", "-euc", script)
}

// report is what plan or apply print with --json.
func report(t *testing.T, h *lab.Hypervisor, args ...string) (plan.Report, int) {
	t.Helper()
	out, errOut, code := run(t, h, append([]string{"sessiondbd"}, append(args, "--json")...)...)
	r, err := decode(out)
	if err != nil {
		t.Fatalf("sessiondbd %s: exit %d, no report: %v\n%s%s", strings.Join(args, " "), code, err, out, errOut)
	}
	return r, code
}

// decode reads the one document that plan or apply print with --json, and nothing else may be there.
func decode(out string) (plan.Report, error) {
	var r plan.Report
	if _, err := onlyDocument(out); err != nil {
		return r, err
	}
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	return r, d.Decode(&r)
}

// inSync requires that plan has nothing to say but warnings.
func inSync(t *testing.T, h *lab.Hypervisor) {
	t.Helper()
	if r, code := report(t, h, "plan"); code != exitOK || !r.InSync {
		t.Errorf("plan: exit %d: %+v", code, r)
	}
}

// tries connects to a host's port 5432 from a peer; nil when somebody answers.
func tries(t *testing.T, from *lab.Peer, host string) error {
	t.Helper()
	_, err := from.Run(t.Context(), "timeout", "1", "bash", "-c", "exec 3<>/dev/tcp/"+host+"/5432")
	return err
}

// asVM runs SQL as sessionuser from a VM.
func asVM(t *testing.T, vm *lab.Peer, password, sql string) (string, error) {
	t.Helper()
	r, err := vm.Exec(t.Context(), lab.Command{
		Argv: []string{"psql", "-X", "-At", "-h", vm.Gateway, "-U", "sessionuser", "-d", "sessiondb", "-c", sql},
		Env:  []string{"PGPASSWORD=" + password, "PGCONNECT_TIMEOUT=3"},
	})
	if err != nil {
		return "", errors.New(strings.TrimSpace(r.Stderr))
	}
	return strings.TrimSpace(r.Stdout), nil
}

// eventually waits for something that the daemon is to do.
func eventually(t *testing.T, what string, within time.Duration, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

func testdata(t *testing.T, name string) string {
	t.Helper()
	top, err := lab.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(top, "testdata", name)
}

func lastLine(s string) string {
	b := bytes.TrimSpace([]byte(s))
	return string(b[bytes.LastIndexByte(b, '\n')+1:])
}

package firewall

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestExplain(t *testing.T) {
	other := errors.New("exit status 1")
	for complaint, want := range map[string]error{
		"iptables-save v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)\n":  ErrNotPermitted,
		"Fatal: can't open lock file /run/xtables.lock: Permission denied\n":                                                ErrNotPermitted,
		"Another app is currently holding the xtables lock; still 4s 0us time ahead to have a chance to grab the lock...\n": ErrBusy,
		"iptables-save v1.8.9 (legacy): Cannot initialize: Address family not supported by protocol\n":                      ErrNotPermitted,
		"iptables-restore: line 3 failed\n": other,
		"":                                  other,
	} {
		if err := explain("iptables-save", complaint, other); !errors.Is(err, want) || !strings.HasPrefix(err.Error(), "iptables-save: ") {
			t.Errorf("%q: %v is not %v", complaint, err, want)
		}
	}
}

// A tool that hangs, or leaves a child that holds its output, does not hang us.
func TestRunIsBounded(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "iptables")
	if err := os.WriteFile(tool, []byte("#!/bin/sh\nsleep 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	h := &Host{dirs: searchPath()}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := h.run(ctx, "", tool); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is not %v", err, context.DeadlineExceeded)
	}
	if took := time.Since(start); took > 2500*time.Millisecond {
		t.Errorf("took %s", took)
	}
}

func TestRunEnvironment(t *testing.T) {
	t.Setenv("XTABLES_LIBDIR", "/nowhere")
	out, err := (&Host{dirs: []string{"/usr/bin", "/bin"}}).run(t.Context(), "", lookPath(searchPath(), "env"))
	if err != nil || out != "LC_ALL=C\nPATH=/usr/bin:/bin\n" {
		t.Errorf("%q, %v", out, err)
	}
}

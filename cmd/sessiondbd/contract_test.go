package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets scripts run the command as a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, map[string]func(){"sessiondbd": main})
}

// tidy removes what tests share when all of them have run.
type tidy struct{ *testing.M }

var shared []string

func (m tidy) Run() int {
	defer func() {
		for _, dir := range shared {
			_ = os.RemoveAll(dir)
		}
	}()
	return m.M.Run()
}

// The scripts hold the command line to the contract, with no PostgreSQL and no firewall in reach.
func TestContract(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			if err := os.Chmod(e.WorkDir, 0o755); err != nil {
				return err
			}
			e.Setenv("SESSIONDBD_RUN_DIR", filepath.Join(e.WorkDir, "run"))
			e.Setenv("SESSIONDBD_STATE_DIR", filepath.Join(e.WorkDir, "state"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "onejson": oneJSON},
	})
}

// exits runs a command that has to end with a given code: exits CODE command…
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code command...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%s: exit %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
	for _, secret := range []string{documentedPassword, "s3cret", "SCRAM-SHA-256$"} {
		if strings.Contains(ts.ReadFile("stdout")+ts.ReadFile("stderr"), secret) {
			ts.Fatalf("%s: the output holds a secret (%s)", strings.Join(args[1:], " "), secret)
		}
	}
}

const documentedPassword = "sessionpass123"

// oneJSON requires that standard output is one JSON object and nothing else, with exactly the given keys: onejson key…
func oneJSON(ts *testscript.TestScript, neg bool, keys []string) {
	doc, err := onlyDocument(ts.ReadFile("stdout"))
	if err != nil {
		ts.Fatalf("stdout: %v", err)
	}
	for _, k := range keys {
		if _, ok := doc[k]; !ok {
			ts.Fatalf("stdout lacks %q", k)
		}
		delete(doc, k)
	}
	if neg || len(keys) > 0 && len(doc) > 0 {
		ts.Fatalf("stdout has further keys: %v", doc)
	}
}

// onlyDocument reads one JSON object after which nothing comes.
func onlyDocument(s string) (map[string]any, error) {
	d := json.NewDecoder(strings.NewReader(s))
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("%w in %q", err, s)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one document: %q", s)
	}
	return doc, nil
}

// The default path is the machine's, so that this one is no script: absent is the documented hypervisor, present is read.
func TestDefaultPath(t *testing.T) {
	for _, tt := range []struct {
		name  string
		text  *string
		named bool
		limit int
		exit  int
	}{
		{"absent", nil, false, 80, exitOK},
		{"absent though named", nil, true, 0, exitConfig},
		{"empty", new(string), false, 80, exitOK},
		{"present", text("roles: [{name: sessionuser, connection_limit: 7}]"), false, 7, exitOK},
		{"present but wrong", text("roles: 7"), false, 0, exitConfig},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &app{configPath: filepath.Join(t.TempDir(), "config.yaml"), configSet: tt.named}
			if tt.text != nil {
				if err := os.WriteFile(a.configPath, []byte(*tt.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cfg, err := a.loadConfig()
			if got := exitCode(err); got != tt.exit {
				t.Fatalf("exit %d, want %d: %v", got, tt.exit, err)
			}
			if err == nil && cfg.Roles[0].ConnectionLimit != tt.limit {
				t.Errorf("connection_limit %d, want %d", cfg.Roles[0].ConnectionLimit, tt.limit)
			}
		})
	}
}

func text(s string) *string { return &s }

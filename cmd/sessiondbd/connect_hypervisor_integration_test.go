//go:build integration

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/operate"
)

// nasty is a password with everything that a shell, a URL or a string of some language could trip over.
const nasty = `a'b"c%41@d e\n$HOME ` + "`id`" + ` $(id)!#?&;:/[]{}|<>*~^=+,\\'`

// connectInfo runs connect-info and returns what it prints, and what it notes beside.
func connectInfo(t *testing.T, h *lab.Hypervisor, args ...string) (text, notes string) {
	t.Helper()
	out, errOut, code := run(t, h, append([]string{"sessiondbd", "connect-info"}, args...)...)
	if code != exitOK {
		t.Fatalf("%v: exit %d\n%s%s", args, code, out, errOut)
	}
	return out, errOut
}

// snippetRuns are how what is printed is used in a VM; each prints the number of sessions, or fails.
func snippetRuns(t *testing.T) map[string]func(snippet string) lab.Command {
	t.Helper()
	if _, err := lab.Clients(t.Context()); err != nil { // brings node's pg into the cache
		t.Fatal(err)
	}
	cache, err := lab.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	modules, err := filepath.Glob(filepath.Join(cache, "client-node-*", "node_modules"))
	if err != nil || len(modules) == 0 {
		t.Fatalf("node's pg is not in %s: %v", cache, err)
	}
	top, err := lab.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const count = ` -XAtc 'SELECT count(*) FROM session'`
	return map[string]func(string) lab.Command{
		"psql": func(s string) lab.Command {
			return lab.Command{Argv: []string{"sh", "-c", strings.TrimSpace(s) + count}}
		},
		"url": func(s string) lab.Command { // pasted as it is, without quotes
			return lab.Command{Argv: []string{"sh", "-c", "psql " + strings.TrimSpace(s) + count}}
		},
		"env": func(s string) lab.Command {
			return lab.Command{Argv: []string{"sh", "-euc", "set -a; . " + file("env", s) + "; set +a; psql" + count}}
		},
		"psycopg2": func(s string) lab.Command {
			return lab.Command{Argv: []string{"/usr/bin/python3", file("main.py", s)}}
		},
		"node": func(s string) lab.Command {
			return lab.Command{Argv: []string{node, file("main.js", s)}, Env: []string{"NODE_PATH=" + modules[0]}}
		},
		"go": func(s string) lab.Command {
			binary := filepath.Join(t.TempDir(), "client")
			build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", binary, file("main.go", s))
			build.Dir = top // whose modules it uses
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			return lab.Command{Argv: []string{binary}}
		},
	}
}

// What connect-info prints is put into a VM and run, with a password that nothing may trip over; then over TLS alone.
func TestConnectInfo(t *testing.T) {
	t.Parallel()
	h := boot(t, lab.Options{})
	if err := h.WriteFile(t.Context(), credentialFile, []byte(nasty), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, h, "systemctl", "start", "sessiondbd")
	psql(t, h, "INSERT INTO session (inbox_status) SELECT 'pending' FROM generate_series(1, 7)")
	runs := snippetRuns(t)
	if len(runs) != len(operate.Formats) {
		t.Fatalf("%d formats, %d ways to run them", len(operate.Formats), len(runs))
	}
	all := func(t *testing.T) {
		for i, format := range operate.Formats {
			t.Run(format, func(t *testing.T) {
				vm := h.VMs()[i%len(h.VMs())]
				name := "vm" + string(rune('0'+vm.Number))
				snippet, notes := connectInfo(t, h, name, "--format", format, "--show-password")
				if strings.Contains(notes, nasty) || strings.Contains(notes, operate.Placeholder) {
					t.Errorf("notes: %s", notes)
				}
				r, err := vm.Exec(t.Context(), runs[format](snippet))
				if err != nil || strings.TrimSpace(r.Stdout) != "7" {
					t.Errorf("%v: %q in\n%s", err, r.Stdout, snippet)
				}
				hidden, notes := connectInfo(t, h, name, "--format", format)
				if strings.Contains(hidden, "a'b") || hidden == snippet || !strings.Contains(notes, "credential sessionuser.password; --show-password prints it") {
					t.Errorf("without --show-password:\n%s\nnotes: %s", hidden, notes)
				}
				if format != "psql" && !strings.Contains(hidden, operate.Placeholder) {
					t.Errorf("no placeholder in\n%s", hidden)
				}
			})
		}
	}
	t.Run("systemd's EnvironmentFile", func(t *testing.T) {
		snippet, _ := connectInfo(t, h, "vm1", "--format", "env", "--show-password")
		if err := h.WriteFile(t.Context(), "/root/env", []byte(snippet), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := must(t, h, "systemd-run", "--wait", "--pipe", "--quiet", "-p", "EnvironmentFile=/root/env", "printenv", "PGPASSWORD"); out != nasty+"\n" {
			t.Errorf("systemd reads %q", out)
		}
	})
	must(t, h, "systemctl", "stop", "sessiondbd") // which would put its block before the line that comes now
	t.Run("TLS alone", func(t *testing.T) {       // Debian's PostgreSQL has a certificate of its own
		sh(t, h, "sed -i '1i hostnossl all all all reject' /etc/postgresql/15/main/pg_hba.conf; systemctl restart postgresql@15-main")
		plain := lab.Command{Argv: []string{"psql", "-h", h.VM(1).Gateway, "-U", "sessionuser", "-d", "sessiondb", "-c", "SELECT 1"}, Env: []string{"PGPASSWORD=" + nasty, "PGSSLMODE=disable"}}
		eventually(t, "nobody gets in without TLS", 20*time.Second, func() bool {
			_, err := h.VM(1).Exec(t.Context(), plain)
			return err != nil
		})
		if _, notes := connectInfo(t, h, "vm1"); !strings.Contains(notes, "the server offers TLS") {
			t.Errorf("no word of TLS: %s", notes)
		}
		all(t)
	})
	t.Run("without TLS", func(t *testing.T) {
		sh(t, h, "sed -i 1d /etc/postgresql/15/main/pg_hba.conf; echo 'ssl = off' >>/etc/postgresql/15/main/postgresql.conf; systemctl restart postgresql@15-main")
		if _, notes := connectInfo(t, h, "vm1"); strings.Contains(notes, "TLS") {
			t.Errorf("TLS is offered where there is none: %s", notes)
		}
		all(t)
	})
}

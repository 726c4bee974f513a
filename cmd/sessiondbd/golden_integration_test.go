//go:build integration

package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"sessiondbd/internal/lab"
)

// Plans are documentation: an administrator decides by them. They are kept as text, so that a change of wording is seen
// in review as what it is. What differs from run to run is made equal; nothing else is.
var volatile = []struct {
	pattern *regexp.Regexp
	becomes string
}{
	{regexp.MustCompile(`cluster \d{15,}`), "cluster 7300000000000000000"},
	{regexp.MustCompile(`OID \d+`), "OID 16400"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d\.\d{3}\b`), "12:00:00.000"},
	{regexp.MustCompile(`\b(on|since) 20\d\d-\d\d-\d\d\b`), "$1 2026-01-01"},
}

func normalise(s string) string {
	for _, v := range volatile {
		s = v.pattern.ReplaceAllString(s, v.becomes)
	}
	return s
}

// golden compares a plan with the text that is kept of it.
func golden(t *testing.T, name, have string) {
	t.Helper()
	path := testdata(t, filepath.Join("golden", name))
	have = normalise(have)
	if *update {
		if err := os.WriteFile(path, []byte(have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(have, "\n")); d != "" {
		t.Errorf("%s (-want +have); go test -run %s -update writes it:\n%s", path, t.Name(), d)
	}
	if strings.Contains(have, documented) || strings.Contains(have, "SCRAM-SHA-256$") {
		t.Errorf("%s holds a password or a verifier", path)
	}
	if strings.HasSuffix(name, ".txt") {
		narrow(t, name, have)
	}
}

// narrow holds a plan to what a terminal shows without wrapping. Commands and lines to copy may be longer: cutting them
// would break them.
func narrow(t *testing.T, name, text string) {
	t.Helper()
	const width = 120
	for i, line := range strings.Split(text, "\n") {
		if n := utf8.RuneCountInString(line); n > width && !strings.Contains(line, "→ ") {
			t.Errorf("%s:%d is %d columns wide: %s", name, i+1, n, line)
		}
	}
}

// planText is what `sessiondbd plan` prints, with its exit code.
func planText(t *testing.T, h *lab.Hypervisor) (string, int) {
	t.Helper()
	out, errOut, code := run(t, h, "sessiondbd", "plan")
	if errOut != "" {
		t.Errorf("plan complains: %s", errOut)
	}
	return out, code
}

// TestGoldenPlans takes one fresh Debian from nothing through a restart that has to wait to twelve drifts and back.
func TestGoldenPlans(t *testing.T) {
	h := boot(t, lab.Options{Prepare: withSudo})
	t.Run("bare host", func(t *testing.T) { bareHost(t, h) })
	t.Run("restart waits for sessions", func(t *testing.T) { restartWaits(t, h) })
	t.Run("twelve drifts", func(t *testing.T) { twelveDrifts(t, h) })
	t.Run("restart policy", func(t *testing.T) { restartPolicy(t, h) })
}

func bareHost(t *testing.T, h *lab.Hypervisor) {
	// PostgreSQL's start pulled the guard in; a bare host has not even that.
	must(t, h, "systemctl", "stop", "sessiondbd-firewall")
	must(t, h, "sessiondbd", "remove")
	text, code := planText(t, h)
	golden(t, "plan-bare.txt", text)
	if code != exitPending {
		t.Errorf("plan: exit %d", code)
	}
	twin, errOut, code := run(t, h, "sessiondbd", "plan", "--json")
	golden(t, "plan-bare.json", twin)
	if code != exitPending || errOut != "" {
		t.Errorf("plan --json: exit %d, %s", code, errOut)
	}
	if again, _ := planText(t, h); again != text {
		t.Errorf("plan changed something (-first +second):\n%s", cmp.Diff(text, again))
	}
}

// twelveDrifts are what hands do to a converged host, and one thing more that only a person can settle.
func twelveDrifts(t *testing.T, h *lab.Hypervisor) {
	if err := h.WriteFile(t.Context(), "/etc/credstore/sessionuser.password", []byte("a new one"), 0o400); err != nil {
		t.Fatal(err)
	}
	must(t, h, "sessiondbd", "apply")
	if _, err := asVM(t, h.VM(1), "a new one", "INSERT INTO session (inbox_status) SELECT 'pending' FROM generate_series(1, 50)"); err != nil {
		t.Fatal(err)
	}
	before := rows(t, h)
	psql(t, h,
		"DROP INDEX idx_session_parent",
		"ALTER TABLE session DISABLE TRIGGER update_session_updated_at",
		"CREATE OR REPLACE FUNCTION update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n    RETURN NEW;\nEND;\n$$",
		"ALTER TABLE session ALTER created_at SET DEFAULT '2020-01-01'",
		"ALTER TABLE session ALTER updated_at DROP NOT NULL",
		"ALTER TABLE session ADD COLUMN notes text",
		"GRANT TRUNCATE ON session TO sessionuser",
		"REVOKE INSERT ON session FROM sessionuser",
		"ALTER ROLE sessionuser PASSWORD 'by hand' CONNECTION LIMIT 5",
		"ALTER SYSTEM SET authentication_timeout = '1min'",
	)
	must(t, h, "systemctl", "stop", "sessiondbd-firewall") // it would mend its part before we look
	sh(t, h, "sed -i '/10.3.0.0/d' /etc/postgresql/15/main/pg_hba.conf; iptables -t mangle -D SESSIONDB-GUARD -j DROP; iptables -F SESSIONDB-ALLOW")
	text, code := planText(t, h)
	golden(t, "plan-drift.txt", text)
	if code != exitRefused {
		t.Errorf("plan: exit %d, although ALTER SYSTEM beats us", code)
	}
	r, code := report(t, h, "apply")
	if code != exitRefused || len(r.Refusals) != 1 || len(r.Blocked) != 0 {
		t.Fatalf("apply: exit %d, %+v", code, r)
	}
	follow(t, h, r.Refusals[0].Remedy)
	if left, code := report(t, h, "plan"); code != exitOK || !left.InSync || len(left.Warnings) != 1 {
		t.Errorf("after the remedy: exit %d, %+v", code, left)
	}
	if d := cmp.Diff(before, rows(t, h)); d != "" {
		t.Errorf("repairing changed rows (-before +after):\n%s", d)
	}
	if _, err := asVM(t, h.VM(3), "a new one", "INSERT INTO session (inbox_status) VALUES ('pending')"); err != nil {
		t.Error(err)
	}
}

// restartWaits: a fresh Debian listens on localhost; somebody who is connected is not cut off.
func restartWaits(t *testing.T, h *lab.Hypervisor) {
	somebody := openSession(t, h)
	r, code := report(t, h, "apply")
	if code != exitRefused || len(r.Refusals) != 1 || r.Refusals[0].Remedy != "sudo sessiondbd apply --restart-postgresql" {
		t.Errorf("apply with a session open: exit %d, refusals %+v, blocked %+v", code, r.Refusals, r.Blocked)
	}
	if len(r.Refusals) == 1 && !strings.Contains(r.Refusals[0].Summary, "postgres in postgres") {
		t.Errorf("the refusal does not say who is there: %s", r.Refusals[0].Summary)
	}
	if tries(t, h.VM(1), h.VM(1).Gateway) == nil {
		t.Error("PostgreSQL was restarted under somebody's feet")
	}
	if err := somebody.Kill(); err != nil {
		t.Fatal(err)
	}
	gone(t, h)
	must(t, h, "sessiondbd", "apply")
	inSync(t, h)
	if _, err := asVM(t, h.VM(5), documented, "SELECT 1"); err != nil {
		t.Error(err)
	}
}

// restartPolicy takes the setting away behind the daemon's back, so that a restart is needed again.
func restartPolicy(t *testing.T, h *lab.Hypervisor) {
	configure := func(text string) {
		if err := h.WriteFile(t.Context(), configFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shut := func() {
		sh(t, h, "rm -f /etc/postgresql/15/main/conf.d/sessiondbd.conf; systemctl restart postgresql@15-main")
	}
	shut()
	configure("server: {restart: never}\n")
	r, code := report(t, h, "apply")
	if code != exitRefused || len(r.Refusals) != 1 || !strings.Contains(r.Refusals[0].Summary, "server.restart is never") ||
		r.Refusals[0].Remedy != "sudo systemctl restart postgresql@15-main.service" {
		t.Errorf("restart: never, nobody connected: exit %d, %+v", code, r.Refusals)
	}
	if tries(t, h.VM(1), h.VM(1).Gateway) == nil {
		t.Error("PostgreSQL was restarted although the config says never")
	}
	configure("")
	openSession(t, h)
	if r, code := report(t, h, "apply", "--restart-postgresql"); code != exitOK || !r.InSync {
		t.Errorf("--restart-postgresql with a session open: exit %d, %+v", code, r)
	}
	inSync(t, h)
	if err := tries(t, h.VM(1), h.VM(1).Gateway); err != nil {
		t.Errorf("VM 1 after the restart: %v", err)
	}
	// The daemon restarts by itself as soon as nobody is there.
	configure("reconcile: {interval: 1s}\n")
	shut()
	somebody := openSession(t, h)
	sh(t, h, "systemctl start --no-block sessiondbd")
	eventually(t, "the daemon says what it waits for", 10*time.Second, func() bool {
		out, _, _ := run(t, h, "sessiondbd", "status")
		return strings.Contains(out, "apply --restart-postgresql")
	})
	if err := somebody.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "restarted and converged once nobody is there", 15*time.Second, func() bool {
		_, _, code := run(t, h, "sessiondbd", "status")
		return code == exitOK
	})
}

// openSession is an administrator in the middle of a transaction.
func openSession(t *testing.T, h *lab.Hypervisor) *lab.Process {
	t.Helper()
	const script = "(echo 'BEGIN; SELECT 1;'; exec sleep 600) | exec psql -qX -d postgres"
	p, err := h.Start(t.Context(), "runuser", "-u", "postgres", "--", "sh", "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Kill() })
	eventually(t, "a session in a transaction", 5*time.Second, func() bool { return inTransaction(t, h) == "1" })
	return p
}

// gone waits until the server has noticed that the session ended.
func gone(t *testing.T, h *lab.Hypervisor) {
	t.Helper()
	eventually(t, "the session is gone", 5*time.Second, func() bool { return inTransaction(t, h) == "0" })
}

func inTransaction(t *testing.T, h *lab.Hypervisor) string {
	t.Helper()
	n, err := h.PSQL(t.Context(), "postgres", "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// withSudo installs as much of sudo as remedies use: they are run as they are printed.
func withSudo(ctx context.Context, r *lab.Root) error {
	const sudo = `#!/bin/sh
if [ "$1" = -u ]; then user=$2; shift 2; exec runuser -u "$user" -- "$@"; fi
exec "$@"
`
	return r.WriteFile(ctx, "/usr/local/bin/sudo", []byte(sudo), 0o755)
}

// follow does what a remedy says.
func follow(t *testing.T, h *lab.Hypervisor, remedy string) {
	t.Helper()
	must(t, h, "sh", "-ec", remedy)
}

// psql runs statements in the session database as the administrator, each by itself.
func psql(t *testing.T, h *lab.Hypervisor, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := h.PSQL(t.Context(), "sessiondb", s); err != nil {
			t.Fatal(err)
		}
	}
}

// rows are all sessions in the documented columns, in a fixed order.
func rows(t *testing.T, h *lab.Hypervisor) []string {
	t.Helper()
	out, err := h.PSQL(t.Context(), "sessiondb", `SET timezone = 'UTC'; SELECT id, messages, inbox_status, sbx_config, parent,
		coalesce(created_at::text, 'NULL'), coalesce(updated_at::text, 'NULL') FROM session ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(out, "\n")
}

//go:build integration

package main

import (
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// serviceHost is a booted hypervisor with the service up.
type serviceHost struct {
	*lab.Hypervisor
	t *testing.T
}

// The service as an administrator at work meets it, with systemd 252 and 257.
func TestService(t *testing.T) {
	t.Parallel()
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			h := serviceHost{boot(t, lab.Options{Suite: suite}), t}
			must(t, h.Hypervisor, "systemctl", "start", "sessiondbd")
			for _, tt := range []struct {
				name string
				run  func(serviceHost)
			}{
				{"exposure", serviceHost.exposure},
				{"pause for maintenance", serviceHost.maintenance},
				{"pause without the daemon", serviceHost.pausedStart},
				{"pause ends by itself", serviceHost.pauseEnds},
				{"restore", serviceHost.restores},
				{"backup", serviceHost.backups},
				{"who may pause", serviceHost.whoMayPause},
				{"another database", serviceHost.otherDatabase},
				{"reload that cannot be applied", serviceHost.reloads},
				{"PostgreSQL comes and goes", serviceHost.comesAndGoes},
				{"a standby is promoted", serviceHost.promoted},
				{"an administrator over TCP", serviceHost.overTCP},
			} {
				t.Run(tt.name, func(t *testing.T) { h.t = t; tt.run(h) })
			}
		})
	}
}

// exposure is by systemd's own scale, in tenths.
func (h serviceHost) exposure() {
	for unit, tenths := range map[string]string{"sessiondbd.service": "3", "sessiondbd-firewall.service": "12"} {
		if out, _, code := run(h.t, h.Hypervisor, "systemd-analyze", "security", "--no-pager", "--threshold="+tenths, unit); code != 0 {
			h.t.Errorf("%s: %s", unit, lastLine(out))
		}
	}
}

func (h serviceHost) sql(db, sql string) string {
	h.t.Helper()
	return strings.TrimSpace(must(h.t, h.Hypervisor, "runuser", "-u", "postgres", "--", "psql", "-XAtqd", db, "-v", "ON_ERROR_STOP=1", "-c", sql))
}

func (h serviceHost) status() (string, int) {
	out, _, code := run(h.t, h.Hypervisor, "sessiondbd", "status")
	return out, code
}

func (h serviceHost) converges() {
	h.t.Helper()
	eventually(h.t, "converged", 20*time.Second, func() bool { _, code := h.status(); return code == 0 })
}

// maintenance is what a pause is for: the daemon's connection is gone, drift stays, and a dump can be put back.
func (h serviceHost) maintenance() {
	h.sql("sessiondb", "INSERT INTO session (inbox_status) VALUES ('completed')")
	rows := h.sql("sessiondb", "SELECT count(*) FROM session")
	out := must(h.t, h.Hypervisor, "sessiondbd", "pause", "--for", "10m")
	if !strings.Contains(out, "has let go") {
		h.t.Errorf("pause says %q", out)
	}
	if n := h.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sessiondbd'"); n != "0" {
		h.t.Errorf("%s connections of ours are left", n)
	}
	if out, code := h.status(); code != exitFailure || !strings.Contains(out, "paused until") || !strings.Contains(out, "sudo sessiondbd resume") {
		h.t.Errorf("status exits %d:\n%s", code, out)
	}
	if out := must(h.t, h.Hypervisor, "systemctl", "show", "-P", "StatusText", "sessiondbd"); !strings.Contains(out, "paused until") {
		h.t.Errorf("systemctl shows %q", out)
	}
	h.sql("sessiondb", "DROP INDEX idx_session_parent")
	must(h.t, h.Hypervisor, "nft", "flush", "ruleset")
	eventually(h.t, "the firewall is kept", 5*time.Second, func() bool {
		_, _, code := run(h.t, h.Hypervisor, "sh", "-c", "iptables -t mangle -S SESSIONDB-GUARD | grep -q DROP")
		return code == 0
	})
	if _, errOut, code := run(h.t, h.Hypervisor, "sessiondbd", "apply"); code != exitTryAgain || !strings.Contains(errOut, "sudo sessiondbd resume") {
		h.t.Errorf("apply in a pause exits %d: %s", code, errOut)
	}
	sh(h.t, h.Hypervisor, `cd /tmp; runuser -u postgres -- pg_dump -Fc -f /tmp/dump sessiondb
		runuser -u postgres -- pg_restore --clean --if-exists -d sessiondb /tmp/dump`)
	if n := h.sql("sessiondb", "SELECT count(*) FROM pg_indexes WHERE indexname = 'idx_session_parent'"); n != "0" {
		h.t.Error("drift was repaired in a pause")
	}
	must(h.t, h.Hypervisor, "sessiondbd", "pause", "--for", "20m") // longer
	if out := must(h.t, h.Hypervisor, "sessiondbd", "resume"); !strings.Contains(out, "Resumed. schema 0004") {
		h.t.Errorf("resume says %q", out)
	}
	h.converges()
	inSync(h.t, h.Hypervisor)
	if n := h.sql("sessiondb", "SELECT count(*) FROM session"); n != rows {
		h.t.Errorf("%s rows, there were %s", n, rows)
	}
	if out := must(h.t, h.Hypervisor, "sessiondbd", "resume"); !strings.Contains(out, "Not paused") {
		h.t.Errorf("a second resume says %q", out)
	}
}

// restores takes the documentation's backup and puts it back with a daemon that runs, as the administrator types it.
func (h serviceHost) restores() {
	h.t.Helper()
	sh(h.t, h.Hypervisor, "cd /tmp; umask 077; runuser -u postgres -- pg_dump sessiondb | gzip > /root/backup.sql.gz")
	h.sql("sessiondb", "INSERT INTO session DEFAULT VALUES")
	rows := h.sql("sessiondb", "SELECT count(*) FROM session")
	out := must(h.t, h.Hypervisor, "sessiondbd", "restore", "/root/backup.sql.gz")
	has(h.t, "restore", out, "SQL, gzip", "Everything is as the config says", "before: "+rows)
	h.converges()
	inSync(h.t, h.Hypervisor)
	_, kept, _ := strings.Cut(out, "--kept ")
	kept, _, _ = strings.Cut(kept, "\n")
	has(h.t, "restore --kept", must(h.t, h.Hypervisor, "sessiondbd", "restore", "--kept", kept), rows+" sessions")
	h.converges()
	if n := h.sql("sessiondb", "SELECT count(*) FROM session"); n != rows {
		h.t.Errorf("%s rows are back, want %s", n, rows)
	}
	for _, vm := range h.VMs() {
		if _, err := asVM(h.t, vm, documented, "SELECT 1"); err != nil {
			h.t.Error(err)
		}
	}
}

func (h serviceHost) pausedStart() {
	must(h.t, h.Hypervisor, "systemctl", "stop", "sessiondbd")
	if out := must(h.t, h.Hypervisor, "sessiondbd", "pause"); !strings.Contains(out, "not running") {
		h.t.Errorf("pause says %q", out)
	}
	must(h.t, h.Hypervisor, "systemctl", "start", "sessiondbd")
	if out, code := h.status(); code != exitFailure || !strings.Contains(out, "paused until") {
		h.t.Errorf("status exits %d:\n%s", code, out)
	}
	must(h.t, h.Hypervisor, "systemctl", "restart", "sessiondbd") // it outlasts the daemon
	if _, code := h.status(); code != exitFailure {
		h.t.Errorf("after a restart status exits %d", code)
	}
	must(h.t, h.Hypervisor, "sessiondbd", "resume")
	h.converges()
}

func (h serviceHost) pauseEnds() {
	h.sql("sessiondb", "DROP INDEX idx_session_parent")
	must(h.t, h.Hypervisor, "sessiondbd", "pause", "--for", "2s")
	eventually(h.t, "repaired after the pause", 20*time.Second, func() bool {
		return h.sql("sessiondb", "SELECT count(*) FROM pg_indexes WHERE indexname = 'idx_session_parent'") == "1"
	})
	h.converges()
}

func (h serviceHost) whoMayPause() {
	must(h.t, h.Hypervisor, "runuser", "-u", "postgres", "--", "sessiondbd", "pause")
	must(h.t, h.Hypervisor, "runuser", "-u", "postgres", "--", "sessiondbd", "resume")
	for _, command := range []string{"pause", "resume"} {
		if _, errOut, code := run(h.t, h.Hypervisor, "runuser", "-u", "nobody", "--", "sessiondbd", command); code != exitNotAllowed || !strings.Contains(errOut, "sudo") {
			h.t.Errorf("%s as nobody exits %d: %s", command, code, errOut)
		}
	}
	for _, length := range []string{"0s", "999ms", "169h", "-1h", "soon"} {
		if _, _, code := run(h.t, h.Hypervisor, "sessiondbd", "pause", "--for="+length); code != exitUsage {
			h.t.Errorf("--for %s exits %d", length, code)
		}
	}
	if _, code := h.status(); code != 0 {
		h.t.Error("and yet it is paused")
	}
}

// otherDatabase replaces the database in a pause: it is refused, and a start fails at once, until somebody accepts it.
func (h serviceHost) otherDatabase() {
	must(h.t, h.Hypervisor, "sessiondbd", "pause")
	h.sql("postgres", "DROP DATABASE sessiondb WITH (FORCE)")
	h.sql("postgres", "CREATE DATABASE sessiondb")
	out := must(h.t, h.Hypervisor, "sessiondbd", "resume")
	if !strings.Contains(out, "degraded") || !strings.Contains(out, "database/sessiondb refused") {
		h.t.Errorf("resume says %q", out)
	}
	if n := h.sql("sessiondb", "SELECT count(*) FROM pg_class WHERE relname = 'session'"); n != "0" {
		h.t.Error("another database was filled without a word")
	}
	begin := time.Now()
	if _, errOut, code := run(h.t, h.Hypervisor, "systemctl", "restart", "sessiondbd"); code == 0 {
		h.t.Errorf("a start that cannot serve succeeds: %s", errOut)
	}
	h.t.Logf("the start failed after %s", time.Since(begin).Round(time.Millisecond))
	if status := strings.TrimSpace(must(h.t, h.Hypervisor, "systemctl", "show", "-P", "ExecMainStatus", "sessiondbd")); status != "65" {
		h.t.Errorf("it ended with %s", status)
	}
	if journal, err := h.Journal(h.t.Context(), "sessiondbd"); err != nil || !strings.Contains(journal, "--accept-new-database") {
		h.t.Errorf("the journal does not tell the remedy: %v", err)
	}
	must(h.t, h.Hypervisor, "sessiondbd", "apply", "--accept-new-database")
	must(h.t, h.Hypervisor, "systemctl", "start", "sessiondbd")
	h.converges()

	// With the daemon up it is told at once.
	must(h.t, h.Hypervisor, "sessiondbd", "pause")
	h.sql("postgres", "DROP DATABASE sessiondb WITH (FORCE)")
	h.sql("postgres", "CREATE DATABASE sessiondb")
	must(h.t, h.Hypervisor, "sessiondbd", "resume")
	must(h.t, h.Hypervisor, "sessiondbd", "apply", "--accept-new-database")
	eventually(h.t, "the daemon sees that it is settled, before its interval", 5*time.Second, func() bool { _, code := h.status(); return code == 0 })
	if _, err := asVM(h.t, h.VM(1), documented, "INSERT INTO session DEFAULT VALUES"); err != nil {
		h.t.Error(err)
	}
}

// reloads: what is refused keeps the old state, and what cannot be applied says so.
func (h serviceHost) reloads() {
	const path = "/etc/sessiondbd/config.yaml"
	write := func(text string) {
		h.t.Helper()
		if err := h.WriteFile(h.t.Context(), path, []byte(text), 0o644); err != nil {
			h.t.Fatal(err)
		}
	}
	for what, text := range map[string]string{
		"config":     "roles: [{name: sessionuser, acces: none}]\n",
		"file":       "roles: [{name: sessionuser, password: {file: /etc/sessiondbd/none}}]\n",
		"connection": "database: {url: \"host=/run/none dbname=postgres\"}\n",
	} {
		write(text)
		if _, _, code := run(h.t, h.Hypervisor, "systemctl", "reload", "sessiondbd"); code == 0 {
			h.t.Errorf("%s: the reload succeeds", what)
		}
		if out, code := h.status(); code != exitFailure || !strings.Contains(out, "reload") {
			h.t.Errorf("%s: status exits %d:\n%s", what, code, out)
		}
		if _, err := asVM(h.t, h.VM(1), documented, "SELECT 1"); err != nil {
			h.t.Errorf("%s: %v", what, err)
		}
	}
	write("roles: [{name: sessionuser, connection_limit: 9, password: {credential: sessionuser.password, initial: sessionpass123}}]\n")
	must(h.t, h.Hypervisor, "systemctl", "reload", "sessiondbd")
	if n := h.sql("postgres", "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'sessionuser'"); n != "9" {
		h.t.Errorf("the limit is %s when reload returns", n)
	}
	write("")
	must(h.t, h.Hypervisor, "systemctl", "reload", "sessiondbd")
	h.converges()
}

// comesAndGoes starts with PostgreSQL away: the start waits, tells why, and ends when it is there.
func (h serviceHost) comesAndGoes() {
	cluster := h.cluster()
	must(h.t, h.Hypervisor, "systemctl", "stop", "sessiondbd", cluster)
	must(h.t, h.Hypervisor, "systemctl", "start", "--no-block", "sessiondbd")
	eventually(h.t, "it waits and says for what", 10*time.Second, func() bool {
		out := must(h.t, h.Hypervisor, "systemctl", "show", "-P", "StatusText", "sessiondbd")
		return strings.Contains(out, "waiting: ") && strings.Contains(out, "PostgreSQL is not running")
	})
	must(h.t, h.Hypervisor, "systemctl", "start", cluster)
	h.converges()
	for _, verb := range []string{"restart", "stop", "start"} {
		must(h.t, h.Hypervisor, "systemctl", verb, cluster)
		if verb == "stop" {
			eventually(h.t, "status sees it", 20*time.Second, func() bool {
				out, code := h.status()
				return code == exitFailure && strings.Contains(out, "waiting")
			})
			continue
		}
		h.converges()
	}
	if n := strings.TrimSpace(must(h.t, h.Hypervisor, "systemctl", "show", "-P", "NRestarts", "sessiondbd")); n != "0" {
		h.t.Errorf("the daemon was restarted %s times", n)
	}
}

func (h serviceHost) cluster() string {
	h.t.Helper()
	return strings.TrimSpace(sh(h.t, h.Hypervisor, "systemctl list-units --plain --no-legend 'postgresql@*' | cut -d' ' -f1"))
}

// promoted: a standby is waited for and never written to, and what was promoted is looked after at once.
func (h serviceHost) promoted() {
	h.sql("sessiondb", "DROP INDEX idx_session_parent; CHECKPOINT")
	must(h.t, h.Hypervisor, "systemctl", "stop", "sessiondbd")
	h.sql("sessiondb", "DROP INDEX IF EXISTS idx_session_parent")
	must(h.t, h.Hypervisor, "runuser", "-u", "postgres", "--", "touch", h.sql("postgres", "SHOW data_directory")+"/standby.signal")
	must(h.t, h.Hypervisor, "systemctl", "restart", h.cluster())
	must(h.t, h.Hypervisor, "systemctl", "start", "--no-block", "sessiondbd")
	eventually(h.t, "it waits for a promotion", 10*time.Second, func() bool {
		return strings.Contains(must(h.t, h.Hypervisor, "systemctl", "show", "-P", "StatusText", "sessiondbd"), "the server is a standby")
	})
	if got := h.sql("postgres", "SELECT pg_promote()"); got != "t" {
		h.t.Fatalf("pg_promote: %s", got)
	}
	h.converges()
	if n := h.sql("sessiondb", "SELECT count(*) FROM pg_indexes WHERE indexname = 'idx_session_parent'"); n != "1" {
		h.t.Error("the promoted server is not looked after")
	}
}

// overTCP is the drop-in that the unit names.
func (h serviceHost) overTCP() {
	h.sql("postgres", "CREATE ROLE dbadmin SUPERUSER LOGIN PASSWORD 'of the administrator'")
	sh(h.t, h.Hypervisor, "mkdir -p /etc/systemd/system/sessiondbd.service.d; cp /usr/share/doc/sessiondbd/examples/tcp-administrator.conf /etc/systemd/system/sessiondbd.service.d/")
	if err := h.WriteFile(h.t.Context(), "/etc/sessiondbd/config.yaml", []byte("database: {url: \"host=127.0.0.1 user=dbadmin password='of the administrator' dbname=postgres\"}\n"), 0o640); err != nil {
		h.t.Fatal(err)
	}
	must(h.t, h.Hypervisor, "chgrp", "postgres", "/etc/sessiondbd/config.yaml")
	must(h.t, h.Hypervisor, "chmod", "a+r", "/etc/sessiondbd/config.yaml") // the firewall's user reads it, too
	must(h.t, h.Hypervisor, "systemctl", "daemon-reload")
	must(h.t, h.Hypervisor, "systemctl", "restart", "sessiondbd")
	h.converges()
	if n := h.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE usename = 'dbadmin' AND client_addr = '127.0.0.1'"); n != "1" {
		h.t.Errorf("%s connections over TCP", n)
	}
	must(h.t, h.Hypervisor, "systemctl", "start", "sessiondbd-backup.service")
	must(h.t, h.Hypervisor, "systemctl", "start", "sessiondbd-backup-verify.service")
}

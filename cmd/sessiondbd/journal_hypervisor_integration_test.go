//go:build integration

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/systemd"
)

// elsewhere are the messages that a booted hypervisor cannot be brought to tell, each with the test that has it told.
var elsewhere = map[*systemd.Message]string{
	systemd.PassGivenUp: "internal/daemon TestTermination",
	systemd.Blind:       "internal/firewall TestWatch, internal/daemon loop_test.go",
	systemd.Blocked:     "internal/daemon TestMessages",
	systemd.EntriesLost: "internal/systemd TestQueue: so many at once are not to be had from a daemon that is paced",
}

// TestJournal has everything happen that the catalogue explains, with systemd 252 and 257, and reads the journal as an
// administrator would.
func TestJournal(t *testing.T) {
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			h := serviceHost{boot(t, lab.Options{Suite: suite}), t}
			// The guard was started at boot, before anybody could write a config.
			h.must("journalctl", "--update-catalog")
			h.must("systemctl", "start", "sessiondbd")
			for _, tt := range []struct {
				name string
				run  func(serviceHost)
			}{
				{"changes", serviceHost.tellChanges},
				{"others", serviceHost.tellOthers},
				{"refusals", serviceHost.tellRefusals},
				{"configs", serviceHost.tellConfigs},
				{"failures", serviceHost.tellFailures},
				{"catalogue", serviceHost.explained},
			} {
				if !t.Run(tt.name, func(t *testing.T) { h.t = t; tt.run(h) }) {
					return
				}
			}
		})
	}
}

func (h serviceHost) must(argv ...string) string {
	h.t.Helper()
	return must(h.t, h.Hypervisor, argv...)
}

// told waits until the journal has a message.
func (h serviceHost) told(messages ...*systemd.Message) {
	h.t.Helper()
	for _, m := range messages {
		eventually(h.t, m.Name+" is told", 20*time.Second, func() bool {
			out, _, _ := run(h.t, h.Hypervisor, "journalctl", "-q", "-o", "cat", "MESSAGE_ID="+m.ID)
			return out != ""
		})
	}
}

func (h serviceHost) config(text string) {
	h.t.Helper()
	if err := h.WriteFile(h.t.Context(), "/etc/sessiondbd/config.yaml", []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
	h.must("systemctl", "reload", "sessiondbd")
}

func (h serviceHost) tellChanges() {
	h.told(systemd.Ready, systemd.MigrationApplied, systemd.RightsChanged, systemd.ServerChanged, systemd.HBAChanged, systemd.DatabaseChanged, systemd.InitialPassword)
	h.sql("sessiondb", "DROP INDEX idx_session_parent")
	h.must("nft", "flush", "ruleset")
	h.told(systemd.FirewallChanged, systemd.SchemaChanged)
	h.must("sessiondbd", "pause", "--for", "1m")
	h.must("sessiondbd", "resume")
	h.told(systemd.Paused, systemd.Resumed)
	h.must("systemctl", "reload", "sessiondbd")
	h.told(systemd.Reloaded)

	// A connection from outside, that got in while nobody guarded the door.
	h.must("systemctl", "kill", "-s", "STOP", "sessiondbd-firewall")
	h.must("nft", "flush", "ruleset")
	held, err := h.Outside.Start(h.t.Context(), "bash", "-c", "exec 3<>/dev/tcp/"+h.Outside.Gateway+"/5432; echo in; sleep 60")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = held.Kill() }()
	eventually(h.t, "somebody is in", 5*time.Second, func() bool { return strings.Contains(held.Output(), "in") })
	h.must("systemctl", "kill", "-s", "CONT", "sessiondbd-firewall")
	h.told(systemd.ConnectionsCut)
}

// forgotten begins a transaction in a VM, which nobody ends.
func (h serviceHost) forgotten() (end func()) {
	h.t.Helper()
	in, out := io.Pipe()
	p, err := h.VM(3).StartCommand(h.t.Context(), lab.Command{
		Argv: []string{"psql", "-XAtq", "-h", h.VM(3).Gateway, "-U", "sessionuser", "-d", "sessiondb"}, Env: []string{"PGPASSWORD=" + documented}, Stdin: in,
	})
	if err == nil {
		_, err = io.WriteString(out, "BEGIN; SELECT 1;\n")
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return func() { _ = out.Close(); _ = p.Kill() }
}

func (h serviceHost) tellOthers() {
	h.config("limits: {transaction_age: 1m}\nreconcile: {interval: 1s}\n")
	defer h.forgotten()()
	const oneshot = "/etc/systemd/system/set-sessionuser-password.service"
	if err := h.WriteFile(h.t.Context(), oneshot, []byte("[Service]\nType=oneshot\nExecStart=/bin/true\n"), 0o644); err != nil {
		h.t.Fatal(err)
	}
	h.told(systemd.OldOneshot)
	h.must("rm", oneshot)
	h.told(systemd.Settled)
	h.sql("postgres", "CREATE ROLE stranger")
	h.sql("sessiondb", "GRANT SELECT ON session TO stranger")
	h.told(systemd.Warning)
	sh(h.t, h.Hypervisor, `nft 'table inet other { chain input { type filter hook input priority 10; policy accept; iifname "br-vm2" drop; }; }'`)
	h.told(systemd.CutOff)
	h.must("nft", "delete", "table", "inet", "other")
	sh(h.t, h.Hypervisor, "for i in $(seq 12); do nft flush ruleset; sleep 0.2; done")
	h.told(systemd.Fight)
	eventually(h.t, "the forgotten transaction is ended after a minute", 2*time.Minute, func() bool {
		out, _, _ := run(h.t, h.Hypervisor, "journalctl", "-q", "-o", "cat", "MESSAGE_ID="+systemd.TransactionEnded.ID)
		return out != ""
	})
	h.config("reconcile: {interval: 1s, drift: report}\n")
	h.converges()
	h.sql("sessiondb", "DROP INDEX idx_session_parent")
	h.told(systemd.Drift)
	h.config("reconcile: {interval: 1s}\n")
	h.converges()
}

func (h serviceHost) tellRefusals() {
	h.sql("sessiondb", "ALTER TABLE session ALTER messages TYPE text USING messages::text")
	h.told(systemd.Refused)
	h.sql("sessiondb", "ALTER TABLE session ALTER messages TYPE jsonb USING messages::jsonb")
	h.converges()
	h.sql("postgres", "DROP DATABASE sessiondb WITH (FORCE)")
	h.told(systemd.AnotherDatabase)
	h.must("sessiondbd", "apply", "--accept-new-database")
	h.converges()
}

func (h serviceHost) tellConfigs() {
	const path = "/etc/sessiondbd/config.yaml"
	if err := h.WriteFile(h.t.Context(), path, []byte(brokenConfig), 0o644); err != nil {
		h.t.Fatal(err)
	}
	_, _, _ = run(h.t, h.Hypervisor, "systemctl", "reload", "sessiondbd")
	h.told(systemd.ReloadRefused)
	_, _, _ = run(h.t, h.Hypervisor, "systemctl", "restart", "sessiondbd-firewall")
	h.told(systemd.RulesKept)
	h.must("nft", "flush", "ruleset")
	_, _, _ = run(h.t, h.Hypervisor, "systemctl", "restart", "sessiondbd-firewall")
	h.told(systemd.RulesRestored)
	if err := h.WriteFile(h.t.Context(), path, []byte("reconcile: {interval: 1s}\n"), 0o644); err != nil {
		h.t.Fatal(err)
	}
	h.must("systemctl", "restart", "sessiondbd-firewall", "sessiondbd")
	h.converges()
}

// tellFailures: what happens to others at night, each survived, seen in status, and over by itself.
func (h serviceHost) tellFailures() {
	cluster := h.cluster()
	h.must("systemctl", "stop", cluster)
	h.told(systemd.Waiting)
	h.must("systemctl", "start", cluster)
	h.told(systemd.WaitingEnded)
	h.converges()
	h.hangs()
	h.full()
	h.exhausted()
	h.mute()
	h.watched()
	h.converges()
	if out := h.must("systemctl", "show", "-P", "NRestarts", "sessiondbd"); strings.TrimSpace(out) != "1" {
		h.t.Errorf("the daemon was restarted %s times, only the watchdog had a reason to", strings.TrimSpace(out))
	}
}

// hangs stops PostgreSQL in its tracks: what was verified must not look fresh.
func (h serviceHost) hangs() {
	h.t.Helper()
	pids := strings.Fields(h.must("pgrep", "-u", "postgres", "-x", "postgres"))
	h.must(append([]string{"kill", "-STOP"}, pids...)...)
	defer h.converges()
	defer func() { _, _, _ = run(h.t, h.Hypervisor, append([]string{"kill", "-CONT"}, pids...)...) }()
	h.told(systemd.NoProgress)
	if out, code := h.status(); code != exitFailure || !strings.Contains(out, "waiting: ") {
		h.t.Errorf("status exits %d while PostgreSQL hangs:\n%s", code, out)
	}
}

// full fills the disk of the database, then takes the folder of the state away.
func (h serviceHost) full() {
	h.t.Helper()
	h.must("sessiondbd", "pause")
	sh(h.t, h.Hypervisor, "mkdir -p /small; mount -t tmpfs -o size=24m tmpfs /small; mkdir /small/space; chown postgres: /small/space")
	h.sql("postgres", "CREATE TABLESPACE small LOCATION '/small/space'")
	h.sql("postgres", "ALTER DATABASE sessiondb SET TABLESPACE small")
	h.must("sessiondbd", "resume")
	h.converges()
	h.sql("sessiondb", "INSERT INTO session (messages) SELECT to_jsonb(repeat(md5(g::text), 20)) FROM generate_series(1, 2000) g; DROP INDEX idx_session_parent; DROP INDEX idx_session_inbox_status; CHECKPOINT")
	_, _, _ = run(h.t, h.Hypervisor, "dd", "if=/dev/zero", "of=/small/fill", "bs=64k")
	h.told(systemd.StepFailed)
	if out, code := h.status(); code != exitFailure || !strings.Contains(out, "No space left on device") {
		h.t.Errorf("status exits %d on a full disk:\n%s", code, out)
	}
	h.must("rm", "/small/fill")
	h.converges()
	h.must("chmod", "0555", "/run/sessiondbd/database")
	h.told(systemd.StateUnwritten)
	h.must("chmod", "0755", "/run/sessiondbd/database")
	h.converges()
}

// exhausted has administrators take every connection: ours stands.
func (h serviceHost) exhausted() {
	h.t.Helper()
	n := h.sql("postgres", "SHOW max_connections")
	p, err := h.Start(h.t.Context(), "runuser", "-u", "postgres", "--", "bash", "-c",
		// One that found no place, since somebody asked who was there, tries again.
		fmt.Sprintf("for i in $(seq %s); do for try in $(seq 100); do psql -XAtqd postgres -c 'SELECT pg_sleep(60)' && break; sleep 0.2; done & done; wait", n))
	if err != nil {
		h.t.Fatal(err)
	}
	eventually(h.t, "every connection is taken", 30*time.Second, func() bool {
		_, errOut, code := run(h.t, h.Hypervisor, "runuser", "-u", "postgres", "--", "psql", "-XAtqd", "postgres", "-c", "SELECT 1")
		return code != 0 && strings.Contains(errOut, "too many clients")
	})
	begin := time.Now()
	eventually(h.t, "the daemon looks all the same", 20*time.Second, func() bool {
		out, code := h.status()
		return code == 0 && time.Since(begin) > 3*time.Second && strings.Contains(out, "last pass  ")
	})
	if err := p.Kill(); err != nil {
		h.t.Fatal(err)
	}
	sh(h.t, h.Hypervisor, "pkill -f 'pg_sleep[(]60' || true")
	eventually(h.t, "connections are free", 20*time.Second, func() bool {
		_, _, code := run(h.t, h.Hypervisor, "runuser", "-u", "postgres", "--", "psql", "-XAtqd", "postgres", "-c", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()")
		return code == 0
	})
}

// mute stops journald while there is more to tell than its socket holds: nobody waits for it. Soaking, for the whole minute.
func (h serviceHost) mute() {
	h.t.Helper()
	if err := h.WriteFile(h.t.Context(), "/etc/systemd/system/sessiondbd-firewall.service.d/debug.conf",
		[]byte("[Service]\nExecStart=\nExecStart=/usr/bin/sessiondbd --log-level debug run --only firewall\n"), 0o644); err != nil {
		h.t.Fatal(err)
	}
	h.must("systemctl", "daemon-reload")
	h.must("systemctl", "restart", "sessiondbd-firewall")
	h.must("systemctl", "kill", "-s", "STOP", "systemd-journald")
	begin, long := time.Now(), 12*time.Second
	if os.Getenv("SESSIONDBD_SOAK") != "" {
		long = time.Minute
	}
	sh(h.t, h.Hypervisor, "for i in $(seq 300); do nft flush ruleset; sleep 0.02; done")
	eventually(h.t, "the guard is back while nobody listens", 10*time.Second, func() bool {
		_, _, code := run(h.t, h.Hypervisor, "sh", "-c", "iptables -t mangle -S SESSIONDB-GUARD | grep -q DROP")
		return code == 0
	})
	eventually(h.t, "and both daemons look on", 2*time.Minute, func() bool { _, code := h.status(); return code == 0 && time.Since(begin) > long })
	h.must("systemctl", "kill", "-s", "CONT", "systemd-journald")
}

// watched stops the daemon in its tracks: systemd starts another.
func (h serviceHost) watched() {
	h.t.Helper()
	if err := h.WriteFile(h.t.Context(), "/etc/systemd/system/sessiondbd.service.d/watchdog.conf", []byte("[Service]\nWatchdogSec=3\n"), 0o644); err != nil {
		h.t.Fatal(err)
	}
	h.must("systemctl", "daemon-reload")
	h.must("systemctl", "restart", "sessiondbd")
	h.must("systemctl", "kill", "-s", "STOP", "sessiondbd")
	eventually(h.t, "the watchdog has another started", 30*time.Second, func() bool {
		return strings.TrimSpace(h.must("systemctl", "show", "-P", "NRestarts", "sessiondbd")) == "1"
	})
}

// explained reads the journal with its explanations: each message was told by its field, and the catalogue knows it.
func (h serviceHost) explained() {
	list := h.must("journalctl", "--list-catalog")
	for i := range systemd.Messages {
		m := &systemd.Messages[i]
		dashed := m.ID
		if !strings.Contains(strings.ReplaceAll(list, "-", ""), m.ID) {
			h.t.Errorf("%s: the catalogue of this host does not have %s", m.Name, dashed)
		}
		out, _, _ := run(h.t, h.Hypervisor, "journalctl", "-q", "-x", "-n", "1", "MESSAGE_ID="+m.ID)
		subject, _, _ := strings.Cut(m.Subject, "@")
		switch {
		case elsewhere[m] != "":
		case !strings.Contains(out, subject):
			h.t.Errorf("%s: journalctl -x says\n%s", m.Name, out)
		case strings.Contains(out, "@SESSIONDBD"):
			h.t.Errorf("%s: a field is missing:\n%s", m.Name, out)
		}
	}
	fields := h.must("journalctl", "-q", "-o", "json", "-n", "1", "MESSAGE_ID="+systemd.SchemaChanged.ID)
	for _, field := range []string{`"SESSIONDBD_RESOURCE":`, `"SESSIONDBD_ACTION":"create"`, `"SESSIONDBD_FIELD":`, `"SESSIONDBD_WANT":`, `"SYSLOG_IDENTIFIER":"sessiondbd"`, `"PRIORITY":"6"`} {
		if !strings.Contains(strings.ReplaceAll(fields, " : ", ":"), field) {
			h.t.Errorf("an entry lacks %s: %s", field, fields)
		}
	}
}

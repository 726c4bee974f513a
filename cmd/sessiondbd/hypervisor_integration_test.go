//go:build integration

package main

import (
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

const documented = "sessionpass123"

// A fresh Debian: install, start, and every VM connects; nobody else does.
func TestFreshHypervisor(t *testing.T) {
	t.Parallel()
	h := boot(t, lab.Options{})
	begin := time.Now()
	must(t, h, "systemctl", "start", "sessiondbd")
	t.Logf("systemctl start sessiondbd returned after %s", time.Since(begin).Round(time.Millisecond))

	t.Run("verified when start returns", func(t *testing.T) {
		inSync(t, h)
		must(t, h, "systemctl", "is-active", "sessiondbd", "sessiondbd-firewall")
		out := must(t, h, "sessiondbd", "status")
		for _, want := range []string{"schema 0004, 1/1 roles, 5/5 networks", "documented initial password"} {
			if !strings.Contains(out, want) {
				t.Errorf("status lacks %q:\n%s", want, out)
			}
		}
	})
	t.Run("documented clients", func(t *testing.T) {
		clients, err := lab.Clients(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, vm := range h.VMs() {
			for _, c := range clients {
				if out, err := c.Run(t.Context(), vm); err != nil {
					t.Errorf("%s from VM %d: %v\n%s", c.Name, vm.Number, err, out)
				}
			}
		}
	})
	t.Run("outside is shut out", func(t *testing.T) {
		for _, host := range []string{h.Outside.Gateway, h.Outside.Gateway6, "10.1.0.1", "10.5.0.1"} {
			if tries(t, h.Outside, host) == nil {
				t.Errorf("the outside reaches %s", host)
			}
		}
		if tries(t, h.VMs()[0], h.VMs()[0].Gateway6) == nil {
			t.Error("VM 1 gets in over IPv6, which no config allows")
		}
		if err := tries(t, h.VMs()[0], h.VMs()[0].Gateway); err != nil {
			t.Errorf("and yet VM 1: %v", err)
		}
	})
	t.Run("wrong password", func(t *testing.T) {
		if _, err := asVM(t, h.VMs()[1], "wrong", "SELECT 1"); err == nil || !strings.Contains(err.Error(), "password authentication failed") {
			t.Errorf("a wrong password: %v", err)
		}
	})
	t.Run("a VM that vanishes is missed after a minute", func(t *testing.T) {
		if out, err := asVM(t, h.VMs()[0], documented, "SHOW tcp_keepalives_idle"); err != nil || strings.TrimSpace(out) != "60" {
			t.Errorf("its connection is kept for %q s of silence: %v", out, err)
		}
	})
	t.Run("journal tells the story", func(t *testing.T) {
		journal, err := h.Journal(t.Context(), "sessiondbd")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"0002_session_table", "listen_addresses", "sessionuser", "documented initial password"} {
			if !strings.Contains(journal, want) {
				t.Errorf("the journal lacks %q:\n%s", want, journal)
			}
		}
		if strings.Contains(journal, documented) || strings.Contains(journal, "SCRAM-SHA-256$") {
			t.Errorf("the journal holds a password or a verifier:\n%s", journal)
		}
	})
	t.Run("a second apply changes and writes nothing", func(t *testing.T) { secondApply(t, h) })
	t.Run("drift is repaired", func(t *testing.T) { drift(t, h) })
	t.Run("a chain of others that drops the VMs is told of", func(t *testing.T) { otherChain(t, h) })
	t.Run("nobody logs in while the rules are gone", func(t *testing.T) { noLogin(t, h) })
	t.Run("a reload of nftables is one of ours", func(t *testing.T) {
		must(t, h, "systemctl", "start", "nftables")
		must(t, h, "systemctl", "reload", "nftables") // its file flushes everything
		eventually(t, "the guard is back", 5*time.Second, func() bool {
			_, _, code := run(t, h, "sh", "-c", "iptables -t mangle -S SESSIONDB-GUARD | grep -q DROP && ip6tables -t mangle -S SESSIONDB-GUARD | grep -q DROP")
			return code == 0
		})
		eventually(t, "the reload was propagated", 5*time.Second, func() bool {
			journal, err := h.Journal(t.Context(), "sessiondbd-firewall")
			return err == nil && strings.Contains(journal, "config reloaded")
		})
		must(t, h, "systemctl", "stop", "nftables")
		eventually(t, "converged", 10*time.Second, func() bool { _, _, code := run(t, h, "sessiondbd", "status"); return code == 0 })
	})
	t.Run("allow rules follow the bridges", func(t *testing.T) { bridges(t, h) })
	t.Run("reload", func(t *testing.T) { reload(t, h) })
	t.Run("PostgreSQL restarts", func(t *testing.T) {
		must(t, h, "systemctl", "restart", "postgresql@15-main")
		eventually(t, "converged after PostgreSQL's restart", 10*time.Second, func() bool {
			_, _, code := run(t, h, "sessiondbd", "status")
			return code == 0
		})
		if n := must(t, h, "systemctl", "show", "-P", "NRestarts", "sessiondbd"); strings.TrimSpace(n) != "0" {
			t.Errorf("the daemon was restarted %s times", n)
		}
	})
	t.Run("reboot", func(t *testing.T) { reboot(t, h) })
	t.Run("remove", func(t *testing.T) { remove(t, h) })
}

func drift(t *testing.T, h *lab.Hypervisor) {
	drifts := []struct{ name, do, back string }{
		{"firewall", "nft flush ruleset", "iptables -t mangle -S SESSIONDB-GUARD && ip6tables -t mangle -S SESSIONDB-GUARD && iptables -S INPUT 1 | grep -q -- '-j SESSIONDB-ALLOW$'"},
		{"index", `runuser -u postgres -- psql -qd sessiondb -c "DROP INDEX idx_session_parent"`, `test "$(runuser -u postgres -- psql -Atd sessiondb -c "SELECT count(*) FROM pg_indexes WHERE indexname = 'idx_session_parent'")" = 1`},
		{"privilege", `runuser -u postgres -- psql -qd sessiondb -c "REVOKE INSERT ON session FROM sessionuser"`, `test "$(runuser -u postgres -- psql -Atd sessiondb -c "SELECT has_table_privilege('sessionuser', 'session', 'INSERT')")" = t`},
		{"pg_hba.conf", "sed -i /sessiondb/d /etc/postgresql/15/main/pg_hba.conf", "grep -q 'sessiondb  sessionuser  10.5.0.0/24' /etc/postgresql/15/main/pg_hba.conf"},
	}
	begin := time.Now()
	for _, d := range drifts {
		sh(t, h, d.do)
	}
	for _, d := range drifts {
		eventually(t, d.name+" repaired", 15*time.Second, func() bool {
			_, _, code := run(t, h, "sh", "-c", d.back)
			return code == 0
		})
		t.Logf("%s is back after %s", d.name, time.Since(begin).Round(time.Millisecond))
	}
	if _, err := asVM(t, h.VMs()[3], documented, "INSERT INTO session (inbox_status) VALUES ('pending')"); err != nil {
		t.Error(err)
	}
	inSync(t, h)
}

func bridges(t *testing.T, h *lab.Hypervisor) {
	vm := h.VMs()[2]
	must(t, h, "ip", "addr", "del", "10.3.0.1/24", "dev", "br-vm3")
	eventually(t, "the rules of a bridge without its address are gone", 5*time.Second, func() bool {
		_, _, code := run(t, h, "sh", "-c", "iptables -t mangle -S SESSIONDB-GUARD | grep -q 10.3.0.0/24")
		return code != 0
	})
	must(t, h, "ip", "addr", "add", "10.3.0.1/24", "dev", "br-vm3")
	eventually(t, "VM 3 is let in again", 5*time.Second, func() bool { return tries(t, vm, vm.Gateway) == nil })
}

func reload(t *testing.T, h *lab.Hypervisor) {
	const path = "/etc/sessiondbd/config.yaml"
	write := func(text string) {
		if err := h.WriteFile(t.Context(), path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("roles:\n  - {name: sessionuser, conection_limit: 7}\n")
	_, errOut, code := run(t, h, "systemctl", "reload", "sessiondbd")
	if code == 0 {
		t.Error("a reload with a bad config succeeds")
	}
	if out, _, code := run(t, h, "sessiondbd", "status", "--json"); code != exitFailure || !strings.Contains(out, "conection_limit") {
		t.Errorf("status does not say why the reload failed: %s\n%s", out, errOut)
	}
	if _, err := asVM(t, h.VMs()[0], documented, "SELECT 1"); err != nil {
		t.Errorf("after a refused reload: %v", err)
	}
	write("roles:\n  - name: sessionuser\n    password: {file: /etc/sessiondbd/password}\n    connection_limit: 7\n")
	if err := h.WriteFile(t.Context(), "/etc/sessiondbd/password", []byte("another pass\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, h, "chown", "postgres", "/etc/sessiondbd/password")
	must(t, h, "systemctl", "reload", "sessiondbd")
	if got, err := asVM(t, h.VMs()[0], "another pass", "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'sessionuser'"); got != "7" || err != nil {
		t.Errorf("a good config is not in force when reload returns: %q, %v", got, err)
	}
	if _, err := asVM(t, h.VMs()[0], documented, "SELECT 1"); err == nil {
		t.Error("the old password still opens")
	}
	write("")
	must(t, h, "systemctl", "reload", "sessiondbd")
	inSync(t, h)
}

func reboot(t *testing.T, h *lab.Hypervisor) {
	must(t, h, "systemctl", "enable", "sessiondbd", "sessiondbd-firewall")
	if err := h.Poweroff(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.PowerOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both daemons converged after a boot", 20*time.Second, func() bool {
		_, _, code := run(t, h, "sessiondbd", "status")
		return code == 0
	})
	if _, err := asVM(t, h.VMs()[4], "another pass", "SELECT count(*) FROM session"); err != nil {
		t.Error(err)
	}
	if failed, err := h.Failed(t.Context()); err != nil || len(failed) > 0 {
		t.Errorf("failed units %v, %v", failed, err)
	}
}

func remove(t *testing.T, h *lab.Hypervisor) {
	before := sh(t, h, "iptables-save; ip6tables-save")
	if !strings.Contains(before, "SESSIONDB") {
		t.Fatal("there is nothing to remove")
	}
	must(t, h, "systemctl", "stop", "sessiondbd", "sessiondbd-firewall")
	if out := sh(t, h, "iptables-save; ip6tables-save"); !strings.Contains(out, "SESSIONDB-GUARD") {
		t.Error("stopping the service opened the door")
	}
	must(t, h, "sessiondbd", "remove")
	if out := sh(t, h, "iptables-save; ip6tables-save"); strings.Contains(out, "SESSIONDB") {
		t.Errorf("left behind:\n%s", out)
	}
	if n := sh(t, h, `runuser -u postgres -- psql -Atd sessiondb -c "SELECT count(*) > 0 FROM session"`); strings.TrimSpace(n) != "t" {
		t.Error("remove took data away")
	}
}

// secondApply proves that a converged host is only looked at.
func secondApply(t *testing.T, h *lab.Hypervisor) {
	must(t, h, "systemctl", "stop", "sessiondbd") // its passes would count too
	defer must(t, h, "systemctl", "start", "sessiondbd")
	must(t, h, "sessiondbd", "apply") // the first pass after writes may leave hint bits
	must(t, h, "runuser", "-u", "postgres", "--", "psql", "-qc", "CHECKPOINT")
	here := func() place {
		p, err := parsePlace(sh(t, h, `runuser -u postgres -- psql -Atc "`+placeSQL+`"`))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	const ruleset = "nft -s list ruleset"
	rules, before := sh(t, h, ruleset), here()
	r, code := report(t, h, "apply")
	if code != exitOK || !r.InSync || len(r.Changes) != 0 {
		t.Errorf("apply: exit %d, %+v", code, r)
	}
	unexplained, err := wrote(before, here(), func(start, end string) (string, error) {
		return sh(t, h, `runuser -u postgres -- psql -qc CHECKPOINT
			runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_waldump -p /var/lib/postgresql/15/main/pg_wal -s `+start+" -e "+end), nil
	})
	if err != nil || unexplained != "" {
		t.Errorf("a second apply wrote: %v\n%s", err, unexplained)
	}
	if now := sh(t, h, ruleset); now != rules {
		t.Errorf("a second apply changed the firewall: was\n%s\nis\n%s", rules, now)
	}
}

// otherChain has somebody's table drop VM 2: our own rules are in place, and yet it is cut off.
func otherChain(t *testing.T, h *lab.Hypervisor) {
	sh(t, h, `nft 'table inet other { chain input { type filter hook input priority 10; policy accept; iifname "br-vm2" drop; }; }'`)
	eventually(t, "status says so", 5*time.Second, func() bool {
		out, _, code := run(t, h, "sessiondbd", "status")
		return code == 1 && strings.Contains(out, "degraded: firewall/ipv4: chain inet other input (hook input) drops the connections of vm2") &&
			strings.Contains(out, "nft 'insert rule inet other input")
	})
	if out, _, code := run(t, h, "sessiondbd", "plan", "--only", "firewall"); code != 0 || !strings.Contains(out, "drops the connections of vm2") {
		t.Errorf("plan exits %d:\n%s", code, out)
	}
	must(t, h, "nft", "delete", "table", "inet", "other")
	eventually(t, "converged again", 5*time.Second, func() bool {
		_, _, code := run(t, h, "sessiondbd", "status")
		return code == 0
	})
}

// noLogin keeps the door open, as long as our daemon is stopped in its tracks: no password opens what lies behind it.
func noLogin(t *testing.T, h *lab.Hypervisor) {
	must(t, h, "systemctl", "kill", "-s", "STOP", "sessiondbd-firewall")
	defer must(t, h, "systemctl", "kill", "-s", "CONT", "sessiondbd-firewall")
	must(t, h, "nft", "flush", "ruleset")
	if err := tries(t, h.Outside, h.Outside.Gateway); err != nil {
		t.Fatalf("the door is not open, which would prove nothing: %v", err)
	}
	must(t, h, "runuser", "-u", "postgres", "--", "psql", "-qc", "ALTER ROLE postgres PASSWORD 'postgres'")
	defer must(t, h, "runuser", "-u", "postgres", "--", "psql", "-qc", "ALTER ROLE postgres PASSWORD NULL")
	for _, tt := range []struct{ user, password, db string }{
		{"sessionuser", documented, "sessiondb"}, {"sessionuser", documented, "postgres"}, {"postgres", "postgres", "sessiondb"}, {"postgres", "postgres", "postgres"},
	} {
		for _, host := range []string{h.Outside.Gateway, h.Outside.Gateway6, "10.1.0.1"} {
			_, err := h.Outside.Exec(t.Context(), lab.Command{
				Argv: []string{"psql", "-XAt", "-h", host, "-U", tt.user, "-d", tt.db, "-c", "SELECT 1"},
				Env:  []string{"PGPASSWORD=" + tt.password, "PGCONNECT_TIMEOUT=3"},
			})
			if err == nil || !strings.Contains(err.Error(), "pg_hba.conf") {
				t.Errorf("%s on %s by %s: %v", tt.user, tt.db, host, err)
			}
		}
	}
}

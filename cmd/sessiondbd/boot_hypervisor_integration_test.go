//go:build integration

package main

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// witnesses note what the firewall is when PostgreSQL is about to start, and when the network may come up. The other two
// stand where ufw's and iptables-persistent's own units stand in the order (Debian 12 and 13).
var witnesses = map[string]string{
	"postgresql@.service.d/90-witness.conf": "[Service]\nExecStartPre=+/bin/sh -c 'iptables-save >/run/at-postgresql; ip6tables-save >>/run/at-postgresql'\n",
	"witness-network.service": "[Unit]\nDefaultDependencies=no\nAfter=network-pre.target\nBefore=network.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\n" +
		"ExecStart=/bin/sh -c 'iptables-save >/run/at-network; ip6tables-save >>/run/at-network'\n[Install]\nWantedBy=multi-user.target\n",
	"ufw.service": "[Unit]\nDefaultDependencies=no\nBefore=network-pre.target\nWants=network-pre.target local-fs.target\nAfter=local-fs.target\n" +
		"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n",
	"netfilter-persistent.service": "[Unit]\nDefaultDependencies=no\nWants=network-pre.target local-fs.target\nBefore=network-pre.target shutdown.target\nAfter=local-fs.target\nConflicts=shutdown.target\n" +
		"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n",
}

// At boot the guard stands before PostgreSQL listens and before the network is up, also with a config that was broken
// meanwhile: the rules of the last good one then come back.
func TestBootOrder(t *testing.T) {
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			bootOrder(t, boot(t, lab.Options{Suite: suite, Prepare: func(ctx context.Context, r *lab.Root) error {
				for name, text := range witnesses {
					if err := r.WriteFile(ctx, "/etc/systemd/system/"+name, []byte(text), 0o644); err != nil {
						return err
					}
				}
				_, err := r.Run(ctx, "systemctl", "enable", "nftables.service", "ufw.service", "netfilter-persistent.service", "witness-network.service")
				return err
			}}))
		})
	}
}

const brokenConfig = "firewall: {prot: 5432}\n"

func bootOrder(t *testing.T, h *lab.Hypervisor) {
	writeConfig := func(text string) {
		t.Helper()
		if err := h.WriteFile(t.Context(), "/etc/sessiondbd/config.yaml", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	vm := h.VMs()[2]
	closed := func(what string) {
		t.Helper()
		for _, host := range []string{h.Outside.Gateway, h.Outside.Gateway6, "10.1.0.1"} {
			if tries(t, h.Outside, host) == nil {
				t.Errorf("%s: the outside reaches %s", what, host)
			}
		}
	}
	firewallJournal := func() string {
		journal, err := h.Journal(t.Context(), "sessiondbd-firewall")
		if err != nil {
			t.Fatal(err)
		}
		return journal
	}

	// A start with a broken config changes nothing where no rules of ours are known: remove has them forgotten.
	must(t, h, "systemctl", "stop", "sessiondbd-firewall")
	must(t, h, "sessiondbd", "remove")
	writeConfig(brokenConfig)
	before := sh(t, h, "iptables-save; ip6tables-save")
	if _, _, code := run(t, h, "systemctl", "start", "sessiondbd-firewall"); code == 0 {
		t.Error("a start with a broken config succeeds")
	}
	if after := sh(t, h, "iptables-save; ip6tables-save"); strings.Contains(after, "SESSIONDB") {
		t.Errorf("it changed the rules: was\n%s\nis\n%s", before, after)
	}
	writeConfig("")
	must(t, h, "systemctl", "start", "sessiondbd")
	must(t, h, "systemctl", "enable", "sessiondbd", "sessiondbd-firewall")

	powerCycle(t, h)
	eventually(t, "both daemons converged after a boot", 30*time.Second, func() bool {
		_, _, code := run(t, h, "sessiondbd", "status")
		return code == 0
	})
	guardFirst(t, h)
	if out := must(t, h, "journalctl", "-b", "--no-pager"); strings.Contains(out, "ordering cycle") {
		t.Errorf("there is an ordering cycle:\n%s", out)
	}
	closed("after a boot")

	// A restart with a broken config leaves the rules alone.
	writeConfig(brokenConfig)
	before = sh(t, h, "nft -s list ruleset")
	if _, _, code := run(t, h, "systemctl", "restart", "sessiondbd-firewall"); code == 0 {
		t.Error("a restart with a broken config succeeds")
	}
	if after := sh(t, h, "nft -s list ruleset"); after != before {
		t.Errorf("it changed the rules: was\n%s\nis\n%s", before, after)
	}
	if !strings.Contains(firewallJournal(), "the firewall rules stay as they are") {
		t.Errorf("the journal does not say what has become of the rules:\n%s", firewallJournal())
	}

	// A boot with it brings them back, before PostgreSQL listens, and the VMs are served.
	powerCycle(t, h)
	eventually(t, "PostgreSQL answers", 30*time.Second, func() bool {
		_, _, code := run(t, h, "test", "-S", "/run/postgresql/.s.PGSQL.5432")
		return code == 0
	})
	if state := strings.TrimSpace(must(t, h, "systemctl", "show", "-P", "ExecMainStatus", "sessiondbd-firewall")); state != "78" {
		t.Errorf("the unit ended with %s", state)
	}
	guardFirst(t, h)
	closed("after a boot with a broken config")
	eventually(t, "a VM gets in", 10*time.Second, func() bool { return tries(t, vm, vm.Gateway) == nil })
	if !strings.Contains(firewallJournal(), "of the last good config were put up") || !strings.Contains(firewallJournal(), "did you mean port?") {
		t.Errorf("the journal does not say what has become of the rules:\n%s", firewallJournal())
	}
	writeConfig("")
	must(t, h, "systemctl", "start", "sessiondbd")
	inSync(t, h)
}

func powerCycle(t *testing.T, h *lab.Hypervisor) {
	t.Helper()
	if err := h.Poweroff(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.PowerOn(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// guardFirst reads what the witnesses noted, and holds the start of PostgreSQL's process against ours.
func guardFirst(t *testing.T, h *lab.Hypervisor) {
	t.Helper()
	for _, witness := range []string{"/run/at-postgresql", "/run/at-network"} {
		if n := strings.Count(must(t, h, "cat", witness), "-j DROP"); n < 2 {
			t.Errorf("%s: %d of 2 guards stood:\n%s", witness, n, must(t, h, "cat", witness))
		}
	}
	micros := func(unit, property string) int {
		t.Helper()
		n, err := strconv.Atoi(strings.TrimSpace(must(t, h, "systemctl", "show", "-P", property, unit)))
		if err != nil || n == 0 {
			t.Fatalf("%s of %s: %d, %v", property, unit, n, err)
		}
		return n
	}
	cluster := strings.TrimSpace(sh(t, h, "systemctl list-units --plain --no-legend 'postgresql@*' | cut -d' ' -f1"))
	verified := "ExecMainExitTimestampMonotonic" // of a start that put up the rules of before, and failed
	if active := must(t, h, "systemctl", "show", "-P", "ActiveState", "sessiondbd-firewall"); strings.TrimSpace(active) == "active" {
		verified = "ActiveEnterTimestampMonotonic"
	}
	ours := micros("sessiondbd-firewall", verified)
	theirs := micros(cluster, "InactiveExitTimestampMonotonic")
	t.Logf("the guard was verified %d ms before %s began to start", (theirs-ours)/1000, cluster)
	if theirs < ours {
		t.Errorf("%s began to start %d µs before the guard was verified", cluster, ours-theirs)
	}
}

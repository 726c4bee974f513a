//go:build integration

package nix

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"sessiondbd/internal/lab"
)

const documentedPassword = "sessionpass123"

const password = "a password of this test"

// What the module evaluates to is a host that boots into a session database, from either generation of NixOS's PostgreSQL.
func TestEvaluatedHostsBoot(t *testing.T) {
	e := committed(t)
	pkg := filepath.Join(t.TempDir(), "out")
	installPackage(t, pkg, storePrefix+"sessiondbd")
	for _, tt := range []struct{ name, release, password string }{
		{"minimal", "24.05", documentedPassword},
		{"firewall-nftables", "25.05", documentedPassword},
		{"hypervisor", "26.05", password},
	} {
		t.Run(tt.name+"/"+tt.release, func(t *testing.T) {
			r := e.result(t, tt.name, tt.release)
			h := lab.BootT(t, lab.Options{Prepare: func(ctx context.Context, root *lab.Root) error {
				if err := (host{root, ctx, r, pkg}).build(); err != nil {
					return err
				}
				// Where a secrets manager would put it before services start.
				return root.WriteFile(ctx, "/etc/tmpfiles.d/secret.conf", []byte("d /run/secrets 0700 root root -\nf /run/secrets/sessionuser.password 0600 root root - "+password+"\n"), 0o644)
			}})
			bootsIntoDatabase(t, h, tt.password)
			if tt.password != documentedPassword {
				rootSeesPassword(t, h)
			}
			survivesReload(t, h, r.firewallUnitName(), tt.password)
		})
	}
}

func on(t *testing.T, h *lab.Hypervisor, script string) string {
	t.Helper()
	out, err := h.Run(t.Context(), "sh", "-euc", "PATH=$PATH:"+storePrefix+"sessiondbd/bin; "+script)
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return out
}

func ask(t *testing.T, from *lab.Peer, host, password string) error {
	t.Helper()
	_, err := from.Exec(t.Context(), lab.Command{
		Argv: []string{"psql", "-X", "-At", "-h", host, "-U", "sessionuser", "-d", "sessiondb", "-c", "INSERT INTO session (inbox_status) VALUES ('pending')"},
		Env:  []string{"PGPASSWORD=" + password, "PGCONNECT_TIMEOUT=3"},
	})
	return err
}

func bootsIntoDatabase(t *testing.T, h *lab.Hypervisor, password string) {
	t.Helper()
	on(t, h, "systemctl is-active sessiondbd sessiondbd-firewall sessiondbd-restart-postgresql.path")
	if failed := on(t, h, "systemctl --failed --quiet --plain"); failed != "" {
		t.Errorf("failed units:\n%s", failed)
	}
	if out := on(t, h, "sessiondbd status"); !strings.Contains(out, "schema 0004, 1/1 roles, 5/5 networks") {
		t.Errorf("status:\n%s", out)
	}
	// The module wrote what verifying wants: nothing is left to change, to refuse or, beside a documented password, to warn of.
	out := on(t, h, "sessiondbd plan --json")
	var report struct {
		InSync   bool `json:"in_sync"`
		Warnings []struct{ Resource, Summary string }
	}
	must(t, json.Unmarshal([]byte(out), &report))
	for _, w := range report.Warnings {
		if password != documentedPassword || !strings.Contains(w.Summary, "initial password") {
			t.Errorf("%s: %s", w.Resource, w.Summary)
		}
	}
	if !report.InSync {
		t.Errorf("plan:\n%s", out)
	}
	if id := strings.TrimSpace(on(t, h, "systemctl show -P Id init-session-schema")); id != "sessiondbd.service" {
		t.Errorf("init-session-schema is %q", id)
	}
	for _, vm := range h.VMs() {
		if err := ask(t, vm, vm.Gateway, password); err != nil {
			t.Errorf("VM %d: %v", vm.Number, err)
		}
		if err := ask(t, vm, vm.Gateway, "wrong"); err == nil {
			t.Errorf("VM %d gets in with a wrong password", vm.Number)
		}
	}
	if err := ask(t, h.Outside, h.Outside.Gateway, password); err == nil {
		t.Error("the outside gets in")
	}
	on(t, h, "systemctl reload sessiondbd sessiondbd-firewall")
	on(t, h, "systemctl restart postgresql")
	on(t, h, "systemctl is-active sessiondbd")
}

// rootSeesPassword changes the file that root's commands read: they see that the role has another one.
func rootSeesPassword(t *testing.T, h *lab.Hypervisor) {
	t.Helper()
	const file = "/run/secrets/sessionuser.password"
	out := on(t, h, "sessiondbd config check; cp "+file+" /root/former; echo another >"+file+"; sessiondbd plan || echo exit $?; cat /root/former >"+file)
	if !strings.Contains(out, "exit 2") || !strings.Contains(out, "password") {
		t.Errorf("plan with another password in %s:\n%s", file, out)
	}
}

// survivesReload reloads the host's own firewall, which flushes ours or moves its own: ours is back, and decides.
func survivesReload(t *testing.T, h *lab.Hypervisor, unit, password string) {
	t.Helper()
	before := on(t, h, "iptables-save | grep -c SESSIONDB-")
	on(t, h, "systemctl reload "+unit+"; until sessiondbd plan --only firewall; do sleep 0.05; done")
	if after := on(t, h, "iptables-save | grep -c SESSIONDB-"); after != before {
		t.Errorf("%s rules after the reload of %s, %s before", after, unit, before)
	}
	if err := ask(t, h.VM(5), h.VM(5).Gateway, password); err != nil {
		t.Errorf("VM 5: %v", err)
	}
	if err := ask(t, h.Outside, h.Outside.Gateway, password); err == nil {
		t.Error("the outside gets in")
	}
}

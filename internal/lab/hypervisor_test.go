//go:build integration

package lab_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

const unit = `[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=echo prepared before boot

[Install]
WantedBy=multi-user.target
`

// listen opens PostgreSQL as an administrator would by hand, for everybody.
const listen = `set -eu
cd /etc/postgresql/*/main
echo "listen_addresses = '*'" >>postgresql.conf
echo 'host sessiondb sessionuser all scram-sha-256' >>pg_hba.conf
systemctl restart postgresql@$(basename $(dirname $PWD))-main
`

func TestHypervisor(t *testing.T) {
	h := lab.BootT(t, lab.Options{Progress: func(s string) { t.Log(s) }, Prepare: func(ctx context.Context, r *lab.Root) error {
		if err := r.WriteFile(ctx, "/etc/systemd/system/hello.service", []byte(unit), 0o644); err != nil {
			return err
		}
		_, err := r.Run(ctx, "systemctl", "enable", "hello.service")
		return err
	}})
	t.Logf("booted in %s", h.BootTime)
	if n := strings.Count(traces(t, os.Getpid()), "\n"); n < 10 {
		t.Errorf("traces finds only %d of what is there", n)
	}

	t.Run("inside", func(t *testing.T) { inside(t, h) })
	t.Run("network", func(t *testing.T) { network(t, h) })
	t.Run("clients", func(t *testing.T) { clients(t, h) })
	t.Run("power", func(t *testing.T) {
		if err := h.Poweroff(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := h.PowerOn(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := h.PSQL(t.Context(), "sessiondb", "SELECT count(*) FROM session"); got != "4" || err != nil {
			t.Errorf("after the second boot: %q, %v", got, err)
		}
	})
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if left := traces(t, os.Getpid()); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

func inside(t *testing.T, h *lab.Hypervisor) {
	ctx := t.Context()
	if failed, err := h.Failed(ctx); err != nil || len(failed) > 0 {
		t.Errorf("failed units %v, %v", failed, err)
	}
	if log, err := h.Journal(ctx, "hello"); err != nil || !strings.Contains(log, "prepared before boot") {
		t.Errorf("journal %q, %v", log, err)
	}
	if err := h.WriteFile(ctx, "/var/run/deep/er/file", []byte("x y\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Run(ctx, "stat", "-c", "%a %U %s", "/run/deep/er/file"); got != "640 root 4" || err != nil {
		t.Errorf("stat: %q, %v", got, err)
	}
	if _, err := os.Stat("/run/deep"); err == nil {
		t.Error("the file is outside")
	}
	if _, err := h.Run(ctx, "sysctl", "-w", "net.ipv4.ip_nonlocal_bind=1"); err != nil {
		t.Error(err)
	}
	if _, err := h.Run(ctx, "sh", "-c", "iptables -t mangle -S && ip6tables -t mangle -S && nft list ruleset"); err != nil {
		t.Error(err)
	}
	if _, err := h.Run(ctx, "sh", "-c", "exit 65"); lab.ExitCode(err) != 65 {
		t.Errorf("exit code %d, want 65", lab.ExitCode(err))
	}
	p, err := h.Start(ctx, "sleep", "60")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := h.Run(short, "sleep", "60"); err == nil || lab.ExitCode(err) != -1 {
		t.Errorf("a command past its deadline: %v", err)
	}
}

func network(t *testing.T, h *lab.Hypervisor) {
	ctx := t.Context()
	if _, err := h.Run(ctx, "sh", "-c", listen); err != nil {
		t.Fatal(err)
	}
	for _, from := range append(h.VMs(), h.Outside) {
		for _, gateway := range []string{from.Gateway, from.Gateway6, "10.5.0.1"} { // the last is another's, by routing
			if err := reach(ctx, from, gateway); err != nil {
				t.Errorf("VM %d: %v", from.Number, err)
			}
		}
	}
	if err := h.RemoveBridge(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if err := reach(ctx, h.VM(2), "10.2.0.1"); err == nil {
		t.Error("VM 2 reaches a bridge that is gone")
	}
	if err := h.AddBridge(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if err := reach(ctx, h.VM(2), "10.2.0.1"); err != nil {
		t.Error(err)
	}
}

// reach opens a TCP connection to PostgreSQL's port.
func reach(ctx context.Context, from *lab.Peer, to string) error {
	_, err := from.Run(ctx, "/usr/bin/python3", "-c", "import socket,sys; socket.create_connection((sys.argv[1], 5432), 1).close()", to)
	return err
}

func clients(t *testing.T, h *lab.Hypervisor) {
	if err := lab.LoadLegacy(t.Context(), h, false); err != nil {
		t.Fatal(err)
	}
	all, err := lab.Clients(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 4 {
		t.Fatalf("%d clients", len(all))
	}
	for i, c := range all {
		if out, err := c.Run(t.Context(), h.VM(i+1)); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		if _, err := c.Run(t.Context(), h.VM(i+1), "PGPASSWORD=wrong"); err == nil {
			t.Errorf("%s gets in with a wrong password", c.Name)
		}
	}
}

// traces is everything on the machine that bears the mark of this owner, one a line.
func traces(t *testing.T, pid int) string {
	t.Helper()
	mark, dir := fmt.Sprintf("sdlab-%d-", pid), fmt.Sprintf("/run/sessiondbd-lab/%d", pid)
	var lines []string
	for _, pattern := range []string{
		"/run/netns/" + mark + "*", dir, dir + ".lock", dir + "/*", "/sys/fs/cgroup/" + mark + "*", "/sys/fs/cgroup/*/" + mark + "*",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, found...)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, mark) || strings.Contains(line, dir+" ") {
			lines = append(lines, line)
		}
	}
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, c := range commands {
		if line, err := os.ReadFile(c); err == nil && strings.Contains(string(line), mark) {
			lines = append(lines, string(line))
		}
	}
	return strings.Join(lines, "\n")
}

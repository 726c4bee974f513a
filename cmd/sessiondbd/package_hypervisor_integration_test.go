//go:build integration

package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

const oldVersion, newVersion = "0.1.0", "0.1.1~test"

// The packages: built twice the same, for both architectures; and their life on both Debians.
func TestPackage(t *testing.T) {
	t.Parallel()
	dir, top := readableDir(t), snapshot(t)
	buildDebs(t, top, dir, oldVersion, "amd64 arm64")
	buildDebs(t, top, dir, newVersion, runtime.GOARCH)
	t.Run("reproducible", func(t *testing.T) {
		t.Parallel()
		elsewhere, again := filepath.Join(t.TempDir(), "another place"), t.TempDir()
		if out, err := exec.CommandContext(t.Context(), "cp", "-r", top, elsewhere).CombinedOutput(); err != nil {
			t.Fatalf("cp: %v\n%s", err, out)
		}
		buildDebs(t, elsewhere, again, oldVersion, "amd64 arm64", "TZ=Pacific/Auckland", "LC_ALL=C")
		for _, arch := range []string{"amd64", "arm64"} {
			if !bytes.Equal(mustRead(t, debPath(dir, oldVersion, arch)), mustRead(t, debPath(again, oldVersion, arch))) {
				t.Errorf("%s: a second build with the same SOURCE_DATE_EPOCH, from another folder, differs", arch)
			}
		}
		if bytes.Equal(mustRead(t, debPath(dir, oldVersion, "amd64")), mustRead(t, debPath(dir, oldVersion, "arm64"))) {
			t.Error("both architectures are the same file")
		}
	})
	t.Run("arm64", func(t *testing.T) { t.Parallel(); otherArchitecture(t, dir) })
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			h := lab.BootT(t, lab.Options{Suite: suite, Packages: []string{"lintian"}, Progress: func(line string) { t.Log(line) }})
			for _, step := range []struct {
				name string
				do   func(*testing.T, *lab.Hypervisor, string)
			}{
				{"lintian", lintian},
				{"install", installPackage},
				{"start", startPackage},
				{"upgrade under traffic", upgrade},
				{"what the administrator switched off stays off", reinstall},
				{"boot", bootPackage},
				{"remove", removePackage},
				{"purge", purgePackage},
			} {
				if !t.Run(step.name, func(t *testing.T) { step.do(t, h, dir) }) {
					break
				}
			}
		})
	}
}

func lintian(t *testing.T, h *lab.Hypervisor, dir string) {
	for _, arch := range []string{"amd64", "arm64"} {
		path := debPath(dir, oldVersion, arch)
		if err := h.Put(t.Context(), path, "/tmp/"+filepath.Base(path), 0o644); err != nil {
			t.Fatal(err)
		}
		out, errOut, code := run(t, h, "lintian", "--no-cfg", "--allow-root", "--fail-on", "error,warning", "/tmp/"+filepath.Base(path))
		if code != 0 || strings.Contains(out, "W: ") || strings.Contains(out, "E: ") {
			t.Errorf("%s: exit %d\n%s%s", arch, code, out, errOut)
		}
	}
}

// apt runs apt-get and returns all that the administrator sees.
func apt(t *testing.T, h *lab.Hypervisor, args string) string {
	t.Helper()
	return sh(t, h, "cd /tmp && DEBIAN_FRONTEND=noninteractive apt-get -y "+args+" 2>&1")
}

func has(t *testing.T, what, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %q:\n%s", what, want, text)
		}
	}
}

var packageUnits = []string{
	"sessiondbd-firewall.service", "sessiondbd-restart-postgresql.path", "sessiondbd.service", "sessiondbd-backup.timer", "sessiondbd-backup-verify.timer",
}

// property is one property of a unit.
func property(t *testing.T, h *lab.Hypervisor, unit, name string) string {
	t.Helper()
	return strings.TrimSpace(must(t, h, "systemctl", "show", "-P", name, unit))
}

func installPackage(t *testing.T, h *lab.Hypervisor, dir string) {
	cluster := strings.TrimSpace(sh(t, h, "systemctl list-units --plain --no-legend 'postgresql@*' | cut -d' ' -f1"))
	before := property(t, h, cluster, "MainPID") + sh(t, h, "iptables-save; cat /etc/postgresql/*/main/pg_hba.conf")
	out := apt(t, h, "install ./"+filepath.Base(debPath(dir, oldVersion, runtime.GOARCH)))
	has(t, "apt install", out, "not started", "sudo sessiondbd plan", "sudo systemctl start sessiondbd")
	for _, unit := range packageUnits {
		if active, enabled := property(t, h, unit, "ActiveState"), property(t, h, unit, "UnitFileState"); active != "inactive" || enabled != "enabled" {
			t.Errorf("%s is %s and %s", unit, active, enabled)
		}
	}
	for _, unit := range []string{"sessiondbd-metrics.socket", "sessiondbd-prune.timer"} {
		if enabled := property(t, h, unit, "UnitFileState"); enabled != "disabled" {
			t.Errorf("%s is %s although nobody asked for it", unit, enabled)
		}
	}
	if after := property(t, h, cluster, "MainPID") + sh(t, h, "iptables-save; cat /etc/postgresql/*/main/pg_hba.conf"); before != after {
		t.Errorf("installing changed the host:\n%s\n%s", before, after)
	}
	if r, code := report(t, h, "plan"); code != exitPending || len(r.Changes) == 0 {
		t.Errorf("plan after install: exit %d, %+v", code, r)
	}
	sh(t, h, "getent passwd sessiondbd-firewall; test -d /etc/credstore; test -d /var/lib/sessiondbd; sessiondbd config check")
}

func startPackage(t *testing.T, h *lab.Hypervisor, _ string) {
	begin := time.Now()
	must(t, h, "systemctl", "start", "sessiondbd")
	t.Logf("systemctl start sessiondbd returned after %s", time.Since(begin).Round(time.Millisecond))
	inSync(t, h)
	for _, unit := range packageUnits {
		if active := property(t, h, unit, "ActiveState"); active != "active" {
			t.Errorf("%s is %s beside a service that was started", unit, active)
		}
	}
	has(t, "timers", must(t, h, "systemctl", "list-timers", "--all", "sessiondbd-*"), "sessiondbd-backup.timer", " 02:", "sessiondbd-backup-verify.timer", " 04:")
	clients, err := lab.Clients(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, vm := range h.VMs() { // every VM, and every client
		for _, c := range []lab.Client{clients[i%len(clients)], clients[(i+1)%len(clients)]} {
			if out, err := c.Run(t.Context(), vm); err != nil {
				t.Errorf("%s from VM %d: %v\n%s", c.Name, vm.Number, err, out)
			}
		}
	}
	outsideIsShut(t, h)
}

func outsideIsShut(t *testing.T, h *lab.Hypervisor) {
	t.Helper()
	for _, host := range []string{h.Outside.Gateway, h.Outside.Gateway6, "10.1.0.1"} {
		if tries(t, h.Outside, host) == nil {
			t.Errorf("the outside reaches %s", host)
		}
	}
}

func upgrade(t *testing.T, h *lab.Hypervisor, dir string) {
	const mine = "# kept on upgrade\nroles:\n  - name: sessionuser\n    connection_limit: 60\n"
	if err := h.WriteFile(t.Context(), "/etc/sessiondbd/config.yaml", []byte(mine), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, h, "systemctl", "reload", "sessiondbd", "sessiondbd-firewall")
	path := debPath(dir, newVersion, runtime.GOARCH)
	if err := h.Put(t.Context(), path, "/tmp/"+filepath.Base(path), 0o644); err != nil {
		t.Fatal(err)
	}
	pids := map[string]string{}
	for _, unit := range []string{"sessiondbd.service", "sessiondbd-firewall.service"} {
		pids[unit] = property(t, h, unit, "MainPID")
	}
	tr := startTraffic(t, h)
	begin := time.Now()
	apt(t, h, "install ./"+filepath.Base(path))
	t.Logf("apt upgraded in %s", time.Since(begin).Round(time.Millisecond))
	tr.end(t, begin)
	for unit, pid := range pids {
		if now := property(t, h, unit, "MainPID"); now == pid || now == "0" {
			t.Errorf("%s: process %s before, %s after", unit, pid, now)
		}
		down, up := property(t, h, unit, "ActiveExitTimestampMonotonic"), property(t, h, unit, "ActiveEnterTimestampMonotonic")
		d, errD := strconv.ParseInt(down, 10, 64)
		u, errU := strconv.ParseInt(up, 10, 64)
		if errD != nil || errU != nil || u <= d {
			t.Fatalf("%s: down at %s, up at %s", unit, down, up)
		}
		t.Logf("%s was away for %s", unit, time.Duration(u-d)*time.Microsecond)
	}
	has(t, "version", must(t, h, "sessiondbd", "version"), newVersion)
	if have := sh(t, h, "cat /etc/sessiondbd/config.yaml"); have != mine {
		t.Errorf("the config was not kept:\n%s", have)
	}
	inSync(t, h)
	outsideIsShut(t, h)
}

func reinstall(t *testing.T, h *lab.Hypervisor, dir string) {
	off := []string{"sessiondbd.service", "sessiondbd-backup.timer"}
	must(t, h, append([]string{"systemctl", "disable", "--now"}, off...)...)
	apt(t, h, "install --reinstall ./"+filepath.Base(debPath(dir, newVersion, runtime.GOARCH)))
	for _, unit := range off {
		if active, enabled := property(t, h, unit, "ActiveState"), property(t, h, unit, "UnitFileState"); active != "inactive" || enabled != "disabled" {
			t.Errorf("%s is %s and %s again", unit, active, enabled)
		}
	}
	must(t, h, append([]string{"systemctl", "enable", "--now"}, off...)...)
}

func bootPackage(t *testing.T, h *lab.Hypervisor, _ string) {
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
	if failed, err := h.Failed(t.Context()); err != nil || len(failed) > 0 {
		t.Errorf("failed units %v, %v", failed, err)
	}
	out := sh(t, h, "journalctl -b --no-pager -u sessiondbd -u sessiondbd-firewall -t systemd")
	if strings.Contains(out, "rdering cycle") || strings.Contains(out, "is dropped") {
		t.Errorf("systemd complains:\n%s", out)
	}
}

var removalCommand = regexp.MustCompile(`(?m)^ +(for t in .*; done)\s*$`) // apt gives dpkg a terminal: lines end in \r\n

func removePackage(t *testing.T, h *lab.Hypervisor, _ string) {
	sh(t, h, "iptables -A INPUT -p tcp --dport 9999 -j DROP; ip6tables -A INPUT -p tcp --dport 9999 -j DROP")
	out := apt(t, h, "remove sessiondbd")
	has(t, "apt remove", out, "data, the roles and PostgreSQL's settings stay", "firewall rules stay")
	rules := sh(t, h, "iptables-save; ip6tables-save")
	if n := strings.Count(rules, ":SESSIONDB-GUARD"); n != 2 {
		t.Errorf("removing the package took rules away:\n%s", rules)
	}
	outsideIsShut(t, h)
	if n, err := asVM(t, h.VMs()[0], documented, "SELECT count(*) > 50 FROM session"); n != "t" || err != nil {
		t.Errorf("without the package: %q, %v", n, err)
	}
	sh(t, h, "test ! -e /usr/bin/sessiondbd; test -e /etc/sessiondbd/config.yaml; ! pgrep -x sessiondbd")
	m := removalCommand.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("apt remove prints no command:\n%s", out)
	}
	sh(t, h, strings.ReplaceAll(m[1], "sudo ", ""))
	rules = sh(t, h, "iptables-save; ip6tables-save")
	if strings.Contains(rules, "SESSIONDB") || strings.Count(rules, "--dport 9999 -j DROP") != 2 {
		t.Errorf("after %s:\n%s", m[1], rules)
	}
}

func purgePackage(t *testing.T, h *lab.Hypervisor, _ string) {
	apt(t, h, "purge sessiondbd")
	sh(t, h, "test ! -e /etc/sessiondbd; test ! -e /var/lib/sessiondbd; test -z \"$(find /etc/systemd /usr/lib/systemd -name '*sessiondbd*')\"")
	if n, err := asVM(t, h.VMs()[0], documented, "SELECT count(*) > 50 FROM session"); n != "t" || err != nil {
		t.Errorf("after purge: %q, %v", n, err)
	}
	if failed, err := h.Failed(t.Context()); err != nil || len(failed) > 0 {
		t.Errorf("failed units %v, %v", failed, err)
	}
}

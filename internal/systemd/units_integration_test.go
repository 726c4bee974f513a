//go:build integration

package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// installed makes a root with our units, what they name of other packages, and a stand-in for the binary.
func installed(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	units := filepath.Join(root, "usr/lib/systemd/system")
	copyTo := func(pattern, dir string) {
		files, err := filepath.Glob(filepath.Join(unitsDir, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no such unit (%v)", pattern, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, filepath.Base(f)), string(b), 0o644)
		}
	}
	copyTo("*.service", units)
	copyTo("*.path", units)
	copyTo("*.socket", units)
	copyTo("*.timer", units)
	copyTo("postgresql@.service.d/*.conf", filepath.Join(units, "postgresql@.service.d"))
	for name, text := range map[string]string{
		"postgresql.service":  "[Service]\nType=oneshot\nExecStart=/bin/true\nRemainAfterExit=yes\n",
		"postgresql@.service": "[Unit]\nPartOf=postgresql.service\nBefore=postgresql.service\n[Service]\nExecStart=/bin/true\n",
		"nftables.service":    "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target shutdown.target\nConflicts=shutdown.target\n[Service]\nType=oneshot\nExecStart=/bin/true\nRemainAfterExit=yes\n",
		"sysinit.target":      "[Unit]\nDefaultDependencies=no\n",
		"basic.target":        "[Unit]\nRequires=sysinit.target\nAfter=sysinit.target\n",
		"shutdown.target":     "[Unit]\nDefaultDependencies=no\n",
		"multi-user.target":   "[Unit]\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n",
	} {
		write(t, filepath.Join(units, name), text, 0o644)
	}
	for _, bin := range []string{"usr/bin/sessiondbd", "usr/bin/sessiondbd-metrics", "bin/true", "usr/bin/true"} {
		write(t, filepath.Join(root, bin), "#!/bin/sh\n", 0o755)
	}
	write(t, filepath.Join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\npostgres:x:100:102::/:/bin/sh\nsessiondbd-firewall:x:997:997::/:/bin/false\n", 0o644)
	return root
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func analyze(t *testing.T, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Fatalf("systemd-analyze is needed: apt-get install systemd (%v)", err)
	}
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", args...).CombinedOutput()
	return string(out), err
}

func TestUnitsVerify(t *testing.T) {
	root := installed(t)
	verify := func() (string, error) {
		return analyze(t, "verify", "--root="+root, "--man=no", "--recursive-errors=yes", "sessiondbd.service",
			"sessiondbd-firewall.service", "sessiondbd-restart-postgresql.path", "sessiondbd-restart-postgresql.service", "sessiondbd-metrics.socket", "sessiondbd-metrics.service", "sessiondbd-prune.timer", "sessiondbd-prune.service", "sessiondbd-backup.timer", "sessiondbd-backup.service", "sessiondbd-backup-verify.timer", "sessiondbd-backup-verify.service", "postgresql@15-main.service")
	}
	if out, err := verify(); err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	// The same with a mistake in it, or the silence above would prove nothing.
	f := filepath.Join(root, "usr/lib/systemd/system/sessiondbd.service")
	b, err := os.ReadFile(f)
	if err != nil {
		t.Fatal(err)
	}
	write(t, f, strings.Replace(string(b), "PrivateUsers=yes", "PrivateUzers=yes", 1), 0o644)
	if out, _ := verify(); !strings.Contains(out, "PrivateUzers") {
		t.Errorf("a misspelt setting went unnoticed: %q", out)
	}
}

func TestUnitsAreHardened(t *testing.T) {
	root := installed(t)
	for unit, limit := range map[string]float64{
		"sessiondbd.service":                    0.3,
		"sessiondbd-firewall.service":           1.2,
		"sessiondbd-restart-postgresql.service": 1.5,
		"sessiondbd-metrics.service":            0.3,
		"sessiondbd-prune.service":              0.3,
		"sessiondbd-backup.service":             0.3,
		"sessiondbd-backup-verify.service":      1.2, // the loopback
	} {
		security := func(limit float64) (string, error) {
			return analyze(t, "security", "--offline=yes", "--root="+root, "--no-pager",
				"--threshold="+strconv.Itoa(int(limit*10+0.5)), unit)
		}
		if out, err := security(limit); err != nil {
			t.Errorf("%s is more exposed than %.1f: %v\n%s", unit, limit, err, out)
		}
		if out, err := security(0); err == nil {
			t.Errorf("%s: the threshold does not bite\n%s", unit, out)
		}
	}
}

//go:build integration

package main

import (
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// With the legacy back end root's commands see and write the rules as with the other, before and after the daemon with its
// drop-in shares the lock that the tools have.
func TestLegacyToolsAsRoot(t *testing.T) {
	t.Parallel()
	h := boot(t, lab.Options{})
	const daemon = "sessiondbd-firewall" // which PostgreSQL's restart would pull in
	sh(t, h, "systemctl stop "+daemon+"; systemctl mask --runtime "+daemon+"; sessiondbd remove; rm -f /run/xtables.lock\n"+withConfig("firewall: {backend: legacy}"))
	rules := func() string {
		return sh(t, h, "iptables-legacy -t mangle -S; iptables-legacy -S; ip6tables-legacy -t mangle -S")
	}
	asRoot := func(t *testing.T) {
		t.Helper()
		for _, x := range []struct {
			command string
			code    int
			says    string
		}{
			{"plan", exitPending, "SESSIONDB-GUARD"},
			{"apply", exitOK, ""},
			{"plan", exitOK, "in sync"},
			{"doctor --vm vm3", exitFailure, "legacy, port 5432, 5 of 5 networks let through"}, // the daemons do not run
			{"remove", exitOK, ""},
		} {
			out, errOut, code := run(t, h, append([]string{"sessiondbd"}, strings.Fields(x.command)...)...)
			if code != x.code || !strings.Contains(out, x.says) {
				t.Errorf("%s: exit %d, want %d and %q\n%s%s", x.command, code, x.code, x.says, out, errOut)
			}
			if there := strings.Contains(rules(), "SESSIONDB"); there != (x.command != "remove" && x.command != "plan" || x.code == exitOK && x.command == "plan") {
				t.Errorf("after %s: our chains are there: %v", x.command, there)
			}
		}
	}
	asRoot(t)
	lock := sh(t, h, "stat -c '%a %U %G' /run/xtables.lock")
	if want := "660 root sessiondbd-firewall\n"; lock != want {
		t.Errorf("the lock is %q, want %q", lock, want)
	}
	sh(t, h, "systemctl unmask --runtime "+daemon+"; install -D -m 0644 -t /etc/systemd/system/sessiondbd-firewall.service.d /usr/share/doc/sessiondbd/examples/legacy-iptables.conf; systemctl daemon-reload; systemctl start "+daemon)
	sh(t, h, "iptables-legacy -t mangle -F INPUT; iptables-legacy -F INPUT")
	eventually(t, "the daemon mends it", 20*time.Second, func() bool {
		return strings.Contains(rules(), "-j SESSIONDB-GUARD")
	})
	sh(t, h, "systemctl stop "+daemon+"; sessiondbd remove")
	asRoot(t)
}

//go:build integration

package main

import (
	"strings"
	"time"
)

// backups has the timers' services work in their sandbox, also with another folder and another time, of which the generator
// tells systemd; what they leave behind can be restored by hand.
func (h serviceHost) backups() {
	h.t.Helper()
	for unit, tenths := range map[string]string{"sessiondbd-backup.service": "4", "sessiondbd-backup-verify.service": "12"} { // the loopback is 0.8
		if out, _, code := run(h.t, h.Hypervisor, "systemd-analyze", "security", "--no-pager", "--threshold="+tenths, unit); code != 0 {
			h.t.Errorf("%s: %s", unit, lastLine(out))
		}
	}
	h.must("systemctl", "enable", "sessiondbd-backup.timer", "sessiondbd-backup-verify.timer")
	h.must("systemctl", "restart", "sessiondbd")
	if out := h.must("systemctl", "show", "-P", "ActiveState", "sessiondbd-backup.timer", "sessiondbd-backup-verify.timer"); strings.Count(out, "inactive") > 0 {
		h.t.Errorf("the service was started without its timers: %s", out)
	}
	calendar := func() string { return h.must("systemctl", "show", "-P", "TimersCalendar", "sessiondbd-backup.timer") }
	has(h.t, "the timer", calendar(), "OnCalendar=*-*-* 02:00:00")
	has(h.t, "the timer", h.must("systemctl", "show", "-p", "Persistent", "-p", "RandomizedDelayUSec", "sessiondbd-backup.timer"), "Persistent=yes", "15min")
	rows := h.sql("sessiondb", "SELECT count(*) FROM session")
	h.must("systemctl", "start", "sessiondbd-backup.service")
	h.must("systemctl", "start", "sessiondbd-backup-verify.service")
	has(h.t, "status", h.must("sessiondbd", "status"), "backup    last ", rows+" sessions", "restored for a test")
	has(h.t, "pg_restore", sh(h.t, h.Hypervisor, "cd /var/backups/sessiondb; sha256sum -c *.sha256; pg_restore --list sessiondb-*.dump"), ".dump: OK", "TABLE DATA public session")
	if version := h.sql("postgres", "SHOW server_version_num"); version >= "160000" {
		has(h.t, "the archive", sh(h.t, h.Hypervisor, "pg_restore --list /var/backups/sessiondb/sessiondb-*.dump | head -20"), "Compression: zstd")
	}
	if out, _, code := run(h.t, h.Hypervisor, "runuser", "-u", "nobody", "--", "ls", "/var/backups/sessiondb"); code == 0 {
		h.t.Errorf("everybody sees the backups: %s", out)
	}

	h.must("sessiondbd", "pause")
	for _, unit := range []string{"sessiondbd-backup.service", "sessiondbd-backup-verify.service"} {
		_, _, _ = run(h.t, h.Hypervisor, "systemctl", "start", unit)
		if out := h.must("systemctl", "show", "-P", "ExecMainStatus", unit); strings.TrimSpace(out) != "75" {
			h.t.Errorf("%s in a pause exits %s", unit, out)
		}
		h.must("systemctl", "stop", unit)
	}
	h.must("sessiondbd", "resume")

	before := h.must("cat", "/etc/sessiondbd/config.yaml")
	if err := h.WriteFile(h.t.Context(), "/etc/sessiondbd/config.yaml", []byte("backup: {directory: '/srv/100% ours', schedule: 'Mon..Fri 23:30'}\n"), 0o644); err != nil {
		h.t.Fatal(err)
	}
	h.must("install", "-d", "-o", "postgres", "-m", "0700", "/srv/100% ours")
	h.must("systemctl", "daemon-reload")
	has(h.t, "another time", calendar(), "Mon..Fri *-*-* 23:30:00")
	if out := calendar(); strings.Contains(out, "02:00") {
		h.t.Errorf("the usual time is left: %s", out)
	}
	h.must("systemctl", "start", "sessiondbd-backup.service")
	h.must("systemctl", "start", "sessiondbd-backup-verify.service")
	has(h.t, "another folder", h.must("ls", "/srv/100% ours"), "sessiondb-")
	h.uploads()
	h.misconfigured()
	h.must("chown", "root", "/srv/100% ours")
	if _, _, code := run(h.t, h.Hypervisor, "systemctl", "start", "sessiondbd-backup.service"); code == 0 {
		h.t.Error("a backup that cannot be written goes well")
	}
	if out, code := h.status(); code != exitFailure || !strings.Contains(out, "FAILED") {
		h.t.Errorf("status exits %d:\n%s", code, out)
	}
	if err := h.WriteFile(h.t.Context(), "/etc/sessiondbd/config.yaml", []byte(before), 0o644); err != nil {
		h.t.Fatal(err)
	}
	h.must("systemctl", "daemon-reload")
	has(h.t, "the usual time", calendar(), "02:00:00")
	eventually(h.t, "a good backup ends the alarm", 20*time.Second, func() bool {
		_, _, code := run(h.t, h.Hypervisor, "sessiondbd", "backup")
		return code == exitOK
	})
	h.converges()
}

// misconfigured has the timer's service meet a config that cannot be read, of which status tells.
func (h serviceHost) misconfigured() {
	h.t.Helper()
	sh(h.t, h.Hypervisor, "cp -a /etc/sessiondbd/config.yaml /etc/sessiondbd/good; echo 'nonsense: 1' >>/etc/sessiondbd/config.yaml")
	if _, _, code := run(h.t, h.Hypervisor, "systemctl", "start", "sessiondbd-backup.service"); code == 0 {
		h.t.Error("a backup with a config that cannot be read goes well")
	}
	if out, code := h.status(); code != exitFailure || !strings.Contains(out, "FAILED") || !strings.Contains(out, "nonsense") {
		h.t.Errorf("status exits %d:\n%s", code, out)
	}
	h.must("mv", "/etc/sessiondbd/good", "/etc/sessiondbd/config.yaml")
}

// uploads has the timer's service give a backup to a server on the host's loopback, which it finds only where the config names a
// command: the network of the others is shut.
func (h serviceHost) uploads() {
	h.t.Helper()
	const shut = "/etc/sessiondbd/config.yaml"
	before := h.must("cat", shut)
	state := func() string {
		h.must("systemctl", "daemon-reload")
		return h.must("systemctl", "show", "-P", "PrivateNetwork", "sessiondbd-backup.service", "sessiondbd-backup-verify.service", "sessiondbd.service")
	}
	if out := strings.Fields(state()); strings.Join(out, " ") != "yes no yes" { // the test of a backup logs in over the loopback
		h.t.Errorf("networks of their own: %v", out)
	}
	sh(h.t, h.Hypervisor, `systemd-run --quiet --unit=bucket sh -c 'perl -MIO::Socket::INET -e "\$s = IO::Socket::INET->new(LocalAddr => q(127.0.0.1), LocalPort => 9000, Listen => 1, ReuseAddr => 1) or die; \$c = \$s->accept; print <\$c>" >/run/uploaded'`)
	config := strings.TrimSuffix(strings.TrimSpace(before), "}") + `, upload: [bash, -c, "cat >/dev/tcp/127.0.0.1/9000"]}` + "\n"
	if err := h.WriteFile(h.t.Context(), shut, []byte(config), 0o644); err != nil {
		h.t.Fatal(err)
	}
	if out := strings.Fields(state()); strings.Join(out, " ") != "no no yes" {
		h.t.Errorf("networks of their own with an upload: %v", out)
	}
	eventually(h.t, "the bucket is there", 20*time.Second, func() bool {
		_, _, code := run(h.t, h.Hypervisor, "sh", "-c", "ss -ltn | grep -q 127.0.0.1:9000")
		return code == 0
	})
	time.Sleep(1100 * time.Millisecond) // there is a backup of this second, perhaps
	h.must("systemctl", "start", "sessiondbd-backup.service")
	eventually(h.t, "it is stored", 20*time.Second, func() bool {
		_, _, code := run(h.t, h.Hypervisor, "sh", "-c", `cmp /run/uploaded "$(ls "/srv/100% ours"/*.dump | tail -n 1)"`)
		return code == 0
	})
	if err := h.WriteFile(h.t.Context(), shut, []byte(before), 0o644); err != nil {
		h.t.Fatal(err)
	}
	state()
}

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
	h.must("systemctl", "enable", "--now", "sessiondbd-backup.timer", "sessiondbd-backup-verify.timer")
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

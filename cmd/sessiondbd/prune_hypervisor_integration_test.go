//go:build integration

package main

import (
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// On a booted hypervisor nobody deletes anything before the timer is enabled; then its service does, with all its fences, and
// says so in the journal. Without retention it has nothing to do, and a pause is no failure.
func TestPruneTimer(t *testing.T) {
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			h := boot(t, lab.Options{Suite: suite})
			must(t, h, "systemctl", "start", "sessiondbd")
			const unit, timer = "sessiondbd-prune.service", "sessiondbd-prune.timer"
			count := func() string {
				return strings.TrimSpace(must(t, h, "runuser", "-u", "postgres", "--", "psql", "-XAtc", "SELECT count(*) FROM session", "sessiondb"))
			}
			const insert = `INSERT INTO session (inbox_status, created_at) SELECT 'completed', now() - n * interval '1 day' FROM generate_series(1, 60) n`
			must(t, h, "runuser", "-u", "postgres", "--", "psql", "-Xqc", insert, "sessiondb")
			if have := property(t, h, timer, "ActiveState"); have != "inactive" {
				t.Errorf("the timer is %s although nobody asked for it", have)
			}
			// A secret that only root may read is nothing to it.
			sh(t, h, "printf %s 'a password of the host' | install -m 0600 /dev/stdin /etc/credstore/sessionuser.password")
			must(t, h, "systemctl", "start", unit)
			if out := sh(t, h, "journalctl --no-pager -u "+unit); !strings.Contains(out, "Nothing to do: the config has no retention.") || count() != "60" {
				t.Errorf("%s rows; the journal says:\n%s", count(), out)
			}
			sh(t, h, "printf '\\nretention: {status: completed, older_than: 720h}\\n' >>/etc/sessiondbd/config.yaml; sessiondbd config check; systemctl reload sessiondbd")
			must(t, h, "sessiondbd", "pause", "--for", "1h")
			must(t, h, "systemctl", "start", unit)
			if out := sh(t, h, "journalctl --no-pager -u "+unit); !strings.Contains(out, "paused for another") || count() != "60" {
				t.Errorf("%s rows; the journal says:\n%s", count(), out)
			}
			must(t, h, "sessiondbd", "resume")
			// The same timer, whose night begins at once.
			sh(t, h, "mkdir -p /run/systemd/system/"+timer+".d; printf '[Timer]\\nOnCalendar=\\nRandomizedDelaySec=0\\nPersistent=no\\nAccuracySec=10ms\\nOnActiveSec=100ms\\n' >/run/systemd/system/"+timer+".d/now.conf; systemctl daemon-reload")
			must(t, h, "systemctl", "enable", "--now", timer)
			eventually(t, "old sessions are gone", 2*time.Minute, func() bool { return count() == "29" })
			eventually(t, "its service has ended well", time.Minute, func() bool {
				return property(t, h, unit, "ActiveState") == "inactive" && property(t, h, unit, "Result") == "success"
			})
			if out := sh(t, h, "journalctl --no-pager -u "+unit); !strings.Contains(out, "deleted 31 sessions (completed, created before ") {
				t.Errorf("the journal says:\n%s", out)
			}
			sh(t, h, "rm /etc/credstore/sessionuser.password")
			inSync(t, h)
		})
	}
}

package daemon

import (
	"log/slog"
	"time"
)

// teller keeps the service manager from being told the same thing again, and a broken notify socket from being
// complained about more than once.
type teller struct {
	to       Notifier
	log      *slog.Logger
	last     string
	extended time.Time
	broken   bool
}

func (t *teller) check(err error) {
	if err != nil && !t.broken {
		t.broken = true
		t.log.Warn("the service manager does not hear us", "error", err)
	}
}

func (t *teller) ready(status string) {
	t.last = status
	t.check(t.to.Ready(status))
}

func (t *teller) status(status string) {
	if status != t.last {
		t.last = status
		t.check(t.to.Status(status))
	}
}

// extend asks for more time, at most four times as often as it runs out: the quick retries are many.
func (t *teller) extend(d time.Duration) {
	if now := time.Now(); t.extended.IsZero() || now.Sub(t.extended) >= d/4 {
		t.extended = now
		t.check(t.to.ExtendTimeout(d))
	}
}

func (t *teller) reloading() { t.check(t.to.Reloading()) }
func (t *teller) stopping()  { t.check(t.to.Stopping()) }
func (t *teller) watchdog()  { t.check(t.to.Watchdog()) }

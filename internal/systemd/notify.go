// Package systemd speaks with the service manager that started us, or with nobody when none did.
package systemd

import (
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Notifier tells the service manager how the service is doing (sd_notify(3)). Its zero value is ready to use. Outside
// systemd, where NOTIFY_SOCKET is unset, every method does nothing and returns nil.
type Notifier struct{}

// Ready says that what the unit promises has been verified, or that a reload has ended.
func (Notifier) Ready(status string) error {
	return send(daemon.SdNotifyReady + "\n" + statusLine(status))
}

// Status sets the line that `systemctl status` shows.
func (Notifier) Status(status string) error { return send(statusLine(status)) }

// Reloading says that a reload has begun; Ready ends it. Type=notify-reload (systemd 253) needs the time in it.
func (Notifier) Reloading() error {
	return send(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// Stopping says that the service is on its way out.
func (Notifier) Stopping() error { return send(daemon.SdNotifyStopping) }

// ExtendTimeout asks for at least d from now on before the start, reload or stop in progress counts as failed.
func (Notifier) ExtendTimeout(d time.Duration) error {
	return send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds()))
}

// Watchdog says that the service has made progress. It is due at least every WatchdogInterval.
func (Notifier) Watchdog() error { return send(daemon.SdNotifyWatchdog) }

// WatchdogInterval is how long the service manager waits for a Watchdog call before it kills us (WatchdogSec=), or 0
// when it does not watch. Callers ping at half of it.
func WatchdogInterval() (time.Duration, error) {
	d, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0, fmt.Errorf("watchdog interval from WATCHDOG_USEC: %w", err)
	}
	return d, nil
}

// statusLine keeps a status on one line: a newline would begin the next assignment.
func statusLine(s string) string { return "STATUS=" + strings.Join(strings.Fields(s), " ") }

func send(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	return nil
}

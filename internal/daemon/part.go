// Package daemon keeps a part of the host as its config says by passing over it whenever there is a reason to.
package daemon

import (
	"context"
	"log/slog"
	"os"
	"time"

	"sessiondbd/internal/plan"
)

// Part is what one loop keeps: the database or the firewall.
type Part struct {
	Name string // "database" or "firewall"
	Host plan.Host
	// Wake gives reasons to look before the interval is over. Reasons that come close together make one pass.
	Wake <-chan string
	// Progress gives a sign of life from inside a pass whose single step takes long (an index over millions of rows).
	// Without one, a pass that outlasts the watchdog interval is taken for hung.
	Progress <-chan struct{}
	Interval time.Duration // from the end of one pass to the next without a reason, on the monotonic clock; 0: 10 s
	Repair   bool          // false: once converged, differences are reported and left alone
	// Describe says in a few words what the report is about: "schema 0004, 1/1 roles, 5/5 networks".
	Describe func(plan.Report) string
	// Facts are what the last look found in numbers, for the state file: {"schema_version": 4}. May be nil.
	Facts func(plan.Report) map[string]int
	// Serving says whether the VMs are served although the outcome is not in sync.
	Serving func(plan.Outcome) bool
	// Retry says whether an error goes away by waiting (PostgreSQL is starting). Such a part is waiting, not degraded.
	Retry func(error) bool
	// Verified is called after each pass that ends with the part verified, or with the VMs served all the same. May be nil.
	Verified func()
	// Paused says whether an administrator wants the part left alone, and how much longer. It is asked before each pass. Release
	// lets go of what would be in the way meanwhile, connections above all; the next pass takes it up again. Both may be nil.
	Paused  func() (left time.Duration, paused bool)
	Release func()
	// StateFile is the path of the state file.
	StateFile string
	// Close releases what the part holds. It is called once, when the part has been replaced or the loop ends.
	Close func()
}

func (p Part) withDefaults() Part {
	if p.Interval <= 0 {
		p.Interval = 10 * time.Second
	}
	if p.Describe == nil {
		p.Describe = func(plan.Report) string { return "" }
	}
	if p.Facts == nil {
		p.Facts = func(plan.Report) map[string]int { return map[string]int{} }
	}
	if p.Serving == nil {
		p.Serving = func(plan.Outcome) bool { return false }
	}
	if p.Retry == nil {
		p.Retry = func(error) bool { return false }
	}
	if p.Verified == nil {
		p.Verified = func() {}
	}
	if p.Paused == nil {
		p.Paused = func() (time.Duration, bool) { return 0, false }
	}
	if p.Release == nil {
		p.Release = func() {}
	}
	if p.Close == nil {
		p.Close = func() {}
	}
	return p
}

// Notifier is the service manager as the loop sees it; systemd.Notifier is one.
type Notifier interface {
	Ready(status string) error
	Status(status string) error
	Reloading() error
	Stopping() error
	ExtendTimeout(d time.Duration) error
	Watchdog() error
}

// Options are what the loop needs from the process that it runs in.
type Options struct {
	Log    *slog.Logger
	Notify Notifier // nil: nobody to tell
	// Watchdog is how long the service manager waits for a sign of progress; 0: for ever.
	Watchdog time.Duration
	// Reload gives a value when the config is to be read again (SIGHUP). It must have room for one.
	Reload <-chan os.Signal
	// Prompt gives a value when somebody wants the daemon to look at once: a pause has begun or ended (SIGUSR1).
	Prompt <-chan os.Signal
	// Load reads the config again and makes a part of it. On an error the old part stays.
	Load func(ctx context.Context) (Part, error)
	// Grace is how long a running pass may take to end after the context is; 0: 10 s.
	Grace time.Duration
}

type nobody struct{}

func (nobody) Ready(string) error                { return nil }
func (nobody) Status(string) error               { return nil }
func (nobody) Reloading() error                  { return nil }
func (nobody) Stopping() error                   { return nil }
func (nobody) ExtendTimeout(time.Duration) error { return nil }
func (nobody) Watchdog() error                   { return nil }

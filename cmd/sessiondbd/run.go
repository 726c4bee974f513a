package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"sessiondbd/internal/config"
	"sessiondbd/internal/daemon"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
	"sessiondbd/internal/systemd"
)

func (a *app) runCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "run", Short: "the daemon: converge, then keep it so", Args: cobra.NoArgs,
		Long: "Converges, says READY to systemd once the result is verified, and from then on looks again at every reason to and at reconcile.interval.",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context()) },
	}
	a.onlyFlag(c)
	return c
}

// heapGrowth is by how much of what lives the heap of a daemon may grow before garbage is collected, in percent.
const heapGrowth = 25

func (a *app) run(ctx context.Context) error {
	parts := a.parts()
	s, err := a.setup(parts, options{stay: true})
	if err != nil {
		if slices.Contains(parts, fire) && exitCode(err) == exitConfig {
			a.keepClosed(ctx)
		}
		return err
	}
	watchdog, err := systemd.WatchdogInterval()
	if err != nil {
		return err
	}
	// What lives is less than a megabyte; with the default, garbage of four would stay around it for ever.
	debug.SetGCPercent(heapGrowth)
	runtime.GOMAXPROCS(processors(a.parts()))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	notify := daemon.Share(systemd.Notifier{}, parts...)
	if len(parts) == 1 {
		notify = []daemon.Notifier{systemd.Notifier{}}
	}
	hups := fan(ctx, reload, len(parts))
	prompt := make(chan os.Signal, 1)
	signal.Notify(prompt, syscall.SIGUSR1)
	defer signal.Stop(prompt)
	var loops sync.WaitGroup
	failed := make([]error, len(parts))
	for i, part := range parts {
		p, err := a.part(s, part)
		if err != nil {
			return err
		}
		opts := daemon.Options{Log: a.log, Notify: notify[i], Watchdog: watchdog, Reload: hups[i], Load: a.reloader(s, part)}
		if part == database {
			opts.Prompt = prompt
		}
		loops.Go(func() {
			if failed[i] = daemon.Run(ctx, p, opts); failed[i] != nil {
				cancel() // one part alone is not what was asked for
			}
		})
	}
	loops.Wait()
	return errors.Join(failed...)
}

// fan gives every loop its own copy of a signal.
func fan(ctx context.Context, in <-chan os.Signal, n int) []chan os.Signal {
	out := make([]chan os.Signal, n)
	for i := range out {
		out[i] = make(chan os.Signal, 1)
	}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-in:
				for _, ch := range out {
					select {
					case ch <- s:
					default: // one that waits already will read the newest config anyway
					}
				}
			}
		}
	}()
	return out
}

// reloader reads config and passwords again. What root read for us cannot be read again, so that only a start helps.
func (a *app) reloader(old setup, part string) func(context.Context) (daemon.Part, error) {
	return func(context.Context) (daemon.Part, error) {
		cfg, err := a.loadConfig()
		if err != nil {
			return daemon.Part{}, err
		}
		s := setup{cfg: cfg, secrets: old.secrets, noUser: old.noUser}
		if part == database && !old.handed {
			if s.secrets, err = readSecrets(cfg); err != nil {
				return daemon.Part{}, err
			}
		}
		return a.part(s, part)
	}
}

// part makes the daemon's view of one part.
func (a *app) part(s setup, name string) (daemon.Part, error) {
	p := daemon.Part{
		Name: name, Interval: s.cfg.Reconcile.Interval, Repair: s.cfg.Reconcile.Drift == config.DriftRepair,
		StateFile: runDir(name) + "/status.json",
	}
	if name == fire {
		a.firewallPart(&p, s)
		return p, nil
	}
	return p, a.databasePart(&p, s)
}

func (a *app) firewallPart(p *daemon.Part, s setup) {
	h := &firewallHost{spec: firewallSpec(s.cfg)}
	wake := make(chan string, 16)
	ctx, stop := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		if err := h.watch(ctx, wake); err != nil && ctx.Err() == nil {
			a.log.Warn("events are not to be had: looking at the interval only", systemd.Blind.Attr(), "error", err)
		}
	})
	p.Host, p.Wake = h, wake
	p.Close = func() { stop(); watching.Wait() }
	p.Describe, p.Facts = func(plan.Report) string { return h.describe() }, h.facts
	// The guard alone decides: whoever is not let in yet waits for a bridge, not for us.
	p.Serving = func(out plan.Outcome) bool { return len(out.Failures) == 0 }
	p.Retry = func(err error) bool { return exitCode(err) == exitTryAgain }
	p.Verified = a.remember(h)
}

func (a *app) databasePart(p *daemon.Part, s setup) error {
	if s.noUser != nil {
		return s.noUser
	}
	h, err := s.database(options{})
	if err != nil {
		return err
	}
	wake := make(chan string, 1)
	h.observer.Lost = wake
	h.progress = make(chan struct{}, 1)
	p.Host, p.Wake, p.Progress, p.Close = h, wake, h.progress, h.observer.Close
	p.Describe, p.Facts = func(plan.Report) string { return h.describe() }, h.facts
	p.Release, p.Paused = h.observer.Close, a.paused()
	p.Serving = func(plan.Outcome) bool { return h.serving() }
	p.Retry = func(err error) bool {
		c := postgres.ClassOf(err)
		return c == postgres.Unavailable || c == postgres.Busy
	}
	return nil
}

func (a *app) statusCommand() *cobra.Command {
	sessions := false
	c := &cobra.Command{
		Use: "status", Short: "what the daemons last verified", Args: cobra.NoArgs,
		Long: "Shows what each daemon last verified, and how the last backup went, where that may be read.\n\nWith --sessions: asks the database instead, in two round trips that only read: sizes, how many sessions have which status, children, orphans, connections by VM, queries over 5 s, transactions over 30 s. Quoted constants in queries are masked.\n\n" +
			`JSON with --sessions: {"database", "database_bytes", "table": {"rows", "by_status": [{"status", "rows"}], "children", "orphans", "orphans_impossible", "table_bytes", "index_bytes"}, "connections": [{"from", "role", "total", "active", "idle_in_transaction"}], "max_connections", "slow_queries": [{"pid", "role", "address", "from", "application", "state", "query_ms", "transaction_ms", "waits_for", "query"}], "long_transactions"}; table is null where it is locked.` +
			"\n\nExit codes: 0 converged, 1 degraded, 3 not running; 1 also where the last backup failed; with --sessions 0, 69 PostgreSQL unavailable, 75 the table is locked.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if sessions {
				return a.sessions(cmd.Context())
			}
			return a.status()
		},
	}
	a.onlyFlag(c)
	a.jsonFlag(c)
	c.Flags().BoolVar(&sessions, "sessions", false, "the session database's numbers, as it is now")
	return c
}

// reloadCommand is what ExecReload runs: it returns when the new config is in force, or fails with the reason.
func (a *app) reloadCommand() *cobra.Command {
	var pid int
	c := &cobra.Command{
		Use: "internal-reload", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.only == "" {
				return usageError{fmt.Errorf("--only is needed")}
			}
			err := daemon.WaitReload(cmd.Context(), runDir(a.only)+"/status.json", pid)
			if errors.Is(err, daemon.ErrReload) {
				return configError{err}
			}
			return err
		},
	}
	a.onlyFlag(c)
	c.Flags().IntVar(&pid, "pid", 0, "the daemon's process")
	return c
}

// restartCommand is what the root oneshot runs: the daemon itself may not restart a unit.
func (a *app) restartCommand() *cobra.Command {
	return &cobra.Command{
		Use: "internal-restart-postgresql", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return restartRequested(cmd.Context()) },
	}
}

// processors is how many a daemon may use. A pass waits for others, not for a processor, and each further one would keep
// stacks and spans of its own. But where programs are started, one alone stands still now and then until the runtime notices
// that it is blocked, by up to 10 ms, in which a door may stand open.
func processors(parts []string) int {
	if slices.Contains(parts, fire) {
		return 2
	}
	return 1
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"sessiondbd/internal/config"
	"sessiondbd/internal/operate"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// pruneOptions are the flags of prune.
type pruneOptions struct {
	status            []string
	olderThan         string
	age               bool // it was given, be it empty: an unset variable in somebody's script
	dryRun, scheduled bool
}

func (a *app) pruneCommand() *cobra.Command {
	var opt pruneOptions
	c := &cobra.Command{
		Use: "prune", Short: "delete old finished sessions, beside whoever works with the others", Args: cobra.NoArgs,
		Long: "Deletes the sessions that retention in the config names: completed or failed, and created long enough ago. Children go first; a parent of a session that stays is kept and counted, and so is a session that another table refers to. Each batch is a transaction of some milliseconds, so that nobody waits long, and after some seconds of them there is a rest; a pause or a signal is heard within a second. Ended anywhere, it leaves nothing half done, and another run goes on. Rows that somebody holds are skipped, and tried again at the end.\n\n" +
			"Off by default: without retention it does nothing unless --status and --older-than say what. sessiondbd-prune.timer runs it every night, once it is enabled.\n\n" +
			`JSON: {"dry_run": bool, "status": [], "created_before", "deleted", "parents_kept", "referenced_kept", "busy", "seconds"}, with --dry-run also {"forecast": {"by_status": [{"status", "rows"}], "oldest", "newest"}}.` + "\n\n" +
			"Exit codes: 0 done, 64 nothing says what to delete, 65 the database or its schema is not the one that sessiondbd keeps, or a write would execute what somebody may change who is no administrator, 69 PostgreSQL unavailable, 75 paused, locked, interrupted or at work already, 77 not permitted, 78 config.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt.age = cmd.Flags().Changed("older-than")
			return a.prune(cmd.Context(), opt)
		},
	}
	a.jsonFlag(c)
	f := c.Flags()
	f.StringSliceVar(&opt.status, "status", nil, "`which`: completed, failed, or both with a comma; absent: as the config says")
	f.StringVar(&opt.olderThan, "older-than", "", "how long ago they were created: a `duration` such as 720h; absent: as the config says")
	f.BoolVar(&opt.dryRun, "dry-run", false, "count exactly what would be deleted, and delete nothing")
	f.BoolVar(&opt.scheduled, "scheduled", false, "for the timer: without retention in the config there is nothing to do, and that is no mistake")
	return c
}

// errNoRetention says what to write.
var errNoRetention = errors.New("nothing says which sessions to delete: write `retention: {status: completed, older_than: 720h}` into the config, or give --status completed --older-than 720h")

// retention is what the config says, and flags in its place.
func (o pruneOptions) retention(r config.Retention) (config.Retention, error) {
	if o.status != nil {
		r.Status = nil
		for _, s := range o.status {
			one, err := config.ParseStatus(s)
			if err == nil && slices.Contains(r.Status, one) {
				err = fmt.Errorf("%s stands there twice", one)
			}
			if err != nil {
				return r, usageError{fmt.Errorf("--status: %w", err)}
			}
			r.Status = append(r.Status, one)
		}
	}
	if o.age {
		d, err := config.ParseOlderThan(o.olderThan)
		if err != nil {
			return r, usageError{fmt.Errorf("--older-than: %w", err)}
		}
		r.OlderThan = d
	}
	if !r.Set() {
		return r, usageError{errNoRetention}
	}
	return r, nil
}

func (a *app) prune(ctx context.Context, opt pruneOptions) error {
	if nothing, err := a.nothingToPrune(opt); nothing || err != nil {
		return err
	}
	a.only = database
	s, err := a.setup(a.parts(), options{look: true, blind: true})
	if err != nil {
		return err
	}
	if s.noUser != nil {
		return s.noUser
	}
	r, err := opt.retention(s.cfg.Retention)
	if err != nil {
		return err
	}
	stale := operate.Stale{OlderThan: r.OlderThan}
	for _, s := range r.Status {
		stale.Statuses = append(stale.Statuses, string(s))
	}
	if !opt.dryRun {
		if err := pausedError(); err != nil {
			return err
		}
	}
	if err := s.ours(ctx); err != nil {
		return err
	}
	return a.pruneOurs(ctx, s, stale, opt.dryRun)
}

// nothingToPrune judges config and flags before anybody is connected to; as root's child it was done already.
func (a *app) nothingToPrune(opt pruneOptions) (bool, error) {
	if os.Getenv(handoverEnv) != "" {
		return false, nil
	}
	cfg, err := a.loadConfig()
	if err != nil {
		return false, err
	}
	if opt.scheduled && !cfg.Retention.Set() && opt.status == nil && !opt.age {
		if a.json {
			return true, operate.Pruned{Statuses: []string{}}.JSON(a.stdout)
		}
		fmt.Fprintln(a.stdout, "Nothing to do: the config has no retention.")
		return true, nil
	}
	_, err = opt.retention(cfg.Retention)
	return false, err
}

// ours refuses a database that is not the remembered one, or whose schema is not the one that the questions are about.
func (s setup) ours(ctx context.Context) error {
	_, p, err := s.planned(ctx)
	if err != nil {
		return err
	}
	for _, r := range p.Resources {
		if !strings.HasPrefix(r.Name, "database/") && !strings.HasPrefix(r.Name, "schema/") && !strings.HasPrefix(r.Name, "migration/") {
			continue
		}
		if why := unfit(r); why != "" {
			return postgres.NewError(postgres.Refused, fmt.Sprintf("%s: %s", r.Name, why))
		}
	}
	return nil
}

func unfit(r plan.Resource) string {
	for _, f := range r.Refusals {
		return fmt.Sprintf("%s; %s", f.Summary, f.Remedy)
	}
	for _, c := range r.Changes {
		return fmt.Sprintf("%s %s is pending (%s); nothing is deleted from a database that is not as it should be: see sudo sessiondbd plan, then sudo sessiondbd apply", c.Action, c.Field, c.Summary)
	}
	return ""
}

// pausedError says that there is a pause, if there is one.
func pausedError() error {
	left, is, err := pauseFile().Left()
	if err != nil || !is {
		return err
	}
	return postgres.NewError(postgres.Busy, fmt.Sprintf("paused for another %s, and nothing is deleted meanwhile: sudo sessiondbd resume ends it", left.Round(time.Second)))
}

// pruneOurs does it, or counts, and tells.
func (a *app) pruneOurs(ctx context.Context, s setup, stale operate.Stale, dry bool) error {
	t, err := databaseTarget(s.cfg)
	if err != nil {
		return err
	}
	c, err := t.ConnectSession(ctx)
	if err != nil {
		return err
	}
	defer c.CloseSoon()
	var out operate.Pruned
	if dry {
		if out, err = operate.ForecastPrune(ctx, c, stale); err != nil {
			return err
		}
		return a.tellPruned(out)
	}
	turn, err := t.ConnectMaintenance(ctx) // where no login role can take the lock
	if err != nil {
		return err
	}
	defer turn.CloseSoon()
	if err := turn.TryLock(ctx, "prune"); err != nil {
		return err
	}
	var far atomic.Value
	so := func(part float64, deleted int) {
		far.Store(fmt.Sprintf("%3.0f %% of the table, %d sessions deleted", 100*part, deleted))
	}
	so(0, 0)
	p := operate.Pruner{Hold: pausedError, Progress: so}
	stop := a.progress(func() string { return far.Load().(string) })
	out, err = p.Run(ctx, c, stale)
	stop()
	switch {
	case ctx.Err() != nil:
		fmt.Fprintf(a.stderr, "sessiondbd: interrupted: %d sessions are deleted; another run goes on from there\n", out.Deleted)
		return code(exitTryAgain)
	case err != nil && out.Deleted > 0:
		return fmt.Errorf("%w (%d sessions are deleted; another run goes on from there)", err, out.Deleted)
	case err != nil:
		return err
	}
	return a.tellPruned(out)
}

func (a *app) tellPruned(out operate.Pruned) error {
	if a.json {
		return out.JSON(a.stdout)
	}
	return out.Text(a.stdout)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"sessiondbd/internal/dump"
	"sessiondbd/internal/operate"
	"sessiondbd/internal/postgres"
	"sessiondbd/internal/schema"
)

func (a *app) restoreCommand() *cobra.Command {
	dry, empty, kept := false, false, ""
	c := &cobra.Command{
		Use: "restore FILE", Short: "put a dump in the place of the session database, which is kept", Args: cobra.MaximumNArgs(1),
		Long: "Loads a dump into a new database beside the one in service, repairs it like a database that is taken over, gives it rights, compares it with what it should be, and puts it in the place of the one in service in one moment. " +
			"That one is kept under a name with the time; the VMs' connections end, and whoever connects in that moment may be refused once: they have to try again, as after any restart of PostgreSQL. Until that moment nothing changes for anybody; stopped or killed before it, the old database serves on.\n\n" +
			"FILE is one of sessiondbd backup, any other archive of pg_dump, or its SQL, as it is or compressed with gzip or zstd; - is standard input. If its checksum lies beside it, as FILE.sha256, the two have to agree. What it says of roles and the database itself is left out, and so is who owns the session table: the config says those. Everything else in it gets the owner that it had, where there is such a role that is no administrator. Publications of all tables, subscriptions and event triggers are left out and named. What administrators have set for the database in service, what others may do with it, and extensions that only an administrator may make, the new one gets, too.\n\n" +
			"A dump is a program, and so is whatever a role of the VMs may have put into tables that are its own. It is executed by a role of its own, " + operate.Restorer + ", which sessiondbd makes for that time: it owns the database beside, is no administrator and a member of nothing, and logs in with a password that nobody knows over the loopback (127.0.0.1), which PostgreSQL's own pg_hba.conf allows. What is restored serves the VMs all the same: restore what you trust.\n\n" +
			"Exit codes: 0 restored, 65 the file or the database in it is refused, 69 PostgreSQL unavailable, 75 try again, 77 not permitted, 78 config.",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 1 && kept != "":
				return usageError{errors.New("a FILE and --kept are two ways to restore: name one of them")}
			case kept != "" && (dry || empty):
				return usageError{errors.New("--dry-run and --empty are about a FILE; --kept has none, and the database that it names is looked at before it serves")}
			case len(args) == 1:
				return a.restoreFile(cmd.Context(), args[0], dry, empty)
			case kept != "":
				return a.restoreKept(cmd.Context(), kept)
			}
			return a.incomplete(cmd, "name a FILE, or a database with --kept")
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "read the file, say what would happen, change nothing")
	c.Flags().BoolVar(&empty, "empty", false, "have an empty table in the place of sessions, if FILE holds the table without its rows (pg_dump --schema-only)")
	c.Flags().StringVar(&kept, "kept", "", "instead of a file: the `database` that an earlier restore has kept, back into service")
	return c
}

// restoring is one restore.
type restoring struct {
	*app
	setup
	operate.Beside
	file        *os.File
	empty       bool // is meant
	live        *databaseHost
	was         observation
	lock, other *postgres.Conn // the one that holds the lock, and one beside it
	loaded      dump.Loaded
	with        []string // statements that belong to the swap
}

func (a *app) restoreFile(ctx context.Context, path string, dry, empty bool) error {
	f, handed, err := openInput(ctx, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return usageError{err}
	case err != nil:
		return err
	}
	defer f.Close()
	if !handed { // who hands it over may read the folder, too, and has compared them
		switch checked, err := operate.CheckSum(ctx, f); {
		case ctx.Err() != nil:
			return errInterrupted
		case err != nil:
			return refusal{fmt.Errorf("%w; the database in service is as it was", err)}
		case checked:
			fmt.Fprintf(a.stdout, "%s is as it was written: its checksum agrees.\n", path)
		}
	}
	opt := options{file: f}
	if path == standardInput {
		opt.file = nil // who goes on as another user has it, too
	}
	return a.restoring(ctx, opt, func(r *restoring) error {
		if r.file, r.empty = f, empty; dry {
			return r.wouldRestore(ctx)
		}
		return r.locked(ctx, r.fresh)
	})
}

// restoreKept puts a database back that a restore has kept, and keeps the one that came after it.
func (a *app) restoreKept(ctx context.Context, name string) error {
	return a.restoring(ctx, options{}, func(r *restoring) error {
		if !r.IsKept(name) {
			return usageError{fmt.Errorf("%s is not the name of a database that a restore has kept: those begin with %s", name, r.KeptPrefix())}
		}
		return r.locked(ctx, func(ctx context.Context) error { return r.again(ctx, name) })
	})
}

// restoring calls f once it is known which database is in service.
func (a *app) restoring(ctx context.Context, opt options, f func(*restoring) error) error {
	a.only, opt.spare = database, true
	s, err := a.setup(a.parts(), opt)
	if err != nil {
		return err
	}
	if s.noUser != nil {
		return s.noUser
	}
	r := &restoring{app: a, setup: s, Beside: operate.NewBeside(s.cfg.Database.Name, time.Now())}
	if err := r.look(ctx); err != nil {
		return err
	}
	defer r.live.observer.Close()
	return f(r)
}

// locked calls f with the lock of restores.
func (r *restoring) locked(ctx context.Context, f func(context.Context) error) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer func() { r.lock.CloseSoon(); r.other.CloseSoon() }()
	return f(ctx)
}

// look requires that the database in service is the one that we know, or gone.
func (r *restoring) look(ctx context.Context) error {
	var err error
	if r.live, err = r.database(options{}); err != nil {
		return err
	}
	o, err := r.live.look(ctx)
	if err != nil {
		r.live.observer.Close()
		return err
	}
	r.was = o
	for _, no := range schema.DiffDatabase(r.live.goals.schema, o.schema).Refusals {
		// That it is gone is what restores are for, on the server that it was on.
		if len(o.schema.Databases) > 0 || schema.Elsewhere(r.live.goals.schema, o.schema) || o.schema.Damaged != "" {
			r.live.observer.Close()
			return refusal{fmt.Errorf("%s: %s", no.Summary, no.Remedy)}
		}
	}
	return nil
}

// begin takes the lock of restores, and clears away what a killed one has left behind.
func (r *restoring) begin(ctx context.Context) (err error) {
	if r.lock, err = r.live.target.ConnectMaintenance(ctx); err != nil {
		return err
	}
	if r.other, err = r.live.target.ConnectMaintenance(ctx); err != nil {
		r.lock.CloseSoon()
		return err
	}
	// A backup that is being made would break off in the swap.
	if err = r.lock.TryLock(ctx, "restore"); err == nil {
		err = r.lock.TryLock(ctx, "backup")
	}
	if err == nil {
		var gone []string
		gone, err = r.Clear(ctx, r.lock)
		for _, name := range gone {
			fmt.Fprintf(r.stdout, "Dropped %s, which a restore that was killed had begun to fill.\n", name)
		}
	}
	if err == nil {
		err = r.NothingPrepared(ctx, r.lock, r.cfg.Database.OSUser)
	}
	if err != nil {
		r.lock.CloseSoon()
		r.other.CloseSoon()
	}
	return err
}

// aside is how long we try to take the fresh database away after a failure, whatever has cancelled the rest.
const aside = 30 * time.Second

// fresh fills a database beside, and puts it into service.
func (r *restoring) fresh(ctx context.Context) (err error) {
	defer func() {
		if err == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), aside)
		defer cancel()
		if derr := r.Discard(ctx, r.lock); derr != nil {
			err = errors.Join(err, fmt.Errorf("%s, which nobody needs, is left; the next restore drops it: %w", r.Fresh, derr))
		}
	}()
	t, err := postgres.NewTarget(r.cfg.Database.URL.Reveal(), r.Fresh)
	if err != nil {
		return err
	}
	room, err := r.was.room(ctx, r.lock)
	if err != nil {
		return err
	}
	guarded, done := room.Guard(ctx, room.Data)
	if err = r.fill(guarded, t); err == nil {
		err = r.bringUp(guarded, t)
	}
	if err == nil {
		err = r.giveBack(guarded, t)
	}
	if ctx.Err() != nil {
		err = errStopped
	}
	if err = done(err); errors.Is(err, operate.ErrNoRoom) {
		return postgres.NewError(postgres.Busy, err.Error()+"; the database in service is as it was")
	}
	if err != nil {
		return err
	}
	return r.swap(ctx)
}

// again puts a database into service that was it before.
func (r *restoring) again(ctx context.Context, name string) error {
	r.Fresh = name
	t, err := postgres.NewTarget(r.cfg.Database.URL.Reveal(), name)
	if err != nil {
		return err
	}
	c, err := t.ConnectSession(ctx)
	if postgres.IsNoDatabase(err) {
		return usageError{fmt.Errorf("there is no database %s", name)}
	}
	if err != nil {
		return err
	}
	r.loaded.Sessions, err = operate.CountSessions(ctx, c)
	c.CloseSoon()
	if err != nil {
		return err
	}
	if err := r.bringUp(ctx, t); err != nil {
		return err
	}
	return r.swap(ctx)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sessiondbd/internal/dump"
	"sessiondbd/internal/operate"
	"sessiondbd/internal/postgres"
	"sessiondbd/internal/schema"
)

// lockPatience is how long a backup waits for locks before it lets those be who wait behind it; a test shortens it.
var lockPatience = time.Minute

func backupState() string { return stateDir() + "/backup.json" }

func (a *app) backupCommand() *cobra.Command {
	var verify, scheduled bool
	c := &cobra.Command{
		Use: "backup", Short: "write a dump of the session database, and keep the newest", Args: cobra.NoArgs,
		Long: "Writes a dump (pg_dump, custom format) with its checksum, the server's roles without passwords, and what it holds, to backup.directory. It gets its name once it is whole, on the disk, and can be listed; then all but the backup.keep newest go, and backup.upload gets a copy. The VMs notice nothing. Publications and subscriptions are not in it.\n\n" +
			"With --verify: loads the newest backup into a database of its own, compares each table's rows with those that were counted when it was made, and the schema with what it should be, and drops that again.\n\n" +
			"Exit codes: 0 done, 1 not written, not fit or not uploaded, 65 this is not the database that we know, or backup.directory is used for something else, 69 PostgreSQL or its programs are not there, 75 paused, a table is locked, or another backup is at work, 77 not permitted, 78 config.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.only = database; scheduled && !verify {
				return usageError{errors.New("--scheduled is for --verify")}
			}
			s, err := a.setup(a.parts(), options{backup: true, blind: true})
			if err == nil {
				err = s.noUser
			}
			switch {
			case verify && err == nil:
				return a.verify(cmd.Context(), s, scheduled)
			case verify:
				return err
			case err == nil:
				return note(a.backup(cmd.Context(), s), failed)
			case ownState(): // else it is nobody's, or that of who is told on a terminal
				return note(err, failed)
			}
			return err
		},
	}
	c.Flags().BoolVar(&verify, "verify", false, "restore the newest backup for a test, beside the database in service")
	c.Flags().BoolVar(&scheduled, "scheduled", false, "for the timer: with --verify, that there is no backup yet is no mistake")
	return c
}

func failed(s *operate.BackupState, f operate.BackupFail) { s.Failed = &f }

// note keeps a failure for status and metrics. Whether another one is at work, or somebody has paused us, is no reason to raise an
// alarm; and where we may not write, whoever may not make a backup has been told so.
func note(err error, how func(*operate.BackupState, operate.BackupFail)) error {
	var told code
	if err == nil || errors.As(err, &told) || exitCode(err) == exitTryAgain {
		return err
	}
	fail := operate.BackupFail{At: time.Now(), Error: err.Error()}
	serr := operate.ChangeBackupState(backupState(), func(s *operate.BackupState) { how(s, fail) })
	if serr != nil && !errors.Is(serr, fs.ErrPermission) && !errors.Is(serr, fs.ErrNotExist) {
		err = errors.Join(err, serr)
	}
	return err
}

// ownState says whether the state is ours to write before the config says whose it is. Root's file would be closed to the others.
func ownState() bool {
	fi, err := os.Stat(stateDir())
	if err != nil {
		return false
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// known connects to the session database that we know, and holds the lock of that name in the maintenance database.
func (s setup) known(ctx context.Context, lock string) (d *databaseHost, o observation, session, maintenance *postgres.Conn, err error) {
	if h, is := leftAlone("backup"); is {
		return nil, o, nil, nil, h.Plan(ctx).Unobserved[0].Err
	}
	if d, err = s.database(options{look: true}); err != nil {
		return nil, o, nil, nil, err
	}
	defer d.observer.Close()
	if o, err = d.look(ctx); err != nil {
		return nil, o, nil, nil, err
	}
	for _, no := range schema.DiffDatabase(d.goals.schema, o.schema).Refusals {
		return nil, o, nil, nil, refusal{fmt.Errorf("%s: %s", no.Summary, no.Remedy)}
	}
	if maintenance, err = d.target.ConnectMaintenance(ctx); err != nil {
		return nil, o, nil, nil, err
	}
	if err = maintenance.TryLock(ctx, lock); err == nil {
		session, err = d.target.ConnectSession(ctx)
	}
	if err != nil {
		maintenance.CloseSoon()
	}
	return d, o, session, maintenance, err
}

func (a *app) backup(ctx context.Context, s setup) error {
	b := operate.Backups{Dir: s.cfg.Backup.Directory, Database: s.cfg.Database.Name}
	name, err := a.newBackup(ctx, s, b)
	if err != nil {
		return err
	}
	// Nothing of PostgreSQL's is held any more: an upload may take hours, and VACUUM, a restore, and the next backup wait for none.
	if err := a.upload(ctx, s.cfg.Backup.Upload, b.Path(name), name+".dump"); err != nil {
		return fmt.Errorf("%s is written, and not uploaded: %w", b.Path(name), err)
	}
	return nil
}

// newBackup makes a backup, removes those that are too many, and tells of it.
func (a *app) newBackup(ctx context.Context, s setup, b operate.Backups) (name string, err error) {
	d, o, session, maintenance, err := s.known(ctx, "backup")
	if err != nil {
		return "", err
	}
	defer func() { session.CloseSoon(); maintenance.CloseSoon() }()
	if err := b.Open(); err != nil {
		return "", err
	}
	if err := b.Clear(); err != nil {
		return "", err
	}
	begin := time.Now()
	name = b.Name(begin)
	if _, err := os.Lstat(b.Path(name)); err == nil {
		return "", postgres.NewError(postgres.Busy, name+" was made within this very second")
	}
	room, err := o.room(ctx, maintenance)
	if err != nil {
		return "", err
	}
	patient, unblocked := operate.Patience{Conn: maintenance, Database: b.Database, Bound: lockPatience}.Guard(ctx)
	guarded, over := room.Guard(patient, b.Dir)
	c, err := a.writeBackup(guarded, d, session, b, name)
	if err = unblocked(over(err)); err != nil {
		_ = os.Remove(b.Partial(name))
		return "", fmt.Errorf("the backup was not written; those before are as they were: %w", serverGone(ctx, maintenance, err))
	}
	return name, a.keep(b, s.cfg.Backup.Keep, operate.BackupDone{At: begin, Name: name, Bytes: c.Bytes, Sessions: c.Sessions})
}

// keep removes the backups that are too many now that there is a new one, and tells of that.
func (a *app) keep(b operate.Backups, n int, done operate.BackupDone) error {
	removed, ahead, err := b.Keep(n, done.Name)
	if err != nil {
		return fmt.Errorf("%s is written; older ones cannot be removed: %w", b.Path(done.Name), err)
	}
	if len(ahead) > 0 {
		fmt.Fprintf(a.stderr, "sessiondbd: note: %s: their names are of a time to come, so that a clock is or was wrong (timedatectl); they do not count for backup.keep, and nothing removes them: rename them by the time at which they were made, or delete them\n", strings.Join(ahead, ", "))
	}
	kept, err := b.List()
	if err != nil {
		return err
	}
	took := time.Since(done.At)
	done.Seconds = took.Seconds()
	fmt.Fprintf(a.stdout, "%s: %s, %s, in %s; %d kept, %d removed.\n", b.Path(done.Name), operate.SessionsCounted(done.Sessions), operate.Size(done.Bytes), took.Round(time.Millisecond), len(kept), len(removed))
	return operate.ChangeBackupState(backupState(), func(st *operate.BackupState) {
		st.Good, st.Failed, st.Kept, st.Ahead = &done, nil, len(kept), len(ahead)
	})
}

// writeBackup makes a backup of one snapshot, and gives it its name once it is whole.
func (a *app) writeBackup(ctx context.Context, d *databaseHost, session *postgres.Conn, b operate.Backups, name string) (operate.Content, error) {
	var declared []string
	for _, r := range d.goals.role.Roles {
		declared = append(declared, r.Name)
	}
	roles, err := operate.RolesOf(ctx, session, declared)
	if err != nil {
		return operate.Content{}, err
	}
	snap, err := operate.TakeSnapshot(ctx, session)
	if err != nil {
		return operate.Content{}, err
	}
	c := operate.Content{Database: b.Database, Server: session.ParameterStatus("server_version"), At: time.Now().UTC(), Sessions: snap.Sessions, Rows: snap.Rows}
	old := syscall.Umask(0o077)
	stop := a.progress(func() string { return grown(b.Partial(name)) })
	job := dump.Job{Env: d.target.ClientEnv(b.Database), Snapshot: snap.ID, To: b.Partial(name), Major: session.Version() / 10000}
	err = job.Write(ctx)
	stop()
	syscall.Umask(old)
	if err == nil {
		err = operate.SyncFile(b.Partial(name))
	}
	if err == nil {
		err = dump.List(ctx, b.Partial(name), job.Major)
	}
	if err == nil {
		c.Bytes, c.SHA256, err = operate.Sum(ctx, b.Partial(name))
	}
	if err == nil {
		err = b.Finish(name, c, roles)
	}
	return c, err
}

// serverGone says of an error that came with the server's end that it did, whoever noticed first: pg_dump, which says it in words of its
// own, or we, who look at a connection meanwhile. A server that ends tells whoever is connected, so that one knows whose questions nobody
// cuts short.
func serverGone(ctx context.Context, idle *postgres.Conn, err error) error {
	gone := postgres.ClassOf(err) == postgres.Unavailable
	if !gone && postgres.ClassOf(err) == postgres.Other && ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_ = idle.WaitForNotification(ctx)
		gone = idle.Dead()
	}
	if !gone {
		return err
	}
	return postgres.NewError(postgres.Unavailable, "PostgreSQL was stopped or restarted meanwhile: "+err.Error())
}

// grown says how much of a dump there is.
func grown(path string) string {
	fi, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return operate.Size(fi.Size()) + " written"
}

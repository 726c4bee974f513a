package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"sessiondbd/internal/dump"
	"sessiondbd/internal/operate"
	"sessiondbd/internal/postgres"
)

// verify restores the newest backup for a test. Only what is wrong with that is told of by status from then on: whatever else has kept
// it from being tested is for who runs the command, and for the unit to try again.
func (a *app) verify(ctx context.Context, s setup, scheduled bool) error {
	b := operate.Backups{Dir: s.cfg.Backup.Directory, Database: s.cfg.Database.Name}
	all, err := b.List()
	if err != nil {
		return err
	}
	newest, found := operate.Newest(all, time.Now())
	if !found && scheduled {
		fmt.Fprintf(a.stdout, "There is no backup in %s yet. Nothing to do.\n", b.Dir)
		return nil
	}
	if !found {
		return postgres.NewError(postgres.Busy, fmt.Sprintf("there is no backup in %s yet: sudo sessiondbd backup", b.Dir))
	}
	d, o, session, maintenance, err := s.known(ctx, "restore")
	if err != nil {
		return err
	}
	session.CloseSoon()
	begin := time.Now()
	r := &restoring{app: a, setup: s, Beside: operate.NewBeside(s.cfg.Database.Name, begin), live: d, was: o, lock: maintenance, other: maintenance}
	defer maintenance.CloseSoon()
	c, err := r.test(ctx, b, newest.Name)
	if err == nil {
		return a.fit(b, c, newest.Name, begin)
	}
	err, fault := verdict(ctx, err)
	if !fault {
		return fmt.Errorf("%s could not be tested: %w", b.Path(newest.Name), err)
	}
	return note(fmt.Errorf("%s: %w", b.Path(newest.Name), err), func(s *operate.BackupState, f operate.BackupFail) { s.Unfit = &f })
}

// verdict says whether an error of a test is the backup's fault.
func verdict(ctx context.Context, err error) (_ error, fault bool) {
	var executed faulty
	var pe *postgres.Error
	switch {
	case ctx.Err() != nil:
		return postgres.NewError(postgres.Busy, "interrupted"), false
	case errors.Is(err, operate.ErrNoRoom):
		return postgres.NewError(postgres.Busy, err.Error()), false
	case errors.As(err, &pe) && len(pe.Code) == 5 && (pe.Code[:2] == "53" || pe.Code[:2] == "58"): // the server lacks something, or its system fails it
		return postgres.NewError(postgres.Unavailable, err.Error()), false
	case errors.As(err, &executed) && exitCode(err) == exitNotAllowed: // the dump wants what its role may not do
		return err, true
	}
	return err, exitCode(err) == exitFailure || exitCode(err) == exitRefused
}

// fit tells of a backup that stood the test.
func (a *app) fit(b operate.Backups, c operate.Content, name string, begin time.Time) error {
	fmt.Fprintf(a.stdout, "%s can be restored: %s, every table has the rows that it had, the schema is as it should be (%s).\n", b.Path(name), operate.SessionsCounted(c.Sessions), time.Since(begin).Round(time.Millisecond))
	done := operate.BackupDone{At: begin, Name: name, Bytes: c.Bytes, Sessions: c.Sessions, Seconds: time.Since(begin).Seconds()}
	return operate.ChangeBackupState(backupState(), func(st *operate.BackupState) { st.Verified, st.Unfit = &done, nil })
}

// test compares a backup with what it says of itself: the file, then what is in the database that it becomes.
func (r *restoring) test(ctx context.Context, b operate.Backups, name string) (c operate.Content, err error) {
	if c, err = b.Read(name); err != nil {
		return c, err
	}
	switch n, sum, err := operate.Sum(ctx, b.Path(name)); {
	case err != nil:
		return c, err
	case n != c.Bytes || sum != c.SHA256:
		return c, errors.New("the file is not as it was written: its checksum differs")
	}
	if r.file, err = os.Open(b.Path(name)); err != nil {
		return c, err
	}
	defer r.file.Close()
	if _, err := r.Clear(ctx, r.lock); err != nil {
		return c, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), aside)
		defer cancel()
		err = errors.Join(err, r.Discard(ctx, r.lock))
	}()
	room, err := r.was.room(ctx, r.lock)
	if err != nil {
		return c, err
	}
	guarded, done := room.Guard(ctx, room.Data)
	return c, done(r.compare(guarded, c))
}

func (r *restoring) compare(ctx context.Context, c operate.Content) error {
	t, err := postgres.NewTarget(r.cfg.Database.URL.Reveal(), r.Fresh)
	if err != nil {
		return err
	}
	arc, err := dump.OpenArchive(ctx, r.file, dump.Tool)
	if err != nil {
		return err
	}
	defer arc.Close()
	inside, _, err := r.load(ctx, t, arc)
	if err != nil {
		return err
	}
	defer inside.CloseSoon()
	rows, err := operate.CountRows(ctx, inside)
	if err != nil {
		return err
	}
	for _, table := range slices.Sorted(maps.Keys(c.Rows)) {
		if rows[table] != c.Rows[table] {
			return fmt.Errorf("%s has %d rows, and had %d when the backup was made", table, rows[table], c.Rows[table])
		}
	}
	return r.drifted(ctx)
}

// drifted says what in the schema of the database beside is not as it should be, as plan does.
func (r *restoring) drifted(ctx context.Context) error {
	cfg := *r.cfg
	cfg.Database.Name = r.Fresh
	s := r.setup
	s.cfg = &cfg
	d, _, err := s.planned(ctx)
	if err != nil {
		return err
	}
	for _, res := range d.schemaOnly(d.last) {
		for _, change := range res.Changes {
			return fmt.Errorf("its schema is not as it should be: %s: %s", change.Resource, change.Summary)
		}
		for _, no := range res.Refusals {
			return fmt.Errorf("its schema is not as it should be: %s: %s", no.Resource, no.Summary)
		}
	}
	return nil
}

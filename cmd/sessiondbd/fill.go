package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sessiondbd/internal/config"
	"sessiondbd/internal/dump"
	"sessiondbd/internal/operate"
	"sessiondbd/internal/postgres"
)

// fill loads the file and requires a session table of it.
func (r *restoring) fill(ctx context.Context, t postgres.Target) error {
	begin := time.Now()
	arc, err := dump.OpenArchive(ctx, r.file, dump.Tool)
	if err != nil {
		return r.unusable(ctx, err)
	}
	defer arc.Close()
	inside, arrived, err := r.load(ctx, t, arc)
	var no faulty
	switch {
	case errors.As(err, &no):
		return r.unusable(ctx, no.error)
	case err != nil:
		return err
	}
	inside.CloseSoon()
	for _, note := range r.loaded.Notes {
		fmt.Fprintln(r.stderr, "sessiondbd: note: "+note)
	}
	if arrived < 0 {
		return refusal{fmt.Errorf("%s: %w; the database in service is as it was", r.file.Name(), dump.ErrNoTable)}
	}
	if arrived != r.loaded.Sessions {
		return refusal{fmt.Errorf("%s holds %d sessions, and %d arrived: something in the dump changes them", r.file.Name(), r.loaded.Sessions, arrived)}
	}
	if !r.loaded.Filled {
		before, err := operate.SessionsIn(ctx, r.live.target)
		if err == nil {
			err = r.empties(r.loaded, before)
		}
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(r.stdout, "%d sessions from %s (%s) in %s, into a database beside.\n", arrived, r.file.Name(), arc.Form, time.Since(begin).Round(time.Millisecond))
	return nil
}

// faulty is what is wrong with a dump, or came between.
type faulty struct{ error }

func (f faulty) Unwrap() error { return f.error }

// load makes the database beside, has the restorer execute an archive of the file in it, and hands it over. It returns an
// administrator's connection to it, and how many sessions arrived.
func (r *restoring) load(ctx context.Context, t postgres.Target, arc *dump.Archive) (_ *postgres.Conn, arrived int64, err error) {
	made, err := operate.Extensions(ctx, r.live.target)
	if err != nil {
		return nil, 0, err
	}
	c, err := r.Login(ctx, r.lock, t, config.OwnerRole)
	if err != nil {
		return nil, 0, r.noOwner(err)
	}
	defer c.CloseSoon()
	// Now, before anything in the dump can say what becomes of connections.
	inside, err := t.ConnectSession(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			inside.CloseSoon()
		}
	}()
	stop := r.progress(r.far)
	r.loaded, err = dump.Load(ctx, c, dump.Into{Administrator: inside, Extensions: made, Live: r.Live}, dump.NewScript(arc))
	stop()
	if err != nil {
		return nil, 0, faulty{err}
	}
	c.CloseSoon()
	if err = r.HandOver(ctx, r.lock, inside, config.OwnerRole); err == nil {
		arrived, err = operate.CountSessions(ctx, inside) // an administrator sees every row, whatever the dump says of that
	}
	return inside, arrived, err
}

// far says how much of the file is read.
func (r *restoring) far() string {
	at, err := r.file.Seek(0, io.SeekCurrent)
	fi, serr := r.file.Stat()
	if err != nil || serr != nil || fi.Size() == 0 {
		return "" // a pipe
	}
	return fmt.Sprintf("%3d %% of %s read", 100*at/fi.Size(), operate.Size(fi.Size()))
}

// errStopped is a signal that came before the swap.
var errStopped = postgres.NewError(postgres.Busy, "interrupted: the database in service is as it was; run it again")

// unusable is an error of the file, unless the server or a signal is to blame.
func (r *restoring) unusable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errStopped
	}
	switch err = fmt.Errorf("%s: %w", r.file.Name(), err); postgres.ClassOf(err) {
	case postgres.Unavailable, postgres.Busy:
		return err
	}
	return refusal{fmt.Errorf("%w; the database in service is as it was", err)}
}

// noOwner explains a server that has not been provisioned.
func (r *restoring) noOwner(err error) error {
	var pe *postgres.Error
	if errors.As(err, &pe) && pe.Code == "42704" {
		return refusal{fmt.Errorf("%w; this server was never provisioned: sudo sessiondbd apply first", err)}
	}
	return err
}

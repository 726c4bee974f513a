package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// defaultLockTimeout is how long a statement of ours queues for a lock, and so how long others queue behind it.
const defaultLockTimeout = 50 * time.Millisecond

// retryFor bounds what the steps of one writer together try in vain for locks.
const retryFor = 20 * time.Second

// Writer executes SQL steps while it holds the lock.
type Writer struct {
	target  Target
	lock    *Conn // maintenance database; holds the lock
	lend    func() *Conn
	session *Conn // session database; lent or dialled when the first step needs it
	patient time.Duration
	waited  time.Duration // in vain, by all steps so far

	// Boundary is called before and after every message of a step, with the server process that it goes to. It is for tests
	// that end either side there. May be nil.
	Boundary func(pid uint32)

	// Alive is called now and then while a step that takes long gets on. May be nil; must not block.
	Alive func()
}

// Begin takes the lock. lend, which may be nil, is called when a step needs the session database, and may return a
// connection to it, which Release or End gives back.
func Begin(ctx context.Context, t Target, lend func() *Conn) (*Writer, error) {
	c, err := t.ConnectMaintenance(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.lock(ctx); err != nil {
		c.CloseSoon()
		return nil, err
	}
	return &Writer{target: t, lock: c, lend: lend, patient: blockedFor}, nil
}

// End gives the lock back and returns the connection to the session database, which is now the caller's; nil: no step needed
// one.
func (w *Writer) End() *Conn {
	w.lock.CloseSoon()
	return w.session
}

// Release gives the connection to the session database back between two steps; nil: no step needed one. The next that does
// asks for it again.
func (w *Writer) Release() *Conn {
	c := w.session
	w.session = nil
	return c
}

// Idle is the connection that holds the lock. Between two steps it may be asked.
func (w *Writer) Idle() *Conn { return w.lock }

// errLockLost ends a step whose right to write has gone.
var errLockLost = &Error{Class: Unavailable, msg: "the connection that holds the lock was lost; nothing more is written"}

// Execute runs one step. A lock that is not to be had is tried for again, with a pause that lets writers through; in the
// end the error names who holds it.
func (w *Writer) Execute(ctx context.Context, s SQL) error {
	if w.lock.Dead() {
		return errLockLost
	}
	conn, err := w.conn(ctx, s.Where)
	if err != nil {
		return err
	}
	if s.Sweep != "" {
		err = w.sweep(ctx, conn, s)
	} else {
		err = w.patiently(ctx, conn, s)
	}
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) && e.Code == "55P03" && !conn.Dead() {
		if list, asked := conn.holders(ctx); asked == nil && len(list) > 0 {
			return fmt.Errorf("%s: %w; held by %s", s, err, names(list))
		}
	}
	return fmt.Errorf("%s: %w", s, err)
}

// patiently tries a step again while somebody else's lock is in its way.
func (w *Writer) patiently(ctx context.Context, conn *Conn, s SQL) error {
	began := time.Now()
	// What one pass waits in vain adds up over its steps, whoever is in the way of them.
	deadline := began.Add(retryFor - w.waited)
	pause := 10 * time.Millisecond
	for {
		err := w.guarded(ctx, conn, s)
		if err == nil || ClassOf(err) != Busy || s.Alone || ctx.Err() != nil || conn.Dead() || time.Now().After(deadline) {
			if ClassOf(err) == Busy {
				w.waited += time.Since(began)
			}
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause + rand.N(pause)):
		}
		pause = min(pause*2, 500*time.Millisecond)
	}
}

// alive says that a long step gets on.
func (w *Writer) alive() {
	if w.Alive != nil {
		w.Alive()
	}
}

// guarded runs one step on conn while a guard watches over the lock.
func (w *Writer) guarded(ctx context.Context, conn *Conn, s SQL) error {
	if conn == w.lock {
		return conn.run(ctx, s)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g := guard{lock: w.lock, waiting: conn.PID(), cancel: cancel, alive: w.alive}
	if s.Alone {
		g.patient = max(w.patient-w.waited, leastPatience)
	}
	g.start()
	err := conn.run(ctx, s)
	g.end()
	switch {
	case err == nil:
		return nil
	case g.lost:
		return errLockLost
	case len(g.blocked) > 0:
		return &Error{Class: Busy, Code: "57014", msg: fmt.Sprintf("waited %s for a transaction: %s", g.patient.Round(time.Millisecond), names(g.blocked))}
	}
	return err
}

// Ask looks something up in the maintenance database, over the connection that holds the lock.
func (w *Writer) Ask(ctx context.Context, queries []Query) error { return w.lock.Ask(ctx, queries) }

func (w *Writer) conn(ctx context.Context, where Where) (*Conn, error) {
	if where == Maintenance {
		w.hook(w.lock)
		return w.lock, nil
	}
	if w.session == nil && w.lend != nil {
		w.session = w.lend()
	}
	if w.session.Dead() || w.session.Database != w.target.database {
		c, err := w.target.ConnectSession(ctx)
		if err != nil {
			return nil, err
		}
		w.session = c
	}
	w.hook(w.session)
	return w.session, nil
}

func (w *Writer) hook(c *Conn) {
	if w.Boundary != nil {
		c.boundary = func() { w.Boundary(c.PID()) }
	}
}

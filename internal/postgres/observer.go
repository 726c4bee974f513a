package postgres

import (
	"context"
	"time"
)

// Observer looks at the server over one standing connection, and notices when that is lost. It is not safe for
// concurrent use.
type Observer struct {
	target Target
	conn   *Conn
	// Standing keeps the connection between looks, so that exhausted slots cannot lock the daemon out.
	Standing bool
	// Lost receives a word when the standing connection ends while nobody uses it. May be nil.
	Lost chan<- string
	// Beside is a second connection, idle meanwhile, that shares the work of a look. May be nil.
	Beside *Conn

	sentinel sentinel
}

// patience bounds one look: a server that was stopped in its tracks accepts connections, and never answers.
const patience = 15 * time.Second

// NewObserver returns an observer that dials when it is first asked.
func NewObserver(t Target) *Observer { return &Observer{target: t} }

// Take hands the connection over, for a writer; Give brings it back.
func (o *Observer) Take() *Conn {
	o.sentinel.rest()
	c := o.conn
	o.conn = nil
	if c != nil {
		c.memory = nil // a transaction of its own is not in its snapshot
	}
	return c
}

// Give brings a connection to the session database back. One that is not standing is closed.
func (o *Observer) Give(c *Conn) {
	if c == nil {
		return
	}
	o.sentinel.rest()
	if o.conn != nil && o.conn != c {
		o.conn.CloseSoon()
	}
	o.conn = c
}

// Ask runs queries over one connection: to the session database (the shared catalogues are visible there), or, while that
// does not exist, to the maintenance database, without the queries that are marked Session. It says which it was.
func (o *Observer) Ask(ctx context.Context, version func(int) []Query) (session bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	o.sentinel.rest()
	reused := !o.conn.Dead()
	for {
		if err := o.dial(ctx); err != nil {
			return false, err
		}
		session = o.conn.Database == o.target.database
		var queries []Query
		for _, q := range version(o.conn.Version()) {
			if session || !q.Session {
				queries = append(queries, q)
			}
		}
		if o.Standing {
			o.conn.keep()
		}
		if session && !o.Beside.Dead() {
			err = o.conn.askBeside(ctx, o.Beside, queries)
		} else {
			err = o.conn.Ask(ctx, queries)
		}
		// A standing connection may have died with a server that is back already.
		if err != nil && reused && o.conn.Dead() && ctx.Err() == nil {
			reused = false
			continue
		}
		break
	}
	if err != nil || !o.Standing || !session {
		o.Close()
	} else {
		o.watch()
	}
	return session, err
}

// Dial connects to the session database ahead of the first Ask, which finds out by itself what stands in the way. While we
// wait for the lock, somebody else may make the database: that it is not there is no news for Ask.
func (o *Observer) Dial(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if o.conn != nil {
		return
	}
	if c, err := o.target.ConnectSession(ctx); err == nil {
		_ = o.accept(c)
	}
}

func (o *Observer) dial(ctx context.Context) error {
	if !o.conn.Dead() {
		return nil
	}
	c, err := o.target.ConnectSession(ctx)
	if IsNoDatabase(err) {
		c, err = o.target.ConnectMaintenance(ctx)
	}
	if err != nil {
		return err
	}
	return o.accept(c)
}

func (o *Observer) accept(c *Conn) error {
	// The server reports it by itself: asking would be a round trip, and half of our questions need it.
	if c.ParameterStatus("is_superuser") != "on" {
		c.CloseSoon()
		return NewError(NotPermitted, "connected as a user who is not a superuser: roles, rights and pg_hba.conf cannot be looked at; run sessiondbd as root, which switches to database.os_user, or give database.url a superuser")
	}
	o.conn = c
	return nil
}

// watch waits for the idle connection to end.
func (o *Observer) watch() {
	if o.Lost == nil {
		return
	}
	o.sentinel.watch(o.conn, func() {
		select {
		case o.Lost <- "the connection to PostgreSQL ended":
		default:
		}
	})
}

// Close lets the connection go.
func (o *Observer) Close() {
	o.sentinel.rest()
	o.conn.CloseSoon()
	o.conn = nil
}

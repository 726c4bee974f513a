package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// lockKey names our advisory lock. It is taken in the maintenance database, where the login roles cannot go.
const lockKey = "1936552044, 1685217636" // "sess", "dbd"

// lockWait bounds how long another sessiondbd is waited for; with 32 starters at once the last one waits some seconds.
const lockWait = 30 * time.Second

// lock polls for the advisory lock. It never waits inside a statement: a waiter's snapshot would deadlock with another's
// CREATE INDEX CONCURRENTLY.
func (c *Conn) lock(ctx context.Context) error {
	if err := c.direct(ctx); err != nil {
		return err
	}
	deadline := time.Now().Add(lockWait)
	pause := 2 * time.Millisecond
	for {
		var got []struct {
			Locked bool `json:"locked"`
		}
		q := Query{Name: "the lock", SQL: "SELECT pg_catalog.pg_try_advisory_lock(" + lockKey + ") AS locked", Into: &got}
		if err := c.Ask(ctx, []Query{q}); err != nil {
			return err
		}
		if len(got) == 1 && got[0].Locked {
			return nil
		}
		if time.Now().After(deadline) {
			return &Error{Class: Busy, msg: fmt.Sprintf("another sessiondbd has been writing for more than %s: %s; try again, or see who holds the lock: SELECT pid, usename, state, query FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE locktype = 'advisory'", lockWait, c.holder(ctx))}
		}
		select {
		case <-ctx.Done():
			return queryError(ctx.Err())
		case <-time.After(pause + rand.N(pause)):
		}
		pause = min(pause*2, 100*time.Millisecond)
	}
}

// direct refuses a pooler in between: a lock of the session would be taken in one server session and missed in the next.
// The handshake told which process serves us; a pooler that lends sessions tells a number of its own.
func (c *Conn) direct(ctx context.Context) error {
	var at []struct {
		PID uint32 `json:"pid"`
	}
	for range 2 {
		if err := c.Ask(ctx, []Query{{Name: "the server process", SQL: "SELECT pg_backend_pid() AS pid", Into: &at}}); err != nil {
			return err
		}
		if len(at) != 1 || at[0].PID != c.PID() {
			return &Error{Class: Refused, msg: "database.url leads through a connection pooler: a lock taken there is not ours; let it name the server itself"}
		}
	}
	return nil
}

// holder tells who has the lock, for an error message.
func (c *Conn) holder(ctx context.Context) string {
	var who []struct {
		PID  int    `json:"pid"`
		User string `json:"usename"`
		Age  string `json:"age"`
	}
	q := Query{Name: "the lock's holder", Into: &who, SQL: `SELECT a.pid, a.usename, (now() - a.backend_start)::text AS age
		FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE l.locktype = 'advisory' AND (l.classid::int8, l.objid::int8) = (` + lockKey + `) AND l.granted`}
	if err := c.Ask(ctx, []Query{q}); err != nil || len(who) == 0 {
		return "its holder is not known"
	}
	return fmt.Sprintf("pid %d, user %s, connected for %s", who[0].PID, who[0].User, who[0].Age)
}

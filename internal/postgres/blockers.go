package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// blockedFor is how long a step that waits without a lock timeout (CREATE INDEX CONCURRENTLY) may wait for one and the
// same transaction before it is given up. Building is not waiting: a large table takes as long as it takes.
const blockedFor = 30 * time.Second

// leastPatience is left to a step however long others have waited: 500 ms is how often the guard looks.
const leastPatience = time.Second

// session is who stands in the way.
type session struct {
	PID   int    `json:"pid"`
	User  string `json:"usename"`
	App   string `json:"application_name"`
	State string `json:"state"`
	Age   string `json:"age"`
	Query string `json:"query"`
}

func (s session) String() string {
	return fmt.Sprintf("pid %d, user %s (%s), %s, in its transaction for %s: %s", s.PID, s.User, s.App, s.State, s.Age, strings.Join(strings.Fields(s.Query), " "))
}

const sessionColumns = `coalesce(a.pid, 0) AS pid, coalesce(a.usename, '') AS usename, coalesce(a.application_name, '') AS application_name,
	coalesce(a.state, '') AS state, coalesce(date_trunc('milliseconds', now() - a.xact_start)::text, '') AS age, left(coalesce(a.query, ''), 80) AS query`

// holders lists who holds locks on tables and the like of this database's public schema, the oldest transaction first.
func (c *Conn) holders(ctx context.Context) ([]session, error) {
	var found []session
	err := c.Ask(ctx, []Query{{Name: "who holds locks", Into: &found, SQL: `SELECT DISTINCT ON (a.xact_start, a.pid) ` + sessionColumns + `
		FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_class r ON r.oid = l.relation
		WHERE l.granted AND l.pid <> pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND r.relnamespace = 'public'::regnamespace ORDER BY a.xact_start, a.pid LIMIT 3`}})
	return found, err
}

// blocking lists whom a backend waits for.
func (c *Conn) blocking(ctx context.Context, pid uint32) ([]session, error) {
	var found []session
	err := c.Ask(ctx, []Query{{Name: "who blocks us", Into: &found, Args: []string{strconv.FormatUint(uint64(pid), 10)}, SQL: `SELECT ` + sessionColumns + `
		FROM pg_stat_activity a WHERE a.pid = ANY (pg_blocking_pids($1::int)) ORDER BY a.xact_start LIMIT 3`}})
	return found, err
}

// BlockingOurs says whom connections of ours to a database wait for, with the command that ends the first; empty: for nobody.
func (c *Conn) BlockingOurs(ctx context.Context, database string) (string, error) {
	var found []session
	err := c.Ask(ctx, []Query{{Name: "who blocks us", Into: &found, Args: []string{database, ApplicationName}, SQL: `SELECT ` + sessionColumns + `
		FROM pg_catalog.pg_stat_activity o CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(o.pid)) b (pid) LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid
		WHERE o.datname = $1 AND o.application_name = $2 AND o.usename = session_user AND o.wait_event_type = 'Lock' ORDER BY a.xact_start LIMIT 3`}})
	switch {
	case err != nil || len(found) == 0:
		return "", err
	case found[0].PID == 0:
		return "a prepared transaction; it is left alone, to find and end it: SELECT gid, owner, prepared FROM pg_prepared_xacts; ROLLBACK PREPARED", nil
	}
	return names(found), nil
}

// names joins sessions for an error, with the command that ends the first.
func names(list []session) string {
	var all []string
	for _, s := range list {
		all = append(all, s.String())
	}
	return fmt.Sprintf("%s; it is left alone, to end it: sudo -u postgres psql -c 'SELECT pg_terminate_backend(%d)'", strings.Join(all, "; "), list[0].PID)
}

// guard owns the idle connection that holds the lock while a step runs on another one. It ends the step when the lock is
// lost: somebody else may be writing then. It looks whom a step waits for that has no lock timeout, and gives it up when
// that takes too long.
type guard struct {
	lock    *Conn
	waiting uint32        // the backend that runs the step
	patient time.Duration // how long it may wait for one transaction; 0: its lock timeout bounds that
	cancel  context.CancelCauseFunc
	alive   func() // called while the server answers and the step is not blocked

	lost    bool
	blocked []session // why the step was given up

	stop context.CancelFunc
	done sync.WaitGroup
}

func (g *guard) start() {
	ctx, cancel := context.WithCancel(context.Background())
	g.stop = cancel
	g.done.Go(func() { g.watch(ctx) })
}

// end returns once the connection is nobody's again.
func (g *guard) end() {
	g.stop()
	g.done.Wait()
}

func (g *guard) watch(ctx context.Context) {
	var since time.Time
	var who int
	for {
		tick, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		_ = g.lock.WaitForNotification(tick)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case g.lock.Dead():
			g.lost = true
			g.cancel(errLockLost)
			return
		}
		list, err := g.whom(ctx)
		if err != nil || len(list) == 0 {
			since = time.Time{}
			g.alive()
			continue
		}
		if since.IsZero() || list[0].PID != who {
			since, who = time.Now(), list[0].PID
		}
		if g.patient > 0 && time.Since(since) >= g.patient {
			g.blocked = list
			g.giveUp(ctx)
			return
		}
	}
}

// whom asks whom the step waits for. The question is let to its end even when the step has come to its own: cutting it
// short would cost the connection, and the lock with it.
func (g *guard) whom(ctx context.Context) ([]session, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return g.lock.blocking(ctx, g.waiting)
}

func (g *guard) giveUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_ = g.lock.Ask(ctx, []Query{{
		Name: "giving up", SQL: "SELECT pg_cancel_backend($1::int) AS ok", Into: &[]struct{}{},
		Args: []string{strconv.FormatUint(uint64(g.waiting), 10)},
	}})
}

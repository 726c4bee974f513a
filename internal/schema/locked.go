package schema

import (
	"fmt"
	"slices"

	"sessiondbd/internal/postgres"
)

// tableLocked says inside a query that somebody holds, or waits for, the table so that not even its definition can be read:
// the server's functions that spell one wait for the lock (ruleutils.c). Whoever may write to the table may do that.
const tableLocked = `EXISTS (SELECT FROM pg_locks k WHERE k.relation = to_regclass('public.session') AND k.mode = 'AccessExclusiveLock'
	AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database()))`

// locker is who holds the table.
type locker struct {
	PID   int    `json:"pid"` // 0: a prepared transaction
	User  string `json:"usename"`
	Since string `json:"since"`
}

func lockQuery(o *Observation) postgres.Query {
	return postgres.Query{Name: "the table's lock", Into: &o.Lockers, Session: true, SQL: `SELECT coalesce(k.pid, 0) AS pid,
		coalesce(a.usename, '') AS usename, coalesce(date_trunc('second', clock_timestamp() - a.xact_start)::text, '') AS since
		FROM pg_locks k LEFT JOIN pg_stat_activity a USING (pid)
		WHERE k.relation = to_regclass('public.session') AND k.mode = 'AccessExclusiveLock'
		AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY k.granted DESC LIMIT 1`}
}

// Locked tells who keeps the table from being looked at, or is empty. What else was observed of it is then not to be judged.
func (o Observation) Locked() string {
	if len(o.Lockers) > 0 {
		l := o.Lockers[0]
		if l.PID == 0 {
			return "a prepared transaction (see pg_prepared_xacts)"
		}
		return fmt.Sprintf("process %d of %s, in a transaction for %s", l.PID, l.User, l.Since)
	}
	unread := slices.ContainsFunc(o.Catalogue.Indexes, func(i Index) bool { return i.Definition == "" }) ||
		slices.ContainsFunc(o.Catalogue.Constraints, func(c Constraint) bool { return c.Definition == "" })
	if unread {
		return "somebody who has just let it go"
	}
	return ""
}

// unlocked says whether the table's rows can be read without waiting.
func (o *Observation) unlocked() bool { return o.Locked() == "" }

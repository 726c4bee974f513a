package schema

import (
	"fmt"
	"slices"

	"sessiondbd/internal/postgres"
)

// locker is who holds the table.
type locker struct {
	PID   int    `json:"pid"` // 0: a prepared transaction
	User  string `json:"usename"`
	Since string `json:"since"`
}

// lockQuery asks in the first round trip whether somebody holds, or waits for, the table so that not even its definition
// can be read: the server's functions that spell one wait for the lock (ruleutils.c), so they are asked in the second.
// Whoever may write to the table may hold it.
// pg_lock_status is what the view pg_locks calls.
func lockQuery(o *Observation) postgres.Query {
	var locks []lock
	// Who holds it before who waits for it.
	first := func() {
		if i := slices.IndexFunc(locks, func(l lock) bool { return l.Granted }); i >= 0 {
			o.Lockers = []locker{{PID: locks[i].PID}}
		} else if len(locks) > 0 {
			o.Lockers = []locker{{PID: locks[0].PID}}
		}
	}
	return postgres.Query{Name: "the table's lock", Into: &locks, Then: first, Session: true, SQL: `SELECT pid, granted FROM pg_lock_status()
		WHERE relation = to_regclass('public.session') AND mode = 'AccessExclusiveLock'
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`}
}

type lock struct {
	PID     int  `json:"pid"` // 0: a prepared transaction
	Granted bool `json:"granted"`
}

// lockerQuery tells who it is. Without a row they have just let it go.
func lockerQuery(o *Observation) postgres.Query {
	var who []locker
	name := func() {
		for _, w := range who {
			if w.PID == o.Lockers[0].PID {
				o.Lockers[0] = w
			}
		}
	}
	return postgres.Query{Name: "who holds the table's lock", Into: &who, Then: name, Session: true, When: func() bool { return len(o.Lockers) > 0 && o.Lockers[0].PID != 0 }, SQL: `SELECT pid,
		usename, date_trunc('second', clock_timestamp() - xact_start)::text AS since FROM pg_stat_activity`}
}

// definition spells an index or a constraint.
type definition struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// definitionQuery asks for what spells the indexes. One that the answer lacks was dropped meanwhile: it stays unread.
func definitionQuery(o *Observation) postgres.Query {
	var all []definition
	fill := func() {
		for _, d := range all {
			if i := find(o.Catalogue.Indexes, d.Name, Index.id); i != nil {
				i.Definition = d.Text
			}
		}
	}
	return postgres.Query{
		Name: "what spells the indexes", Into: &all, Then: fill, Session: true, Durable: true,
		When: func() bool { return len(o.Catalogue.Indexes) > 0 && len(o.Lockers) == 0 },
		SQL: `SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
			WHERE i.indrelid = to_regclass('public.session')`,
	}
}

// buildingQuery looks again at indexes that are not valid: somebody may be building one, or have come to its end meanwhile.
func buildingQuery(o *Observation) postgres.Query {
	var all []Index
	update := func() {
		for _, now := range all {
			if i := find(o.Catalogue.Indexes, now.Name, Index.id); i != nil {
				i.Valid, i.Building = now.Valid, now.Building
			}
		}
	}
	return postgres.Query{
		Name: "who builds an index", Into: &all, Then: update, Session: true,
		When: func() bool { return slices.ContainsFunc(o.Catalogue.Indexes, func(i Index) bool { return !i.Valid }) },
		SQL: `SELECT c.relname AS name, i.indisvalid AND i.indisready AS valid,
			EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid = i.indrelid AND i.indexrelid = p.index_relid) AS building
			FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass('public.session')`,
	}
}

// checkQuery asks for what spells the check constraints, of which we have none.
func checkQuery(o *Observation) postgres.Query {
	var all []definition
	fill := func() {
		for _, d := range all {
			if c := find(o.Catalogue.Constraints, d.Name, Constraint.id); c != nil {
				c.Definition = d.Text
			}
		}
	}
	unread := func() bool {
		return len(o.Lockers) == 0 && slices.ContainsFunc(o.Catalogue.Constraints, func(c Constraint) bool { return c.Definition == "" })
	}
	return postgres.Query{
		Name: "what spells the check constraints", Into: &all, Then: fill, Session: true, Durable: true, When: unread,
		SQL: `SELECT conname AS name, pg_get_constraintdef(oid) AS text FROM pg_constraint
			WHERE conrelid = to_regclass('public.session') AND contype = 'c'`,
	}
}

// Locked tells who keeps the table from being looked at, or is empty. What else was observed of it is then not to be judged.
func (o Observation) Locked() string {
	if len(o.Lockers) > 0 {
		l := o.Lockers[0]
		if l.PID == 0 {
			return "a prepared transaction (see pg_prepared_xacts)"
		}
		if l.User == "" {
			return fmt.Sprintf("process %d", l.PID)
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
func (o *Observation) unlocked() bool { return len(o.Lockers) == 0 }

package operate

import (
	"context"
	"fmt"

	"sessiondbd/internal/firewall"
	"sessiondbd/internal/postgres"
)

// Sessions is what the session database holds, and who works in it.
type Sessions struct {
	Database      string `json:"database"`
	DatabaseBytes int64  `json:"database_bytes"`
	// Table is nil where the table could not be looked at; the error beside it says why.
	Table       *Table        `json:"table"`
	Connections []Connections `json:"connections"`
	// MaxConnections is what the server takes of everybody together.
	MaxConnections int       `json:"max_connections"`
	Slow           []Session `json:"slow_queries"`
	Old            []Session `json:"long_transactions"`
}

// Table is public.session counted. Sizes are in bytes, with TOAST.
type Table struct {
	Rows     int           `json:"rows"`
	Statuses []StatusCount `json:"by_status"`
	Children int           `json:"children"` // rows with a parent
	Orphans  int           `json:"orphans"`  // children whose parent is not there
	// Guarded says that the foreign key makes orphans impossible: it is there, validated, and its triggers are enabled.
	Guarded      bool  `json:"orphans_impossible"`
	Bytes        int64 `json:"table_bytes"`
	IndexesBytes int64 `json:"index_bytes"`
}

// StatusCount is how many rows have a status; empty: none.
type StatusCount struct {
	Status string `json:"status"`
	Rows   int    `json:"rows"`
}

// Connections are those of one place and role.
type Connections struct {
	From   string `json:"from"` // a network's name, an address, or this host
	Role   string `json:"role"`
	Total  int    `json:"total"`
	Active int    `json:"active"`
	// Waiting are idle inside a transaction.
	Waiting int `json:"idle_in_transaction"`
}

// lookOnly bounds what a look may do to others: it cannot write, and waits for no lock that an ALTER TABLE queues behind.
const lookOnly = `SELECT concat(set_config('transaction_read_only', 'on', true), set_config('lock_timeout', '1s', true)) AS done`

type done struct {
	Done string `json:"done"`
}

type sessionsFacts struct {
	Bytes   int64 `json:"bytes"`
	Max     int   `json:"max_connections"`
	Table   bool  `json:"has_table"`
	Guarded bool  `json:"guarded"`
}

// factsSQL takes no lock on the table.
const factsSQL = `SELECT pg_database_size(current_database()) AS bytes, current_setting('max_connections')::int4 AS max_connections,
	to_regclass('public.session') IS NOT NULL AS has_table,
	EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.conrelid = to_regclass('public.session') AND c.confrelid = c.conrelid
		AND c.contype = 'f' AND c.convalidated
		AND c.conkey = ARRAY[(SELECT attnum FROM pg_catalog.pg_attribute WHERE attrelid = c.conrelid AND attname = 'parent')]
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgconstraint = c.oid AND t.tgenabled NOT IN ('O', 'A'))) AS guarded`

type countRow struct {
	Status string `json:"status"`
	Rows   int    `json:"n"`
}

// countSQL and childrenSQL can each be answered by an index alone, a fifth of what the table holds. The status becomes a text
// after grouping: a cast of each row would double the time.
const (
	countSQL    = `SELECT status::text, n FROM (SELECT inbox_status AS status, count(*) AS n FROM public.session GROUP BY inbox_status) s ORDER BY s.status`
	childrenSQL = `SELECT count(*) AS n FROM public.session WHERE parent IS NOT NULL`
)

type sizeRow struct {
	Bytes   int64 `json:"bytes"`
	Indexes int64 `json:"indexes"`
}

const sizeSQL = `SELECT pg_table_size('public.session') AS bytes, pg_indexes_size('public.session') AS indexes`

type number struct {
	Rows int `json:"n"`
}

// orphansSQL is the documentation's question, asked only where nothing rules them out.
const orphansSQL = `SELECT count(*) AS n FROM public.session s WHERE s.parent IS NOT NULL
	AND NOT EXISTS (SELECT FROM public.session p WHERE p.id = s.parent)`

// LookAtSessions asks in two round trips: who is there, which nothing can block, then the table. With an error of the
// second the answer to the first is returned, too. It writes nothing.
func LookAtSessions(ctx context.Context, c *postgres.Conn, spec firewall.Spec) (Sessions, error) {
	s := Sessions{Database: c.Database}
	var all []Session
	var facts []sessionsFacts
	var bounded []done
	err := c.Ask(ctx, []postgres.Query{
		{Name: "the bounds of a look", SQL: lookOnly, Into: &bounded},
		{Name: "the database", SQL: factsSQL, Into: &facts},
		activityQuery(c.Database, &all),
	})
	if err != nil || len(facts) != 1 {
		return s, err
	}
	s.DatabaseBytes, s.MaxConnections = facts[0].Bytes, facts[0].Max
	s.Connections, s.Slow, s.Old = connectionsOf(spec, all), named(spec, slow(all)), named(spec, old(all))
	if !facts[0].Table {
		return s, postgres.NewError(postgres.NoDatabase, fmt.Sprintf("database %s has no table public.session: see sudo sessiondbd plan", c.Database))
	}
	var counts []countRow
	var sizes []sizeRow
	var children, orphans []number
	err = c.Ask(ctx, []postgres.Query{
		{Name: "the bounds of a look", SQL: lookOnly, Into: &bounded},
		{Name: "sizes", SQL: sizeSQL, Into: &sizes},
		{Name: "counts", SQL: countSQL, Into: &counts},
		{Name: "children", SQL: childrenSQL, Into: &children},
	})
	if err == nil && !facts[0].Guarded {
		err = c.Ask(ctx, []postgres.Query{{Name: "the bounds of a look", SQL: lookOnly, Into: &bounded}, {Name: "orphans", SQL: orphansSQL, Into: &orphans}})
	}
	switch {
	case postgres.ClassOf(err) == postgres.Busy && ctx.Err() == nil:
		return s, postgres.NewError(postgres.Busy, "the table public.session is locked and was not counted: see the transactions above, end one with SELECT pg_terminate_backend(PID), or try again")
	case err != nil:
		return s, fmt.Errorf("the table public.session: %w", err)
	}
	t := &Table{Statuses: []StatusCount{}, Guarded: facts[0].Guarded}
	for _, r := range counts {
		t.Rows += r.Rows
		t.Statuses = append(t.Statuses, StatusCount(r))
	}
	for _, r := range sizes {
		t.Bytes, t.IndexesBytes = r.Bytes, r.Indexes
	}
	for _, r := range children {
		t.Children = r.Rows
	}
	for _, r := range orphans {
		t.Orphans = r.Rows
	}
	s.Table = t
	return s, nil
}

// connectionsOf counts by place and role; networks come in the config's order, everybody else behind them.
func connectionsOf(spec firewall.Spec, all []Session) []Connections {
	list := []Connections{}
	at := map[[2]string]int{}
	add := func(s Session, from string) {
		key := [2]string{from, s.Role}
		i, known := at[key]
		if !known {
			i = len(list)
			at[key], list = i, append(list, Connections{From: from, Role: s.Role})
		}
		list[i].Total++
		switch s.State {
		case "active", "fastpath function call":
			list[i].Active++
		case "idle in transaction", "idle in transaction (aborted)":
			list[i].Waiting++
		}
	}
	for _, n := range spec.Networks {
		for _, s := range all {
			if Place(spec, s.Address) == n.Name {
				add(s, n.Name)
			}
		}
	}
	for _, s := range all {
		from := Place(spec, s.Address)
		switch {
		case isNetwork(spec, from):
			continue
		case s.own():
			from = "sessiondbd itself"
		}
		add(s, from)
	}
	return list
}

func isNetwork(spec firewall.Spec, name string) bool {
	for _, n := range spec.Networks {
		if n.Name == name {
			return true
		}
	}
	return false
}

// named is a list that is never null, with the places that addresses are.
func named(spec firewall.Spec, list []Session) []Session {
	out := []Session{}
	for _, s := range list {
		s.From = Place(spec, s.Address)
		out = append(out, s)
	}
	return out
}

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

	facts sessionsFacts
}

// Table is public.session counted. Sizes are in bytes, with TOAST.
type Table struct {
	Rows     int           `json:"rows"`
	Statuses []StatusCount `json:"by_status"`
	Children int           `json:"children"` // rows with a parent
	Orphans  int           `json:"orphans"`  // children whose parent is not there
	// Guarded says that the foreign key keeps orphans from coming: it is there, validated, and its triggers are enabled.
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

type sessionsFacts struct {
	Bytes int64 `json:"bytes"`
	Max   int   `json:"max_connections"`
	Table bool  `json:"has_table"`
	// Policies are executed for whoever is no administrator, and may take his rights back if he is one: they are SET ROLE's.
	Policies bool `json:"has_policies"`
	Guarded  bool `json:"guarded"`
}

// factsSQL takes no lock on the table.
const factsSQL = `SELECT pg_database_size(current_database()) AS bytes, current_setting('max_connections')::int4 AS max_connections,
	EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = to_regclass('public.session') AND relkind IN ('r', 'p')) AS has_table,
	EXISTS (SELECT FROM pg_catalog.pg_policy WHERE polrelid = to_regclass('public.session')) AS has_policies,
	` + guardedSQL + ` AS guarded`

type countRow struct {
	Status string `json:"status"`
	Rows   int    `json:"n"`
}

// countSQL and childrenSQL can each be answered by an index alone, a fifth of what the table holds. The status becomes a text
// after grouping: a cast of each row would double the time. It becomes one by format, since a cast may be somebody's who owned the type.
const (
	countSQL    = `SELECT format('%s', status) AS status, n FROM (SELECT inbox_status AS status, count(*) AS n FROM public.session GROUP BY inbox_status) s ORDER BY s.status`
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

// orphansSQL is the documentation's question. A foreign key rules out what comes after it; what came while it was switched off it does not
// tell.
const orphansSQL = `SELECT count(*) AS n FROM public.session s WHERE s.parent IS NOT NULL
	AND NOT EXISTS (SELECT FROM public.session p WHERE p.id = s.parent)`

// LookAtSessions asks in three round trips: who is there, which nothing can block, then the table, then for orphans. With an error of the
// second the answer to the first is returned, too. It writes nothing.
func LookAtSessions(ctx context.Context, c *postgres.Conn, spec firewall.Spec) (Sessions, error) {
	s, err := LookAround(ctx, c, spec, Bounds{})
	if err != nil {
		return s, err
	}
	t, err := s.LookInside(ctx, c, Bounds{})
	var orphans []number
	if err == nil {
		err = tableError(ctx, c.Ask(ctx, []postgres.Query{Bounds{}.query(""), {Name: "orphans", SQL: orphansSQL, Into: &orphans}}))
	}
	if err != nil {
		return s, err
	}
	for _, r := range orphans {
		t.Orphans = r.Rows
	}
	s.Table = t
	return s, nil
}

// LookAround asks in one round trip, which no lock can hold up, who is there. Table stays nil.
func LookAround(ctx context.Context, c *postgres.Conn, spec firewall.Spec, b Bounds) (Sessions, error) {
	s := Sessions{Database: c.Database}
	var all []Session
	var facts []sessionsFacts
	err := c.Ask(ctx, []postgres.Query{b.query(b.Around), {Name: "the database", SQL: factsSQL, Into: &facts}, activityQuery(c.Database, &all)})
	if err != nil || len(facts) != 1 {
		return s, err
	}
	s.facts, s.DatabaseBytes, s.MaxConnections = facts[0], facts[0].Bytes, facts[0].Max
	s.Connections, s.Slow, s.Old = connectionsOf(spec, all), named(spec, slow(all)), named(spec, old(all))
	return s, nil
}

// LookInside counts the table in one round trip, orphans left out. An error of class Busy: it is locked, or that took too long.
func (s Sessions) LookInside(ctx context.Context, c *postgres.Conn, b Bounds) (*Table, error) {
	if !s.facts.Table {
		return nil, postgres.NewError(postgres.NoDatabase, fmt.Sprintf("database %s has no table public.session: see sudo sessiondbd plan", c.Database))
	}
	if s.facts.Policies && b.Inside != "" {
		return nil, postgres.NewError(postgres.Refused, fmt.Sprintf("policies hang on public.session of database %s: see sudo sessiondbd plan", c.Database))
	}
	var counts []countRow
	var sizes []sizeRow
	var children []number
	err := c.Ask(ctx, []postgres.Query{
		b.query(b.Inside),
		{Name: "sizes", SQL: sizeSQL, Into: &sizes},
		{Name: "counts", SQL: countSQL, Into: &counts},
		{Name: "children", SQL: childrenSQL, Into: &children},
	})
	if err != nil {
		return nil, tableError(ctx, err)
	}
	t := &Table{Statuses: []StatusCount{}, Guarded: s.facts.Guarded}
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
	return t, nil
}

// tableError says what keeps the table from being counted, or nil.
func tableError(ctx context.Context, err error) error {
	switch {
	case postgres.ClassOf(err) == postgres.Busy && ctx.Err() == nil:
		return postgres.NewError(postgres.Busy, "the table public.session is locked and was not counted: see the transactions above, end one with SELECT pg_terminate_backend(PID), or try again")
	case err != nil:
		return fmt.Errorf("the table public.session: %w", err)
	}
	return nil
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
			from = Itself
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

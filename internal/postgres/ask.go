package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// Query asks for rows. Into points to a slice of structs whose json tags are the column names.
type Query struct {
	Name string
	SQL  string
	Args []string
	Into any
	// Session marks a query of the session database's own catalogue; it is left out while that does not exist.
	Session bool
	// When, if not nil, is asked after the answers to the other queries are there. The queries that it lets through
	// travel in a second round trip.
	When func() bool
}

// Ask sends all queries in one round trip, and those that wait for an answer in a second.
func (c *Conn) Ask(ctx context.Context, queries []Query) error {
	var first, second []Query
	for _, q := range queries {
		if q.When == nil {
			first = append(first, q)
		}
	}
	if err := c.ask(ctx, first); err != nil {
		return err
	}
	for _, q := range queries {
		if q.When != nil && q.When() {
			second = append(second, q)
		}
	}
	return c.ask(ctx, second)
}

// ask runs queries in one round trip, in one implicit transaction that only reads.
func (c *Conn) ask(ctx context.Context, queries []Query) error {
	if len(queries) == 0 {
		return nil
	}
	b := &pgconn.Batch{}
	for _, q := range queries {
		args := make([][]byte, len(q.Args))
		for i, a := range q.Args {
			args[i] = []byte(a)
		}
		// One JSON document a query: types arrive with their names, and no driver-side type map is needed.
		sql := "SELECT coalesce(json_agg(row_to_json(q)), '[]') FROM (" + q.SQL + "\n) q"
		name, err := c.statement(ctx, sql)
		if err != nil {
			return fmt.Errorf("asking for %s: %w", q.Name, queryError(err))
		}
		if name != "" {
			b.ExecPrepared(name, args, nil, nil)
		} else {
			b.ExecParams(sql, args, nil, nil, nil)
		}
	}
	res := c.ExecBatch(ctx, b)
	for _, q := range queries {
		if !res.NextResult() {
			return fmt.Errorf("asking for %s: %w", q.Name, queryError(closeBatch(res)))
		}
		r := res.ResultReader().Read()
		if r.Err != nil {
			_ = res.Close()
			return fmt.Errorf("asking for %s: %w", q.Name, queryError(r.Err))
		}
		if err := json.Unmarshal(r.Rows[0][0], q.Into); err != nil {
			_ = res.Close()
			return fmt.Errorf("asking for %s: %w", q.Name, err)
		}
	}
	if err := res.Close(); err != nil {
		return queryError(err)
	}
	return nil
}

// statement is the name under which a query is prepared. On a connection that is kept, one that comes again is prepared:
// half of what a look costs is planning. A document's type never changes, so neither do the statements.
func (c *Conn) statement(ctx context.Context, sql string) (name string, err error) {
	if c.asked == nil {
		return "", nil
	}
	name, again := c.asked[sql]
	if again && name == "" {
		c.prepared++
		name = fmt.Sprintf("q%d", c.prepared)
		_, err = c.Prepare(ctx, name, sql, nil)
	}
	if err == nil {
		c.asked[sql] = name
	}
	return name, err
}

func closeBatch(res *pgconn.MultiResultReader) error {
	if err := res.Close(); err != nil {
		return err
	}
	return fmt.Errorf("the server sent fewer results than were asked for")
}

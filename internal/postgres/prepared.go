package postgres

import (
	"context"
	"errors"
)

// Statement is one that was prepared on its connection, to be run again and again.
type Statement struct {
	conn *Conn
	name string
}

// Prepare prepares a statement under a name of its own on the connection.
func (c *Conn) Prepare(ctx context.Context, name, sql string) (Statement, error) {
	if _, err := c.PgConn.Prepare(ctx, name, sql, nil); err != nil {
		return Statement{}, queryError(err)
	}
	return Statement{c, name}, nil
}

// Run runs the statement, which returns no rows, in a transaction of its own, and says how many rows it was about.
func (s Statement) Run(ctx context.Context, args ...string) (int, error) {
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = []byte(a)
	}
	r := s.conn.ExecPrepared(ctx, s.name, values, nil, nil).Read()
	if r.Err != nil {
		return 0, queryError(r.Err)
	}
	return int(r.CommandTag.RowsAffected()), nil
}

// Set sets parameters for the session, in the order in which they come: names and values in turn.
func (c *Conn) Set(ctx context.Context, pairs ...string) error {
	queries := make([]Query, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		queries = append(queries, Query{
			Name: pairs[i], Args: pairs[i : i+2], Into: new([]struct {
				Value string `json:"value"`
			}), SQL: "SELECT pg_catalog.set_config($1::text, $2::text, false) AS value",
		})
	}
	return c.Ask(ctx, queries)
}

// CodeOf is the SQLSTATE (PostgreSQL appendix A) of an error that the server told, or empty.
func CodeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

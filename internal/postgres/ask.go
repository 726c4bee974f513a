package postgres

import (
	"context"
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
	// Then, if not nil, is called once the rows are in Into.
	Then func()
	// Early has the server send the rows while it is still busy with the queries after this one. It costs both sides a
	// change of context.
	Early bool
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
	prepared := make([]*pgconn.StatementDescription, len(queries))
	for i, q := range queries {
		var err error
		if prepared[i], err = c.statement(ctx, q.SQL); err != nil {
			return fmt.Errorf("asking for %s: %w", q.Name, queryError(err))
		}
	}
	p := c.StartPipeline(ctx)
	for i, q := range queries {
		args := make([][]byte, len(q.Args))
		for i, a := range q.Args {
			args[i] = []byte(a)
		}
		if prepared[i] != nil {
			p.SendQueryStatement(prepared[i], args, nil, nil)
		} else {
			p.SendQueryParams(q.SQL, args, nil, nil, nil)
		}
		if q.Early {
			p.SendFlushRequest()
		}
	}
	err := p.Sync()
	for i := 0; err == nil && i < len(queries); i++ {
		if err = queries[i].read(p); err != nil {
			err = fmt.Errorf("asking for %s: %w", queries[i].Name, err)
		}
	}
	// Also after an error: the connection is ours again only then.
	if end := p.Close(); err == nil && end != nil {
		err = queryError(end)
	}
	return err
}

// read takes the rows of the next query that was sent.
func (q Query) read(p *pgconn.Pipeline) error {
	next, err := p.GetResults()
	if err != nil {
		return queryError(err)
	}
	reader, ok := next.(*pgconn.ResultReader)
	if !ok {
		return fmt.Errorf("the server answered with %T", next)
	}
	r := reader.Read()
	if r.Err != nil {
		return queryError(r.Err)
	}
	if err := scan(q.Into, r.FieldDescriptions, r.Rows); err != nil {
		return err
	}
	if q.Then != nil {
		q.Then()
	}
	return nil
}

// statement is how a query is prepared. On a connection that is kept, one that comes again is prepared: half of what a look
// costs is planning. The queries name columns of system catalogues or cast them, so that the statements stay valid.
func (c *Conn) statement(ctx context.Context, sql string) (*pgconn.StatementDescription, error) {
	if c.asked == nil {
		return nil, nil
	}
	s, again := c.asked[sql]
	if again && s == nil {
		c.prepared++
		var err error
		if s, err = c.Prepare(ctx, fmt.Sprintf("q%d", c.prepared), sql, nil); err != nil {
			return nil, err
		}
	}
	c.asked[sql] = s
	return s, nil
}

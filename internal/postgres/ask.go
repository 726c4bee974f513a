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
	// Durable marks a query whose answer hangs on nothing but committed rows, of catalogues or tables: not on the clock,
	// settings, locks or files, and not on what must not stay in memory.
	Durable bool
	// Then, if not nil, is called once the rows are in Into.
	Then func()
	// Early has the server send the rows while it is still busy with the queries after this one. It costs both sides a
	// change of context.
	Early bool
	// When, if not nil, is asked after the answers to the other queries are there. The queries that it lets through
	// travel in a second round trip.
	When func() bool
}

// Ask sends all queries in one round trip, and those that wait for an answer in a second. On a connection that is kept the
// durable ones are left out while nothing is written; once something was, they travel after the others.
func (c *Conn) Ask(ctx context.Context, queries []Query) error {
	var first, late, second []Query
	m := c.memory
	if m != nil {
		first = append(first, m.query())
	}
	for _, q := range queries {
		switch {
		case q.When != nil:
		case m != nil && m.quiet && q.Durable:
			late = append(late, q)
		default:
			first = append(first, q)
		}
	}
	if err := c.ask(ctx, first); err != nil {
		return err
	}
	late, err := m.recall(late)
	if err == nil {
		err = c.ask(ctx, late)
	}
	if err != nil {
		return err
	}
	for _, q := range queries {
		if q.When != nil && q.When() {
			second = append(second, q)
		}
	}
	if second, err = m.recall(second); err != nil {
		return err
	}
	return c.ask(ctx, second)
}

// ask runs queries in one round trip, in one implicit transaction that only reads.
func (c *Conn) ask(ctx context.Context, queries []Query) error {
	if len(queries) == 0 {
		return nil
	}
	p := c.StartPipeline(ctx)
	fresh := make([]string, len(queries)) // names of statements that are prepared in this round trip
	for i, q := range queries {
		fresh[i] = c.send(p, q)
		if q.Early {
			p.SendFlushRequest()
		}
	}
	var err error
	if sent := p.Sync(); sent != nil { // the connection had ended already
		err = queryError(sent)
	}
	for i := 0; err == nil && i < len(queries); i++ {
		q := queries[i]
		if fresh[i] != "" {
			c.asked[q.SQL], err = prepared(p, fresh[i])
		}
		if err == nil {
			err = c.read(p, q)
		}
		if err != nil {
			err = fmt.Errorf("asking for %s: %w", q.Name, err)
		}
	}
	// Also after an error: the connection is ours again only then.
	if end := p.Close(); err == nil && end != nil {
		err = queryError(end)
	}
	return err
}

// send sends a query. On a connection that is kept, one that comes again is prepared, with the name that is returned: half of
// what a look costs is planning. The queries name columns of system catalogues or cast them, so that statements stay valid.
func (c *Conn) send(p *pgconn.Pipeline, q Query) (fresh string) {
	args := make([][]byte, len(q.Args))
	for i, a := range q.Args {
		args[i] = []byte(a)
	}
	statement, again := c.asked[q.SQL]
	switch {
	case statement != nil:
		p.SendQueryStatement(statement, args, nil, nil)
	case again:
		c.prepared++
		fresh = fmt.Sprintf("q%d", c.prepared)
		p.SendPrepare(fresh, q.SQL, nil)
		p.SendQueryPrepared(fresh, args, nil, nil)
	default:
		if c.asked != nil {
			c.asked[q.SQL] = nil
		}
		p.SendQueryParams(q.SQL, args, nil, nil, nil)
	}
	return fresh
}

// prepared takes the description of the next statement that was sent to be prepared.
func prepared(p *pgconn.Pipeline, name string) (*pgconn.StatementDescription, error) {
	next, err := p.GetResults()
	if err != nil {
		return nil, queryError(err)
	}
	s, ok := next.(*pgconn.StatementDescription)
	if !ok {
		return nil, fmt.Errorf("the server answered with %T", next)
	}
	s.Name = name // which the server's answer lacks
	return s, nil
}

// read takes the rows of the next query that was sent.
func (c *Conn) read(p *pgconn.Pipeline, q Query) error {
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
	c.memory.keep(q, r)
	return q.take(r)
}

// take puts an answer where it belongs.
func (q Query) take(r *pgconn.Result) error {
	if err := scan(q.Into, r.FieldDescriptions, r.Rows); err != nil {
		return err
	}
	if q.Then != nil {
		q.Then()
	}
	return nil
}

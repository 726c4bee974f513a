package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
)

// Run executes one statement that is no question, and returns how many rows it touched, where its tag tells. The text is
// nobody's secret: an error may quote what the server quotes.
func (c *Conn) Run(ctx context.Context, sql string) (rows int64, err error) {
	res, err := c.Exec(ctx, sql).ReadAll()
	if err != nil {
		return 0, queryError(err)
	}
	for _, r := range res {
		rows += r.CommandTag.RowsAffected()
	}
	return rows, nil
}

// inCopy is where the server was when it met an error in rows; what follows quotes them.
var inCopy = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?m)^COPY [^\n]*?, line \d+(, column [\w"]+)?`) })

// CopyIn sends rows for a COPY … FROM stdin and returns how many there were. What reading the rows returns as an error comes
// back as it is.
func (c *Conn) CopyIn(ctx context.Context, sql string, rows io.Reader) (int64, error) {
	watched := &watched{from: rows}
	tag, err := c.CopyFrom(ctx, watched, sql)
	if watched.err != nil {
		return 0, watched.err
	}
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		e := serverError(pe)
		if where := inCopy().FindString(pe.Where); where != "" {
			e.msg = where + ": " + e.msg
		}
		return 0, e
	}
	if err != nil {
		return 0, queryError(err)
	}
	return tag.RowsAffected(), nil
}

// watched remembers the error of who is read from.
type watched struct {
	from io.Reader
	err  error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

// TryLock takes an advisory lock of ours by its name, until the connection ends. It is one of the database that the
// connection is in; with the maintenance database, no login role can get in its way.
func (c *Conn) TryLock(ctx context.Context, name string) error {
	if err := c.direct(ctx); err != nil {
		return err
	}
	var got []struct {
		Locked bool `json:"locked"`
	}
	q := Query{Name: "the lock", SQL: "SELECT pg_catalog.pg_try_advisory_lock(1936552044, pg_catalog.hashtext($1)) AS locked", Args: []string{name}, Into: &got}
	if err := c.Ask(ctx, []Query{q}); err != nil {
		return err
	}
	if len(got) != 1 || !got[0].Locked {
		return &Error{Class: Busy, msg: fmt.Sprintf("another sessiondbd %s is at work", name)}
	}
	return nil
}

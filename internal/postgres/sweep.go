package postgres

import (
	"context"
	"strings"
	"time"
)

// sweepRows is how many rows one transaction of a sweep covers: some 10 ms of row locks.
const sweepRows = "500"

// sweep runs a step's statement over rows that a query named once, some at a time. It goes by their keys, which stay when a
// writer's update moves a row to where a walk over the table has been already. The list is kept by the server (a cursor
// WITH HOLD), so no snapshot stays open. Between two transactions it rests as long as the last one took.
func (w *Writer) sweep(ctx context.Context, conn *Conn, s SQL) error {
	if err := conn.simple(ctx, "DECLARE sweep NO SCROLL CURSOR WITH HOLD FOR "+s.Sweep); err != nil {
		return err
	}
	defer func() {
		if !conn.Dead() {
			_ = conn.simple(context.WithoutCancel(ctx), "CLOSE sweep")
		}
	}()
	one := s
	one.Sweep = ""
	for {
		began := time.Now()
		keys, err := conn.keys(ctx)
		if err != nil || len(keys) == 0 {
			return err
		}
		one.Statements = []string{strings.ReplaceAll(s.Statements[0], ":keys", QuoteLiteral("{"+strings.Join(keys, ",")+"}"))}
		if err := w.patiently(ctx, conn, one); err != nil {
			return err
		}
		w.alive()
		select {
		case <-ctx.Done():
			return queryError(ctx.Err())
		case <-time.After(min(time.Since(began), 50*time.Millisecond)):
		}
	}
}

// keys are the next ones of the sweep.
func (c *Conn) keys(ctx context.Context) ([]string, error) {
	res, err := c.Exec(ctx, "FETCH "+sweepRows+" FROM sweep").ReadAll()
	if err != nil {
		return nil, queryError(err)
	}
	var keys []string
	for _, r := range res {
		for _, row := range r.Rows {
			keys = append(keys, string(row[0]))
		}
	}
	return keys, nil
}

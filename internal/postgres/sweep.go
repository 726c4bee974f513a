package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// sweepBlocks is how many blocks of a table one transaction of a sweep covers: about 1,500 rows of the session table, some
// 10 ms of row locks.
const sweepBlocks = 64

// sweep runs a step's statement over a table, range by range. It goes by the blocks that the table had at the start: what
// is written meanwhile has to need no sweeping. Between two ranges it rests as long as the last one took.
func (w *Writer) sweep(ctx context.Context, conn *Conn, s SQL) error {
	var size []struct {
		Blocks int64 `json:"blocks"`
	}
	if err := conn.Ask(ctx, []Query{{
		Name: "the size of " + s.Sweep, Into: &size, Args: []string{s.Sweep},
		SQL: "SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::int8 AS blocks",
	}}); err != nil {
		return err
	}
	one := s
	one.Sweep = ""
	for first := int64(0); first < size[0].Blocks; first += sweepBlocks {
		began := time.Now()
		at := strings.NewReplacer(":first", strconv.FormatInt(first, 10), ":last", strconv.FormatInt(first+sweepBlocks, 10))
		one.Statements = []string{at.Replace(s.Statements[0])}
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
	return nil
}

package operate

import (
	"cmp"
	"context"
	"slices"
	"time"

	"sessiondbd/internal/postgres"
)

// batchSize is how much one batch may take.
type batchSize struct{ rows, blocks int }

const (
	leastRows  = 10
	mostRows   = 5000
	mostBlocks = 256
)

func newBatchSize() batchSize { return batchSize{rows: 100, blocks: 16} }

// next is the number of rows after a batch of rows by name, as stretchSQL has it for those by place.
func (b batchSize) next(took time.Duration) batchSize {
	scale := min(1.5, float64(batchGoal)/float64(max(took, time.Microsecond)))
	b.rows = min(max(leastRows, int(float64(b.rows)*scale+0.5)), mostRows)
	return b
}

// What the server says of rows that somebody else is busy with (PostgreSQL appendix A).
const (
	locked     = "55P03" // in vain was waited for a lock
	referenced = "23503" // a child lives
)

// another says whether an error is one of the rows', for which there is another way or another time.
func another(err error) bool {
	return slices.Contains([]string{referenced, locked, "40P01", "40001"}, postgres.CodeOf(err))
}

// batch deletes rows by name and rests. An error for which there is another way is of a row whose child stays, or is held by somebody:
// nothing was deleted then. For a table that is locked it waits.
func (p *Pruner) batch(ctx context.Context, names []string) error {
	if p.Hold != nil {
		if err := p.Hold(); err != nil {
			return err
		}
	}
	began := time.Now()
	n, failed := p.named.Run(ctx, p.stale[0], p.stale[1], postgres.Array(names))
	took := time.Since(began)
	switch {
	case failed == nil:
		p.out.Deleted += n
		p.size = p.size.next(took)
	case isLocked(failed): // the table, or a row
		err := p.patiently(ctx, func() error {
			_, err := p.named.Run(ctx, p.stale[0], p.stale[1], "{}")
			return err
		})
		if err != nil {
			return err
		}
	}
	return cmp.Or(p.pace(ctx, took), failed)
}

// The rest after work leaves the disk to others, and what reads the server's log. It comes seldom, as it wakes up others.
const (
	restAfter = 4 * time.Second
	restShare = 16 // of the work
)

// pace rests once there was work enough.
func (p *Pruner) pace(ctx context.Context, took time.Duration) error {
	p.worked += took
	if p.worked < restAfter {
		return nil
	}
	d := p.worked / restShare
	p.worked = 0
	return sleep(ctx, d)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

package operate

import (
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

// tries is how often a batch is run while children come in between.
const tries = 5

// batch deletes rows by name and rests. It waits for a table that is locked: for a row it never does.
func (p *Pruner) batch(ctx context.Context, s postgres.Statement, names []string) (gone []goneRow, err error) {
	for try := 1; ; try++ {
		var failed error // for the rows' sake
		err := p.patiently(ctx, func() error {
			began := time.Now()
			n, err := s.Run(ctx, &gone, p.stale[0], p.stale[1], postgres.Array(names))
			took := time.Since(began)
			if err == nil {
				p.out.Deleted += n
				p.size = p.size.next(took)
			}
			if rested := p.pace(ctx, took); rested != nil {
				return rested
			}
			if another(err) && postgres.CodeOf(err) != locked {
				failed, err = err, nil
			}
			return err
		})
		switch {
		case err != nil || failed == nil:
			return gone, err
		case s == p.circles || try == tries:
			return nil, failed
		}
	}
}

// goneRow is a row that went, of those that were asked for by name.
type goneRow struct {
	Parent string `json:"parent"`
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

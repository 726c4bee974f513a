package operate

import (
	"context"
	"slices"
	"time"

	"sessiondbd/internal/postgres"
)

// batchSize follows how long batches take and how dense what is stale lies.
type batchSize struct{ rows, blocks int }

const (
	leastRows  = 10
	mostRows   = 5000
	mostBlocks = 256
)

func newBatchSize() batchSize { return batchSize{rows: 100, blocks: 16} }

// next is the size after a batch that took so long for rows out of blocks; limited says that there were more. It shrinks at
// once, and grows by half at most. What a batch costs depends on both: its blocks are read even if few of their rows go.
func (b batchSize) next(took time.Duration, rows, blocks int, limited bool) batchSize {
	scale := min(1.5, float64(batchGoal)/float64(max(took, time.Microsecond)))
	if rows*2 >= b.rows { // few rows tell little
		b.rows = min(max(leastRows, int(float64(b.rows)*scale+0.5)), mostRows)
	}
	most := int(float64(blocks)*scale) + 1
	if limited {
		b.blocks = blocks * 2 / 3
	} else { // as many as hold four fifths of a batch, for one that is full has to be followed by another over the same blocks
		b.blocks = b.rows * 4 / 5 * blocks / max(1, rows)
	}
	b.blocks = max(1, min(b.blocks, most, mostBlocks))
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

// tries is how often a careful batch is run while children come in between.
const tries = 5

// batch runs one batch and rests. It counts what went. A careful one waits for a table that is locked: for a row it never does.
func (p *Pruner) batch(ctx context.Context, s postgres.Statement, blocks, limit int, args ...string) (g gone, err error) {
	for try := 1; ; try++ {
		var failed error // for the rows' sake
		err := p.patiently(ctx, func() error {
			g, err = p.once(ctx, s, blocks, limit, args)
			if another(err) && (s == p.swift || postgres.CodeOf(err) != locked) {
				failed, err = err, nil
			}
			return err
		})
		switch {
		case err != nil || failed == nil:
			return g, err
		case s == p.swift || s == p.circles || try == tries:
			return gone{}, failed
		}
	}
}

// gone is what a batch deleted.
type gone struct {
	n, seen int
	up      []batchRow
}

// batchRow is a row that went, of those that were asked for by name, or the counts of all.
type batchRow struct {
	Parent string `json:"parent"`
	Seen   int    `json:"seen"`
	Gone   int    `json:"gone"`
}

// once runs one batch in its transaction.
func (p *Pruner) once(ctx context.Context, s postgres.Statement, blocks, limit int, args []string) (g gone, err error) {
	began := time.Now()
	g.n, err = s.Run(ctx, &g.up, append(p.stale[:], args...)...)
	took := time.Since(began)
	g.seen = g.n
	if blocks > 0 && len(g.up) == 1 {
		g.n, g.seen = g.up[0].Gone, g.up[0].Seen
		p.doubt = p.doubt || g.n != g.seen
	}
	if err == nil {
		p.out.Deleted += g.n
		switch {
		case blocks > 0:
			p.size = p.size.next(took, g.seen, blocks, g.seen == limit)
		case limit > 0: // rows by name
			p.size.rows = p.size.next(took, limit, 1, false).rows
		}
	}
	if rested := p.pace(ctx, took); rested != nil {
		return g, rested
	}
	return g, err
}

// The rest after work leaves processor and disk to others.
const (
	restAfter = batchGoal
	restShare = 8 // of the work; a shorter sleep than a millisecond is none
)

// pace rests once there was work enough.
func (p *Pruner) pace(ctx context.Context, took time.Duration) error {
	p.worked += took
	if p.worked < restAfter {
		return nil
	}
	d := max(p.worked/restShare, time.Millisecond)
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

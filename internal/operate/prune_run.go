package operate

import (
	"context"
	"fmt"
	"time"

	"sessiondbd/internal/postgres"
)

// batchGoal is how long a batch is to last: whoever writes to one of its rows waits until it ends.
const batchGoal = 8 * time.Millisecond

// lockedFor bounds the wait for a table that somebody has locked.
const lockedFor = 20 * time.Second

// Pruner deletes stale sessions beside whoever works with the others.
type Pruner struct {
	// Hold is asked before each stretch of batches; an error ends the run there. May be nil.
	Hold func() error
	// Progress is called after a stretch: how much of the table was walked, from 0 to 1, and how many rows are gone. May be nil.
	Progress func(part float64, deleted int)
	// Stretch bounds for how long the server deletes before Hold is asked again; 0: a second.
	Stretch time.Duration

	conn    *postgres.Conn
	speller speller
	// What stretches of this pass run: at first; for a while after a child that stood in the way; and after somebody who held a row.
	swift, kind, careful string
	named                postgres.Statement
	stale                [2]string // statuses, time
	way                  way
	size                 batchSize
	out                  Pruned
	doubt                bool // something may have been left behind
	failures             int  // of the same batch, while wary
	// wary is how many batches are still to mind children, cautious how many after the next failure.
	wary, cautious int
	held           bool          // somebody who held a row has made us wary
	worked         time.Duration // since the last rest
}

// Run deletes what is stale, leaves first, each batch in a transaction of its own. It may be ended at any place: another run
// goes on from there. With an error the answer says what was done until then.
func (p *Pruner) Run(ctx context.Context, c *postgres.Conn, s Stale) (Pruned, error) {
	began := time.Now()
	out, gate, err := s.begin(ctx, c)
	if err != nil {
		return out, err
	}
	p.conn, p.out, p.stale, p.speller = c, out, [2]string{postgres.Array(s.Statuses), out.before}, gate
	p.size, p.cautious = newBatchSize(), 1
	if err = p.prepare(ctx); err == nil {
		err = p.walk(ctx)
	}
	if err == nil && (p.doubt || len(gate.keepers) > 0) {
		err = p.rest(ctx)
	}
	p.out.Seconds = time.Since(began).Seconds()
	return p.out, err
}

// prepare makes the session one that keeps out of others' way, and prepares its statement.
func (p *Pruner) prepare(ctx context.Context) error {
	var may []struct {
		Super bool `json:"super"`
		LZ4   bool `json:"lz4"`
	}
	ask := postgres.Query{Name: "rights", Into: &may, SQL: `SELECT current_setting('is_superuser') = 'on' AS super,
		EXISTS (SELECT FROM pg_catalog.pg_settings WHERE name = 'wal_compression' AND 'lz4' = ANY (enumvals)) AS lz4`}
	if err := p.conn.Ask(ctx, []postgres.Query{ask}); err != nil {
		return err
	}
	set := []string{
		"synchronous_commit", "off", // a crash brings some of the rows back, and another run deletes them
		"lock_timeout", "10ms",
		"plan_cache_mode", "force_generic_plan",
		// For a batch of any size the index on parent is the way, and so it is for foreign keys, whose plans are ours: whatever the planner
		// thinks of a parent with very many children, who may be all of the table.
		"enable_hashjoin", "off", "enable_mergejoin", "off", "enable_seqscan", "off", "enable_bitmapscan", "off",
		"max_parallel_workers_per_gather", "0", "jit", "off",
	}
	if len(may) == 1 && may[0].Super {
		set = append(set, "log_min_messages", "fatal", // a batch that fails is tried in another way, and nobody's business
			"session_replication_role", "origin") // foreign keys fire whatever somebody has set for database or role
		if may[0].LZ4 {
			set = append(set, "wal_compression", "lz4") // others' commits wait for our share of the log, too
		}
	}
	if err := p.conn.Set(ctx, set...); err != nil {
		return err
	}
	return p.patiently(ctx, func() (err error) {
		p.named, err = p.conn.Prepare(ctx, "named", p.speller.spell(namedSQL))
		return err
	})
}

// layoutBlocks is about how many blocks are looked at to learn the table's layout.
const layoutBlocks = 400

// scattered is how many children to one are on the other side of their parents in a table without an order.
const scattered = 20

// walk goes over the table's blocks, from the end where children lie. If they lie on both sides of their parents, it goes twice, and only
// for children at first, with whom their own children go. To look below each row for children costs a quarter of what its deletion does; to
// leave them to the foreign key fails batch after batch.
func (p *Pruner) walk(ctx context.Context) error {
	var blocks []number
	err := p.ask(ctx, postgres.Query{Name: "the table's size", Into: &blocks, SQL: `SELECT pg_relation_size('public.session') / current_setting('block_size')::int8 AS n`})
	if err != nil || len(blocks) != 1 || blocks[0].Rows == 0 {
		return err
	}
	total := blocks[0].Rows
	var layout []struct {
		Behind int `json:"behind"`
		Before int `json:"before"`
	}
	part := fmt.Sprint(min(100, 100*float64(layoutBlocks)/float64(total)))
	if err := p.ask(ctx, postgres.Query{Name: "the table's layout", SQL: p.speller.spell(layoutSQL), Args: []string{p.stale[0], p.stale[1], part}, Into: &layout}); err != nil {
		return err
	}
	var behind, before int
	if len(layout) == 1 {
		behind, before = layout[0].Behind, layout[0].Before
	}
	p.way = way{Up: behind > before}
	done := 0.0
	if min(behind, before)*scattered > max(behind, before) {
		p.way.Up = true // a tenth faster than down
		p.swift, p.kind, p.careful = p.stretch(takeSwiftly, isChild), p.stretch(takeKin, isChild), p.stretch(takeCarefully, isChild)
		if err := p.over(ctx, total, func(part float64) { p.progress(part / 2) }); err != nil {
			return err
		}
		done = 0.5
	}
	p.swift, p.kind, p.careful = p.stretch(takeSwiftly, ""), p.stretch(takeLeaves, ""), p.stretch(takeCarefully, "")
	return p.over(ctx, total, func(part float64) { p.progress(done + (1-done)*part) })
}

// over goes once over all blocks.
func (p *Pruner) over(ctx context.Context, total int, progress func(part float64)) (err error) {
	next := total
	if p.way.Last = 0; p.way.Up {
		next, p.way.Last = 0, total
	}
	for next != p.way.Last {
		if next, err = p.onward(ctx, next); err != nil {
			return err
		}
		progress(1 - float64(max(next, p.way.Last)-min(next, p.way.Last))/float64(total))
	}
	return nil
}

func (p *Pruner) progress(part float64) {
	if p.Progress != nil {
		p.Progress(part, p.out.Deleted)
	}
}

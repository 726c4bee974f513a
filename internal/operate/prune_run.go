package operate

import (
	"context"
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

	conn           *postgres.Conn
	swift, careful string // stretches
	named, circles postgres.Statement
	stale          [2]string // statuses, time
	size           batchSize
	out            Pruned
	doubt          bool // something may have been left behind
	failures       int  // of the same careful batch
	// wary is how many batches are still done carefully, cautious how many after the next failure.
	wary, cautious int
	worked         time.Duration // since the last rest
}

// Run deletes what is stale, leaves first, each batch in a transaction of its own. It may be ended at any place: another run
// goes on from there. With an error the answer says what was done until then.
func (p *Pruner) Run(ctx context.Context, c *postgres.Conn, s Stale) (Pruned, error) {
	began := time.Now()
	out, err := s.begin(ctx, c)
	if err != nil {
		return out, err
	}
	p.conn, p.out, p.stale = c, out, [2]string{postgres.Array(s.Statuses), out.before}
	p.size, p.cautious = newBatchSize(), 1
	p.swift, p.careful = spellStretch(swiftPlaces), spellStretch(carefulPlaces)
	if err = p.prepare(ctx); err == nil {
		err = p.walk(ctx)
	}
	if err == nil && p.doubt {
		err = p.rest(ctx)
	}
	p.out.Seconds = time.Since(began).Seconds()
	return p.out, err
}

// prepare makes the session one that keeps out of others' way, and prepares its statements.
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
		"enable_hashjoin", "off", "enable_mergejoin", "off", // for a batch of any size the index on parent is the way
		"jit", "off",
	}
	if len(may) == 1 && may[0].Super {
		set = append(set, "log_min_messages", "fatal") // a batch that fails is tried in another way, and nobody's business
		if may[0].LZ4 {
			set = append(set, "wal_compression", "lz4") // others' commits wait for our share of the log, too
		}
	}
	if err := p.conn.Set(ctx, set...); err != nil {
		return err
	}
	for _, s := range []struct {
		to        *postgres.Statement
		name, sql string
	}{{&p.named, "named", namedSQL}, {&p.circles, "circle", circleSQL}} {
		err := p.patiently(ctx, func() (err error) {
			*s.to, err = p.conn.Prepare(ctx, s.name, spell(s.sql))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// walk goes over the table's blocks from its end.
func (p *Pruner) walk(ctx context.Context) error {
	var blocks []number
	err := p.ask(ctx, postgres.Query{Name: "the table's size", Into: &blocks, SQL: `SELECT pg_relation_size('public.session') / current_setting('block_size')::int8 AS n`})
	if err != nil || len(blocks) != 1 {
		return err
	}
	total := blocks[0].Rows
	for high := total; high > 0; {
		if high, err = p.onward(ctx, high); err != nil {
			return err
		}
		p.progress(1 - float64(high)/float64(total))
	}
	return nil
}

func (p *Pruner) progress(part float64) {
	if p.Progress != nil {
		p.Progress(part, p.out.Deleted)
	}
}

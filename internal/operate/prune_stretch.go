package operate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"sessiondbd/internal/postgres"
)

// aStretch is how long the server deletes before it is asked anew: long, for the end of one wakes up others; short enough for
// who waits for a pause or a signal to be heard.
const aStretch = time.Second

// stretchGrace bounds a stretch that somebody holds up: no wait of its own is longer than lock_timeout.
const stretchGrace = 20 * time.Second

// tries is how often a batch of leaves is run while children come in between.
const tries = 5

// allBatches is how many batches a stretch may have if nothing is known against that.
const allBatches = 1 << 30

// order says what a stretch is about.
type order struct {
	Statuses []string `json:"statuses"`
	Before   string   `json:"before"`
	Goal     float64  `json:"goal"`    // seconds of a batch
	Seconds  float64  `json:"seconds"` // after which no batch begins
	way
	place
}

// place is where a stretch begins or has ended.
type place struct {
	// Next is the border between the blocks that were gone over and the others, a number of blocks.
	Next int `json:"next"`
	// Blocks and Rows are what a batch may take.
	Blocks int `json:"blocks"`
	Rows   int `json:"rows"`
	// Batches is how many may still go over blocks to their end.
	Batches int `json:"batches"`
}

// way is how the blocks are gone over: up from 0, or down to it.
type way struct {
	Up   bool `json:"up"`
	Last int  `json:"last"` // border
}

// on is the border so many blocks further.
func (w way) on(next, blocks int) int {
	if w.Up {
		return min(w.Last, next+blocks)
	}
	return max(w.Last, next-blocks)
}

// report says what a stretch has done.
type report struct {
	place
	Deleted int    `json:"deleted"`
	Doubt   bool   `json:"doubt"` // a row was changed while it was waited for
	Why     string `json:"why"`   // SQLSTATE of the batch that failed
}

// errLocked is a stretch that met with a lock on the table.
var errLocked = errors.New("the table is locked")

func isLocked(err error) bool { return errors.Is(err, errLocked) || postgres.CodeOf(err) == locked }

// onward deletes for a stretch from a border on, rests, and returns how far it came.
func (p *Pruner) onward(ctx context.Context, next int) (int, error) {
	at := place{next, p.size.blocks, p.size.rows, allBatches}
	wary := p.wary > 0
	sql := p.swift
	if wary {
		sql, at.Batches = p.kind, p.wary
		if p.held {
			sql = p.careful
		}
	}
	var did report
	began := time.Now()
	err := p.patiently(ctx, func() (err error) {
		did, err = p.run(ctx, sql, at)
		at = did.place
		if err == nil && wary && p.held && did.Why == locked {
			return errLocked
		}
		return err
	})
	p.size = batchSize{at.Rows, at.Blocks}
	if err == nil {
		err = p.pace(ctx, time.Since(began))
	}
	switch {
	case err != nil:
	case wary:
		at.Next = p.warily(at, did)
	default:
		p.cautious = max(1, p.cautious>>min(allBatches-at.Batches, 6))
		if did.Why != "" { // a child that lives, or a writer: otherwise, and for a while what follows, too
			p.doubt, p.wary, p.cautious, p.held = true, p.cautious, min(2*p.cautious, 64), did.Why == locked
		}
	}
	return at.Next, err
}

// warily takes note of a stretch that minds children, and returns where the next one begins.
func (p *Pruner) warily(at place, did report) int {
	p.wary = at.Batches
	if did.Why == "" || did.Deleted > 0 {
		p.failures = 0
	}
	if did.Why == "" {
		return at.Next
	}
	p.held = p.held || did.Why == locked
	if p.failures++; p.failures < tries {
		return at.Next
	}
	p.failures = 0 // children came, again and again: what is left comes at the end
	return p.way.on(at.Next, at.Blocks)
}

// run runs a stretch to its end, even if the caller is told to end meanwhile: what it deleted is to be counted.
func (p *Pruner) run(ctx context.Context, sql string, at place) (report, error) {
	did := report{place: at}
	if ctx.Err() != nil {
		return did, context.Cause(ctx)
	}
	stretch := cmp.Or(p.Stretch, aStretch)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stretch+stretchGrace)
	defer cancel()
	text, err := json.Marshal(order{p.out.Statuses, p.out.before, batchGoal.Seconds(), stretch.Seconds(), p.way, at})
	if err != nil {
		return did, err
	}
	if err := p.conn.Set(ctx, "sessiondbd.prune", string(text)); err != nil {
		return did, err
	}
	_, failed := p.conn.Run(ctx, sql)
	var said []struct {
		Text string `json:"text"`
	}
	err = p.conn.Ask(ctx, []postgres.Query{{Name: "what was deleted", Into: &said, SQL: "SELECT current_setting('sessiondbd.prune') AS text"}})
	if err == nil && len(said) == 1 {
		err = json.Unmarshal([]byte(said[0].Text), &did)
	}
	if err != nil {
		return did, cmp.Or(failed, err) // after the first the second is no news
	}
	p.out.Deleted += did.Deleted
	p.doubt = p.doubt || did.Doubt
	return did, failed
}

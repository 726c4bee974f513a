package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// pruneRows is how many rows the table has, a quarter of them completed, of which three quarters are old enough.
const pruneRows = 1_000_000

// prunePairs is how many pairs are measured: each side has a table of its own to copy first.
const prunePairs = 5

// pruneLayouts are where the parents lie: as they were inserted; behind their children, since they were finished after them; or anywhere.
// The second is not measured beside clients.
var pruneLayouts = []struct{ name, parent string }{
	{"", "n - 8"},
	{", parents behind", "n + 8"},
	{", parents anywhere", "4 * (2 + (n / 4::int8 * 7919 + 13) % 180000) + n % 4"},
}

// fillPruned makes the table: a fifth of the rows has a parent of its own status and age.
const fillPruned = `ALTER TABLE session DISABLE TRIGGER ALL; DROP INDEX idx_session_parent, idx_session_inbox_status;
	INSERT INTO session (id, messages, inbox_status, parent, created_at)
	SELECT md5(n::text)::uuid, jsonb_build_object('msg', repeat('Hello ', 30), 'n', n), (enum_range(NULL::inbox_status_enum))[1 + n %% 4],
		CASE WHEN n > 8 AND n %% 5 = 0 AND n <= 739990 THEN md5((%[1]s)::text)::uuid WHEN n > 740008 AND n %% 5 = 0 THEN md5((n - 8)::text)::uuid END,
		now() - CASE WHEN n <= 740000 THEN interval '60 days' ELSE interval '1 day' END
	FROM generate_series(1, %[2]d) n;
	CREATE INDEX idx_session_parent ON session (parent); CREATE INDEX idx_session_inbox_status ON session (inbox_status);
	ALTER TABLE session ENABLE TRIGGER ALL; VACUUM ANALYZE session`

const bigDelete = `DELETE FROM session WHERE inbox_status = 'completed' AND created_at < now() - interval '30 days'`

// takePrune measures prune against the documentation's one DELETE on a server that flushes its log as a real one does: alone,
// and beside clients that write to the rows that go, and to others.
func takePrune(ctx context.Context, o options, t *table) error {
	o.settings = map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "512MB", "max_wal_size": "4GB"}
	return with(ctx, o, "prune", func(h *host) error {
		if err := h.run(h.ours(ctx, h.postgres, "apply", "--only", "database")); err != nil {
			return err
		}
		ours := func(ctx context.Context) error {
			return h.run(h.ours(ctx, h.postgres, "prune", "--status", "completed", "--older-than", "720h"))
		}
		theirs := func(ctx context.Context) error { return h.run(h.psql(ctx, "-q", "-d", "sessiondb", "-c", bigDelete)) }
		const big = "one DELETE"
		for i, layout := range pruneLayouts {
			what := fmt.Sprintf("pruning %d of a million rows%s", pruneRows/4*74/100, layout.name)
			if err := h.lay(ctx, layout.parent); err != nil {
				return err
			}
			clients := i != 1
			all, err := h.prunings(ctx, clients, ours, theirs)
			if err != nil {
				return err
			}
			t.against(what, all.took[0], big, all.took[1], 1.3)
			if clients {
				all.beside(t, big)
			}
		}
		return nil
	})
}

// beside tells what clients met with.
func (all prunings) beside(t *table, big string) {
	wait := all.worst[0].median()
	t.line("  worst wait of who writes to rows that go", all.worst[0].String(), big, all.worst[1].String(), "", "≤20 ms", verdict(wait, 20))
	t.against("  p99 of who writes to others", all.p99[0], "nobody prunes", all.quiet, 2)
	t.also("  the same", all.p99[0], big, all.p99[1])
}

// lay makes the database that each run is given a copy of.
func (h *host) lay(ctx context.Context, parent string) error {
	progress("a million rows")
	if _, err := h.PSQL(ctx, "postgres", "DROP DATABASE IF EXISTS filled"); err != nil {
		return err
	}
	if _, err := h.PSQL(ctx, "sessiondb", "TRUNCATE session; "+fmt.Sprintf(fillPruned, parent, pruneRows)); err != nil {
		return err
	}
	_, err := h.PSQL(ctx, "postgres", "ALTER DATABASE sessiondb RENAME TO filled")
	return err
}

// prunings are the samples of both sides.
type prunings struct {
	took, worst, p99 [2]sample
	quiet            sample
}

// prunings lets the sides take turns, each twice a round: alone for its time, and, if asked to, beside clients for what they meet with.
func (h *host) prunings(ctx context.Context, clients bool, sides ...func(context.Context) error) (all prunings, err error) {
	for round := range prunePairs {
		for i := range sides {
			at := (i + round) % len(sides)
			progress("%d of %d rounds", round+1, prunePairs)
			if err := h.refill(ctx); err != nil {
				return all, err
			}
			began := time.Now()
			if err := sides[at](ctx); err != nil {
				return all, err
			}
			all.took[at] = append(all.took[at], milliseconds(time.Since(began)))
			if !clients {
				continue
			}
			if err := h.refill(ctx); err != nil {
				return all, err
			}
			quiet, err := h.beside(ctx, func(ctx context.Context) error { return sleep(ctx, 5*time.Second) })
			if err != nil {
				return all, err
			}
			met, err := h.beside(ctx, sides[at])
			if err != nil {
				return all, err
			}
			all.worst[at] = append(all.worst[at], slices.Max(met[0]))
			all.p99[at] = append(all.p99[at], met[1].percentile(99))
			if at == 0 {
				all.quiet = append(all.quiet, quiet[1].percentile(99))
			}
		}
	}
	return all, nil
}

// refill makes the session database anew, with a checkpoint behind it: what writes a page first after that writes all of it.
func (h *host) refill(ctx context.Context) error {
	_, err := h.PSQL(ctx, "postgres", "DROP DATABASE IF EXISTS sessiondb WITH (FORCE);\nCREATE DATABASE sessiondb TEMPLATE filled;\nCHECKPOINT;\n")
	if err == nil {
		err = h.run(h.ours(ctx, h.postgres, "apply", "--only", "database", "--accept-new-database"))
	}
	return err
}

// beside lets one client write to rows that go and one to others while do runs, and returns how long each statement took.
func (h *host) beside(ctx context.Context, do func(context.Context) error) (met [2]sample, err error) {
	stop := make(chan struct{})
	var all sync.WaitGroup
	errs := make([]error, len(met))
	for i, row := range []func(int) int{
		func(n int) int { return n%185_000*4 + 2 },
		func(n int) int { return 740_009 + n%250_000 },
	} {
		all.Go(func() {
			met[i], errs[i] = h.writer(ctx, uint64(i), row, stop)
		})
	}
	err = do(ctx)
	close(stop)
	all.Wait()
	if err := errors.Join(append(errs, err)...); err != nil {
		return met, err
	}
	if len(met[0]) == 0 || len(met[1]) == 0 {
		return met, errors.New("the clients wrote nothing")
	}
	return met, nil
}

// writer writes to one row at random after the other, as an agent does, until stop is closed.
func (h *host) writer(ctx context.Context, seed uint64, row func(int) int, stop <-chan struct{}) (took sample, err error) {
	conn, err := pgconn.Connect(ctx, h.URL("sessiondb"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Prepare(ctx, "u", update, nil); err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(seed, 1))
	for {
		select {
		case <-stop:
			return took, nil
		case <-time.After(busy):
		}
		args := [][]byte{fmt.Append(nil, len(took)), fmt.Append(nil, row(r.IntN(pruneRows)))}
		began := time.Now()
		if res := conn.ExecPrepared(ctx, "u", args, nil, nil).Read(); res.Err != nil {
			return nil, res.Err
		}
		took = append(took, milliseconds(time.Since(began)))
	}
}

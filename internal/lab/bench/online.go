package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"sessiondbd/internal/lab"
)

// writers is how many VMs write while a repair runs.
const writers = 4

// takeOnline measures how long writers of a large table wait at worst while it is adopted and repaired, beside how long
// they wait when nobody repairs anything.
func takeOnline(ctx context.Context, o options, t *table) error {
	return with(ctx, o, "online", func(h *host) error {
		if err := h.run(h.ours(ctx, h.postgres, "apply", "--only", "database")); err != nil {
			return err
		}
		n := o.millions * 1_000_000
		progress("%d million rows", o.millions)
		// As the oneshot left it, with a history of use: every 20th row lacks a timestamp.
		if _, err := h.PSQL(ctx, "sessiondb", fmt.Sprintf(`
			ALTER TABLE session DISABLE TRIGGER update_session_updated_at, DROP CONSTRAINT session_parent_fkey;
			DROP INDEX idx_session_parent, idx_session_inbox_status;
			ALTER TABLE session ALTER created_at DROP NOT NULL, ALTER updated_at DROP NOT NULL;
			INSERT INTO session (id, messages, inbox_status, created_at, updated_at)
			SELECT md5(n::text)::uuid, jsonb_build_object('msg', 'Hello', 'n', n), (enum_range(NULL::inbox_status_enum))[1 + n %% 4],
				CASE WHEN n %% 20 > 0 THEN now() - n * interval '1 second' END, CASE WHEN n %% 20 <> 7 THEN now() END
			FROM generate_series(1, %d) n;
			ALTER TABLE session ADD CONSTRAINT session_parent_fkey FOREIGN KEY (parent) REFERENCES session (id), ENABLE TRIGGER update_session_updated_at;
			VACUUM ANALYZE session; CHECKPOINT`, n)); err != nil {
			return err
		}
		apply := func(ctx context.Context) error { return h.run(h.ours(ctx, h.postgres, "apply", "--only", "database")) }
		alone, err := h.stall(ctx, n, update, busy, func(ctx context.Context) error { return sleep(ctx, 10*time.Second) })
		if err != nil {
			return err
		}
		for _, s := range []struct {
			what, before string
			goal         float64
		}{
			{"filling and closing both timestamps", "CREATE INDEX idx_session_parent ON session (parent); CREATE INDEX idx_session_inbox_status ON session (inbox_status)", 100},
			{"building both indexes", "DROP INDEX idx_session_parent, idx_session_inbox_status", 150},
		} {
			if _, err := h.PSQL(ctx, "sessiondb", s.before); err != nil {
				return err
			}
			w, err := h.stall(ctx, n, update, busy, apply)
			if err != nil {
				return fmt.Errorf("%s: %w", s.what, err)
			}
			t.line(fmt.Sprintf("%s, %d million rows, %d writers: worst wait", s.what, o.millions, writers), w.String(), "nobody repairs", alone.String(), "", fmt.Sprintf("≤%g ms", s.goal), verdict(milliseconds(w.worst), s.goal))
		}
		return nil
	})
}

// takeAdopt measures the longest exclusive lock while the oneshot's database with a million rows is adopted, by somebody who
// reads: only an exclusive lock makes readers wait.
func takeAdopt(ctx context.Context, o options, t *table) error {
	return with(ctx, o, "adopt", func(h *host) error {
		if err := lab.LoadLegacy(ctx, h.Cluster, false); err != nil {
			return err
		}
		progress("a million rows")
		if _, err := h.PSQL(ctx, "sessiondb", `INSERT INTO session (id, messages, inbox_status, created_at, updated_at)
			SELECT md5(n::text)::uuid, '{"msg": "Hello"}', 'pending', CASE WHEN n % 20 > 0 THEN now() END, CASE WHEN n % 20 <> 7 THEN now() END
			FROM generate_series(1, 1000000) n; VACUUM ANALYZE session; CHECKPOINT`); err != nil {
			return err
		}
		read := func(do func(context.Context) error) (waited, error) {
			return h.stall(ctx, 1_000_000, "SELECT $1::int, messages FROM public.session WHERE id = md5($2::text)::uuid", time.Millisecond, do)
		}
		alone, err := read(func(ctx context.Context) error { return sleep(ctx, 5*time.Second) })
		if err != nil {
			return err
		}
		w, err := read(func(ctx context.Context) error { return h.run(h.ours(ctx, h.postgres, "apply", "--only", "database")) })
		if err != nil {
			return err
		}
		t.line("adopting 1 million rows: worst wait of a reader", w.String(), "nobody adopts", alone.String(), "", "≤20 ms", verdict(milliseconds(w.worst), 20))
		return nil
	})
}

// waited is what the writers met with.
type waited struct {
	worst  time.Duration
	writes int
	took   time.Duration
}

func (w waited) String() string {
	return fmt.Sprintf("%.1f ms (%d times in %.1f s)", milliseconds(w.worst), w.writes, w.took.Seconds())
}

const (
	update = "UPDATE public.session SET messages = jsonb_build_object('w', $1::int) WHERE id = md5($2::text)::uuid"
	busy   = 10 * time.Millisecond // between two writes of an agent
)

// stall lets clients run a statement on rows at random while do runs. One that fails is an error.
func (h *host) stall(ctx context.Context, rows int, statement string, pause time.Duration, do func(context.Context) error) (waited, error) {
	stop := make(chan struct{})
	var all sync.WaitGroup
	each := make([]waited, writers)
	errs := make([]error, writers)
	for i := range writers {
		all.Go(func() { each[i], errs[i] = h.client(ctx, i, rows, statement, pause, stop) })
	}
	began := time.Now()
	err := do(ctx)
	total := waited{took: time.Since(began)}
	close(stop)
	all.Wait()
	for _, w := range each {
		total.worst = max(total.worst, w.worst)
		total.writes += w.writes
	}
	return total, errors.Join(append(errs, err)...)
}

// client runs the statement on one row after the other until stop is closed.
func (h *host) client(ctx context.Context, seed, rows int, statement string, pause time.Duration, stop <-chan struct{}) (w waited, err error) {
	conn, err := pgconn.Connect(ctx, "host="+h.Socket+" port=5432 dbname=sessiondb user=postgres")
	if err != nil {
		return w, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Prepare(ctx, "u", statement, nil); err != nil {
		return w, err
	}
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	for {
		select {
		case <-stop:
			return w, nil
		case <-time.After(pause):
		}
		args := [][]byte{fmt.Append(nil, w.writes), fmt.Append(nil, 1+r.IntN(rows))}
		began := time.Now()
		if res := conn.ExecPrepared(ctx, "u", args, nil, nil).Read(); res.Err != nil {
			return w, res.Err
		}
		w.worst = max(w.worst, time.Since(began))
		w.writes++
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

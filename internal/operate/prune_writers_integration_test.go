//go:build integration

package operate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/postgres"
)

// chains makes n old completed rows in chains of four, children behind their parents, beside as many pending ones.
func (s *stage) chains(n int) { s.t.Helper(); s.chainsBy("n, kind", n) }

// chainsBy makes them in another order.
func (s *stage) chainsBy(order string, n int) {
	s.t.Helper()
	s.sql(fmt.Sprintf(`INSERT INTO public.session (id, inbox_status, created_at, parent)
		SELECT md5(kind || n)::uuid, CASE kind WHEN '' THEN 'completed' ELSE 'pending' END::public.inbox_status_enum, now() - interval '60 days',
			CASE WHEN n %% 4 > 0 AND kind = '' THEN md5((n - 1)::text)::uuid END
		FROM generate_series(0, %d) n, (VALUES (''), ('p')) k (kind) ORDER BY %s; ANALYZE public.session`, n-1, order))
}

func (s *stage) count(where string) string {
	s.t.Helper()
	return s.sql("SELECT count(*) FROM public.session WHERE " + where)
}

// Whoever writes to the same rows meanwhile succeeds. What somebody took up again stays, with its ancestors; all else goes.
func TestPruneBesideWriters(t *testing.T) {
	for name, order := range map[string]string{"in order": "n, kind", "anyhow": "random()"} {
		t.Run(name, func(t *testing.T) { t.Parallel(); besideWriters(t, order) })
	}
}

func besideWriters(t *testing.T, order string) {
	s := newStage(t, lab.ClusterOptions{})
	const n = 40000
	s.chainsBy(order, n)
	stop := make(chan struct{})
	var all sync.WaitGroup
	errs := make([]error, 4)
	var adopted int
	for i, write := range []string{
		"UPDATE public.session SET messages = '{}' WHERE id = md5('%d')::uuid",
		"UPDATE public.session SET messages = '{}' WHERE id = md5('p%d')::uuid",
		"UPDATE public.session SET inbox_status = 'processing', sbx_config = '{}' WHERE id = md5('%d')::uuid",
		"INSERT INTO public.session (id, inbox_status, parent) VALUES (md5('c%[1]d')::uuid, 'pending', md5('%[1]d')::uuid)",
	} {
		all.Go(func() {
			c := s.connect()
			defer c.CloseSoon()
			for k := i; ; k += 37 {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
				_, err := c.Exec(t.Context(), fmt.Sprintf(write, k%n)).ReadAll()
				switch {
				case err != nil && i == 3 && strings.Contains(err.Error(), "23503"): // its parent is gone
				case err != nil && i == 3 && strings.Contains(err.Error(), "23505"): // once round
				case err != nil:
					errs[i] = err
					return
				case i == 3:
					adopted++
				}
			}
		})
	}
	out := s.prune(oldCompleted)
	close(stop)
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	t.Logf("%+v, %d children came", out, adopted)
	if have := s.count("inbox_status = 'pending' AND parent IS NULL"); have != fmt.Sprint(n) {
		t.Errorf("%s pending rows of %d", have, n)
	}
	gone := s.sql(fmt.Sprintf("SELECT %d - count(*) FROM public.session WHERE inbox_status IN ('completed', 'processing')", n))
	if gone != fmt.Sprint(out.Deleted) {
		t.Errorf("%s rows are gone, %d were counted", gone, out.Deleted)
	}
	if taken := s.count("inbox_status = 'processing'"); taken == "0" || adopted == 0 {
		t.Errorf("%s rows were taken up, %d children came", taken, adopted)
	}
	if orphans := s.sql(orphansSQL); orphans != "0" {
		t.Errorf("%s orphans", orphans)
	}
	if again := s.prune(oldCompleted); again.Busy != 0 {
		t.Errorf("nobody writes any more: %+v", again)
	}
	if have := s.count("inbox_status = 'completed' AND id NOT IN (SELECT parent FROM public.session WHERE parent IS NOT NULL)"); have != "0" {
		t.Errorf("%s leaves stayed", have)
	}
}

// A row that somebody holds is skipped, counted as busy with its ancestors kept, and taken by the next run.
func TestPruneSkipsLockedRows(t *testing.T) {
	t.Parallel()
	s := newStage(t, lab.ClusterOptions{})
	s.chains(4000)
	c := s.connect()
	defer c.CloseSoon()
	hold := func(sql string) {
		t.Helper()
		if _, err := c.Exec(t.Context(), "BEGIN;"+sql).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	release := func() {
		t.Helper()
		if _, err := c.Exec(t.Context(), "ROLLBACK").ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	hold("UPDATE public.session SET inbox_status = 'pending' WHERE id IN (md5('3')::uuid, md5('2000')::uuid)") // a leaf; a root
	if out := s.prune(oldCompleted); out.Deleted != 4000-4-1 || out.Busy != 2 || out.Parents != 3 {
		t.Errorf("%+v", out)
	}
	release()
	if out := s.prune(oldCompleted); out.Deleted != 5 || out.Busy != 0 || out.Parents != 0 {
		t.Errorf("%+v", out)
	}
	s.chains2(t)
	// A child on its way holds its parent.
	hold("INSERT INTO public.session (inbox_status, parent) VALUES ('pending', md5('x3')::uuid)")
	if out := s.prune(oldCompleted); out.Deleted != 0 || out.Busy != 1 || out.Parents != 3 {
		t.Errorf("%+v", out)
	}
	release()
	if out := s.prune(oldCompleted); out.Deleted != 4 {
		t.Errorf("%+v", out)
	}
}

// chains2 makes one more chain of four.
func (s *stage) chains2(t *testing.T) {
	t.Helper()
	s.sql(`INSERT INTO public.session (id, inbox_status, created_at, parent) SELECT md5('x' || n)::uuid, 'completed', now() - interval '60 days',
		CASE WHEN n > 0 THEN md5('x' || (n - 1))::uuid END FROM generate_series(0, 3) n`)
}

// Ended anywhere, by its server process or by its context, it leaves the table as consistent as it was; runs go on from there.
func TestPruneIsResumed(t *testing.T) {
	t.Parallel()
	s := newStage(t, lab.ClusterOptions{})
	const n = 30000
	s.chains(n)
	total := 0
	for try := range 6 {
		c := s.connect()
		pid := int(c.PID())
		ctx, cancel := context.WithCancel(t.Context())
		p := Pruner{Stretch: 10 * time.Millisecond, Progress: func(_ float64, deleted int) {
			if deleted < 1000 {
				return
			}
			if try%2 == 0 {
				cancel()
			} else if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		}}
		out, err := p.Run(ctx, c, oldCompleted)
		total += out.Deleted
		if err == nil || out.Deleted == 0 {
			t.Errorf("try %d: %+v, %v", try, out, err)
		}
		cancel()
		c.CloseSoon()
		// The batch at hand may or may not have gone through.
		eventually(t, "its server process has ended", func() bool {
			return s.sql(fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE pid = %d", pid)) == "0"
		})
		if orphans := s.sql(orphansSQL); orphans != "0" {
			t.Errorf("try %d: %s orphans", try, orphans)
		}
	}
	out := s.prune(oldCompleted)
	if left := s.count("true"); left != fmt.Sprint(n) || out.Deleted == 0 || out.Deleted+total > n {
		t.Errorf("%s rows are left of %d; %d before, then %+v", left, n, total, out)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// Triggers of others fire as for any DELETE, a lock on the table is waited for, and a hold ends the run between two batches.
func TestPruneMindsOthers(t *testing.T) {
	t.Parallel()
	s := newStage(t, lab.ClusterOptions{})
	s.chains(20000)
	s.sql(`CREATE TABLE public.log (id uuid); CREATE FUNCTION public.log() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (OLD.id); RETURN NULL; END $$;
		CREATE TRIGGER log AFTER DELETE ON public.session FOR EACH ROW EXECUTE FUNCTION public.log()`)
	c := s.connect()
	defer c.CloseSoon()
	if _, err := c.Exec(t.Context(), "BEGIN; LOCK TABLE public.session").ReadAll(); err != nil {
		t.Fatal(err)
	}
	if _, err := ForecastPrune(t.Context(), s.conn, oldCompleted); postgres.ClassOf(err) != postgres.Busy {
		t.Errorf("a dry run: %v", err)
	}
	var released sync.WaitGroup
	released.Go(func() {
		time.Sleep(300 * time.Millisecond)
		_, _ = c.Exec(context.WithoutCancel(t.Context()), "COMMIT").ReadAll()
	})
	enough := errors.New("enough")
	p := Pruner{Stretch: 10 * time.Millisecond}
	p.Hold = func() error {
		if p.out.Deleted > 0 {
			return enough
		}
		return nil
	}
	one := s.connect()
	defer one.CloseSoon()
	out, err := p.Run(t.Context(), one, oldCompleted)
	released.Wait()
	if !errors.Is(err, enough) || out.Deleted == 0 || out.Deleted == 20000 {
		t.Errorf("%+v, %v", out, err)
	}
	s.prune(oldCompleted)
	if logged := s.sql("SELECT count(*) FROM public.log"); logged != "20000" {
		t.Errorf("the trigger saw %s rows", logged)
	}
	if n := strings.Count(s.Log(), " ERROR: "); n != 1 { // the dry run's
		t.Errorf("the server's log tells of %d errors", n)
	}
}

// A session that was taken up again while a batch waited for its row stays: what is meant is asked of what it has become.
func TestPruneHeedsWhoWasFaster(t *testing.T) {
	t.Parallel()
	s := newStage(t, lab.ClusterOptions{})
	const n = 200
	s.chains(n)
	c := s.connect()
	defer c.CloseSoon()
	var held sync.WaitGroup
	taken, updated := 0, 0
	p := Pruner{Stretch: 1, Hold: func() error {
		held.Wait()
		if taken == n {
			return nil
		}
		sql := fmt.Sprintf("BEGIN; UPDATE public.session SET inbox_status = 'processing' WHERE id = md5('%d')::uuid AND inbox_status = 'completed'", taken)
		res, err := c.Exec(t.Context(), sql).ReadAll()
		if err != nil {
			return err
		}
		updated += int(res[1].CommandTag.RowsAffected())
		taken += 4 // the root of the next chain
		held.Go(func() {
			time.Sleep(4 * time.Millisecond) // well within the batch's wait
			_, _ = c.Exec(t.Context(), "COMMIT").ReadAll()
		})
		return nil
	}}
	one := s.connect()
	defer one.CloseSoon()
	out, err := p.Run(t.Context(), one, oldCompleted)
	held.Wait()
	if err != nil || updated == 0 {
		t.Fatalf("%+v, %v, %d taken up", out, err, updated)
	}
	if have := s.count("inbox_status = 'processing'"); have != fmt.Sprint(updated) || out.Deleted != n-updated {
		t.Errorf("%s of %d that were taken up are there, %+v", have, updated, out)
	}
}

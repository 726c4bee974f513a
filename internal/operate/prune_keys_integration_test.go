//go:build integration

package operate

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/postgres"
)

// What would have more go than is meant, or parents before their children, is refused, by the dry run, too, and nothing goes.
func TestPruneRefusesKeys(t *testing.T) {
	t.Parallel()
	s := newStage(t, lab.ClusterOptions{})
	s.fill([]row{{1, 0, true}, {2, 1, false}, {3, 0, true}})
	for _, tt := range []struct{ name, do, undo, says string }{
		{"triggers off", "ALTER TABLE session DISABLE TRIGGER ALL", "ALTER TABLE session ENABLE TRIGGER ALL", "switched off"},
		{"no key", "ALTER TABLE session DROP CONSTRAINT session_parent_fkey", "ALTER TABLE session ADD CONSTRAINT session_parent_fkey FOREIGN KEY (parent) REFERENCES session (id)", "missing"},
		{
			"a second key that cascades", "ALTER TABLE session ADD CONSTRAINT second FOREIGN KEY (parent) REFERENCES session (id) ON DELETE CASCADE",
			"ALTER TABLE session DROP CONSTRAINT second", "the foreign key second has sessions of any status go",
		},
		{
			"another column's", "ALTER TABLE session ADD COLUMN root uuid REFERENCES session (id) ON DELETE SET NULL", "ALTER TABLE session DROP COLUMN root",
			"the foreign key session_root_fkey has sessions",
		},
		{
			"by way of another table", "CREATE TABLE grp (id int PRIMARY KEY, head uuid REFERENCES session (id) ON DELETE CASCADE); ALTER TABLE session ADD COLUMN grp int REFERENCES grp ON DELETE CASCADE",
			"ALTER TABLE session DROP COLUMN grp; DROP TABLE grp", "the foreign key session_grp_fkey has sessions",
		},
	} {
		s.sql(tt.do)
		c := s.connect()
		_, dry := ForecastPrune(t.Context(), c, oldCompleted)
		_, err := new(Pruner).Run(t.Context(), c, oldCompleted)
		c.CloseSoon()
		for what, err := range map[string]error{"dry run": dry, "run": err} {
			if postgres.ClassOf(err) != postgres.Refused || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s, %s: %v", tt.name, what, err)
			}
		}
		s.sql(tt.undo)
	}
	if n := s.count("true"); n != "3" {
		t.Errorf("%s rows are left of 3", n)
	}
	// Switched off for a whole database, foreign keys still are heeded by us.
	s.sql("ALTER DATABASE sessiondb SET session_replication_role = replica")
	if out := s.prune(oldCompleted); out.Deleted != 1 || out.Parents != 1 {
		t.Errorf("with session_replication_role = replica: %+v", out)
	}
	s.sql("ALTER DATABASE sessiondb RESET session_replication_role")
	if orphans := s.sql(orphansSQL); orphans != "0" {
		t.Errorf("%s orphans", orphans)
	}
}

// Sessions that other tables refer to stay with their ancestors, are counted apart, and hold up nobody else.
func TestPruneLeavesWhatIsReferredTo(t *testing.T) {
	t.Parallel()
	const n = 12000
	for name, tables := range map[string]string{
		"plain":       "CREATE TABLE notes (s uuid REFERENCES session (id)); CREATE INDEX ON notes (s)",
		"deferred":    "CREATE TABLE notes (s uuid REFERENCES session (id) DEFERRABLE INITIALLY DEFERRED); CREATE INDEX ON notes (s)",
		"odd names":   `CREATE SCHEMA "a.b"; CREATE TABLE "a.b"."no""tes" ("the id" uuid REFERENCES session (id)); CREATE INDEX ON "a.b"."no""tes" ("the id"); CREATE VIEW notes AS SELECT "the id" AS s FROM "a.b"."no""tes"`,
		"partitioned": "CREATE TABLE notes (s uuid REFERENCES session (id)) PARTITION BY HASH (s); CREATE TABLE notes_0 PARTITION OF notes FOR VALUES WITH (MODULUS 1, REMAINDER 0); CREATE INDEX ON notes (s)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, lab.ClusterOptions{})
			s.chains(n)
			s.sql(tables)
			s.sql("INSERT INTO notes SELECT id FROM session WHERE id IN (SELECT md5((100 * k + 1)::text)::uuid FROM generate_series(0, 119) k)") // the second of a chain of four
			dry := s.forecast(oldCompleted)
			out := s.prune(oldCompleted)
			if out.Kept != 120 || out.Parents != 120 || out.Busy != 0 || out.Deleted != n-240 {
				t.Errorf("%+v", out)
			}
			if dry.Deleted != out.Deleted || dry.Parents != out.Parents || dry.Kept != out.Kept {
				t.Errorf("the dry run said %+v, then %+v", dry, out)
			}
			if again := s.prune(oldCompleted); again.Deleted != 0 || again.Kept != 120 || again.Parents != 120 {
				t.Errorf("again: %+v", again)
			}
			if lost := s.sql("SELECT count(*) FROM notes WHERE s NOT IN (SELECT id FROM session)"); lost != "0" {
				t.Errorf("%s notes refer to nobody", lost)
			}
		})
	}
}

// Whoever brings more, and more, does not keep a run from its end.
func TestPruneEndsBesideAFeed(t *testing.T) {
	t.Parallel()
	s := newStage(t, lab.ClusterOptions{})
	s.chains(20000)
	stop := make(chan struct{})
	var feed sync.WaitGroup
	feed.Go(func() {
		c := s.connect()
		defer c.CloseSoon()
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			if _, err := c.Run(t.Context(), "INSERT INTO public.session (inbox_status, created_at) SELECT 'completed', now() - interval '90 days' FROM generate_series(1, 5)"); err != nil {
				t.Error(err)
				return
			}
		}
	})
	hold := s.connect() // so that there is a rest to look at
	defer hold.CloseSoon()
	if _, err := hold.Exec(t.Context(), "BEGIN; SELECT FROM public.session WHERE id = md5('3')::uuid FOR UPDATE").ReadAll(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan Pruned)
	go func() { ended <- s.prune(oldCompleted) }()
	select {
	case out := <-ended:
		if out.Deleted < 20000-4 {
			t.Errorf("%+v", out)
		}
	case <-time.After(60 * time.Second):
		t.Error("it goes on for as long as somebody brings more")
	}
	close(stop)
	feed.Wait()
}

// One long chain goes in batches, however it lies.
func TestPruneLongChain(t *testing.T) {
	t.Parallel()
	s := newStage(t, lab.ClusterOptions{})
	const n = 50000
	for name, order := range map[string]string{"child first": "n DESC", "parent first": "n", "anyhow": "md5(n::text || 'x')"} {
		s.sql(fmt.Sprintf(`TRUNCATE public.session; ALTER TABLE public.session DISABLE TRIGGER ALL; INSERT INTO public.session (id, inbox_status, created_at, parent)
			SELECT md5(n::text)::uuid, 'completed', now() - interval '60 days', CASE WHEN n > 0 THEN md5((n - 1)::text)::uuid END FROM generate_series(0, %d) n ORDER BY %s;
			ALTER TABLE public.session ENABLE TRIGGER ALL`, n-1, order))
		out := s.prune(oldCompleted)
		t.Logf("%s: %.1f s", name, out.Seconds)
		if out.Deleted != n || out.Seconds > 20 { // row by row it takes the better part of a minute
			t.Errorf("%s: %+v", name, out)
		}
	}
}

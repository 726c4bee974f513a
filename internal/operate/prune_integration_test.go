//go:build integration

package operate

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/postgres"
	"sessiondbd/internal/schema"
)

// stage is a session table on a real server.
type stage struct {
	t *testing.T
	*lab.Cluster
	conn *postgres.Conn
}

var oldCompleted = Stale{Statuses: []string{"completed"}, OlderThan: 720 * time.Hour}

func newStage(t *testing.T, o lab.ClusterOptions) *stage {
	t.Helper()
	want, err := schema.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, Cluster: lab.ClusterT(t, o)}
	if _, err := s.PSQL(t.Context(), "postgres", "CREATE ROLE sessiondb_owner; CREATE DATABASE sessiondb"); err != nil {
		t.Fatal(err)
	}
	for _, m := range want.Migrations {
		s.sql(m.SQL)
	}
	s.conn = s.connect()
	t.Cleanup(s.conn.CloseSoon)
	return s
}

func (s *stage) connect() *postgres.Conn {
	s.t.Helper()
	target, err := postgres.NewTarget(s.URL("postgres"), "sessiondb")
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := target.ConnectSession(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *stage) sql(text string) string {
	s.t.Helper()
	out, err := s.PSQL(s.t.Context(), "sessiondb", text)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func (s *stage) prune(want Stale) Pruned {
	s.t.Helper()
	c := s.connect()
	defer c.CloseSoon()
	out, err := new(Pruner).Run(s.t.Context(), c, want)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *stage) forecast(want Stale) Pruned {
	s.t.Helper()
	out, err := ForecastPrune(s.t.Context(), s.conn, want)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// row is one of the model's; at is its place in the table.
type row struct {
	id, parent int // 0: no parent
	meant      bool
}

func uuid(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }

// fill makes the rows, with parents as they come: the foreign key is checked by whoever deletes.
func (s *stage) fill(rows []row) {
	s.t.Helper()
	var b strings.Builder
	b.WriteString("TRUNCATE public.session; ALTER TABLE public.session DISABLE TRIGGER ALL; INSERT INTO public.session (id, parent, inbox_status, created_at, messages) VALUES ")
	for i, r := range rows {
		if i > 0 {
			b.WriteString(",")
		}
		parent, status, age := "NULL", "'completed'", "40 days"
		if r.parent != 0 {
			parent = "'" + uuid(r.parent) + "'"
		}
		if !r.meant {
			status, age = []string{"'pending'", "'completed'", "NULL", "'failed'"}[i%4], []string{"40 days", "20 days"}[i%2]
		}
		fmt.Fprintf(&b, "('%s',%s,%s,now()-interval '%s',to_jsonb(repeat('x',%d)))", uuid(r.id), parent, status, age, 10+i%400)
	}
	b.WriteString("; ALTER TABLE public.session ENABLE TRIGGER ALL; ANALYZE public.session")
	s.sql(b.String())
}

// oracle says which rows stay: what is not meant, and all its ancestors.
func oracle(rows []row) (stay map[int]bool, parents int) {
	at := map[int]row{}
	for _, r := range rows {
		at[r.id] = r
	}
	stay = map[int]bool{}
	for _, r := range rows {
		if r.meant {
			continue
		}
		for id := r.id; id != 0 && !stay[id]; id = at[id].parent {
			stay[id] = true
		}
	}
	for id := range stay {
		if at[id].meant {
			parents++
		}
	}
	return stay, parents
}

func (s *stage) ids() string { return s.sql("SELECT id FROM public.session ORDER BY id") }

// check prunes the rows and compares with the oracle, the forecast included.
func (s *stage) check(name string, rows []row) {
	s.t.Helper()
	s.fill(rows)
	stay, parents := oracle(rows)
	var want []string
	for n := range 1_000_000 {
		if len(want) == len(stay) {
			break
		}
		if stay[n] {
			want = append(want, uuid(n))
		}
	}
	before := s.sql("SELECT md5(string_agg(s::text, ',' ORDER BY id)) FROM public.session s WHERE id = ANY ('{" + strings.Join(want, ",") + "}')")
	forecast := s.forecast(oldCompleted)
	out := s.prune(oldCompleted)
	if out.Deleted != len(rows)-len(stay) || out.Parents != parents || out.Busy != 0 {
		s.t.Errorf("%s: %+v, want %d deleted and %d parents kept", name, out, len(rows)-len(stay), parents)
	}
	if forecast.Deleted != out.Deleted || forecast.Parents != out.Parents {
		s.t.Errorf("%s: the dry run said %+v, then %+v", name, forecast, out)
	}
	if have := s.ids(); have != strings.Join(want, "\n") {
		s.t.Errorf("%s: other rows stayed", name)
	}
	if after := s.sql("SELECT md5(string_agg(s::text, ',' ORDER BY id)) FROM public.session s"); after != before {
		s.t.Errorf("%s: the rows that stayed were changed", name)
	}
	if again := s.prune(oldCompleted); again.Deleted != 0 || again.Parents != parents {
		s.t.Errorf("%s: a second run: %+v", name, again)
	}
}

// forest makes rows at random: each is meant with some probability, has a parent with some, who is near or anywhere, and lies
// before or behind it. A few are made circles.
func forest(r *rand.Rand, n int) []row {
	meant, child, near, ring := r.Float64(), r.Float64(), r.IntN(2) == 0, r.IntN(3) == 0
	if r.IntN(3) == 0 {
		meant = 1 - meant/50
	}
	rows := make([]row, n)
	for i := range rows {
		rows[i] = row{id: i + 1, meant: r.Float64() < meant}
		if i > 0 && r.Float64() < child {
			if near {
				rows[i].parent = i + 1 - min(i, 1+r.IntN(5))
			} else {
				rows[i].parent = 1 + r.IntN(i)
			}
		}
	}
	if ring {
		for range 1 + r.IntN(4) {
			rows[r.IntN(n)].parent = 1 + r.IntN(n)
		}
	}
	switch r.IntN(3) { // as they came, the other way round, or anyhow
	case 1:
		for i, j := 0, n-1; i < j; i, j = i+1, j-1 {
			rows[i], rows[j] = rows[j], rows[i]
		}
	case 2:
		r.Shuffle(n, func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	}
	return rows
}

// Whatever the trees look like, exactly what the oracle says is deleted, on every version, and the dry run has said so.
func TestPruneForests(t *testing.T) {
	t.Parallel()
	for _, major := range lab.Majors() {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			t.Parallel()
			bindir := lab.BindirT(t, major)
			s := newStage(t, lab.ClusterOptions{Bindir: bindir})
			rounds := 4
			if major == 15 {
				rounds = 12
			}
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			r := rand.New(rand.NewPCG(seed, uint64(major)))
			for i := range rounds {
				s.check(fmt.Sprintf("seed %d, forest %d", seed, i), forest(r, 1+r.IntN(3000)))
			}
		})
	}
}

// The shapes that are hardest, each with what keeps it and without.
func TestPruneShapes(t *testing.T) {
	t.Parallel()
	s := newStage(t, lab.ClusterOptions{})
	chain := func(n, step int) []row {
		rows := make([]row, n)
		for i := range rows {
			rows[i] = row{id: i + 1, parent: i + 1 + step, meant: true}
			if rows[i].parent < 1 || rows[i].parent > n {
				rows[i].parent = 0
			}
		}
		return rows
	}
	with := func(rows []row, more ...row) []row { return append(rows[:len(rows):len(rows)], more...) }
	wide := make([]row, 5000)
	for i := range wide {
		wide[i] = row{id: i + 1, parent: min(i, 1), meant: true}
	}
	circle := with(chain(50, 1)[:49], row{id: 50, parent: 1, meant: true})
	for name, rows := range map[string][]row{
		"one":                                   {{1, 0, true}},
		"one that stays":                        {{1, 0, false}},
		"its own parent":                        {{1, 1, true}, {2, 2, false}},
		"a chain, parents first":                chain(3000, -1),
		"a chain, children first":               chain(1500, 1),
		"a chain that is kept at its end":       with(chain(1000, -1), row{1001, 1000, false}),
		"a chain that is kept at its top":       with(chain(1000, -1), row{1001, 1, false}),
		"many children":                         wide,
		"many children, one of whom stays":      with(wide, row{5001, 1, false}),
		"a circle":                              circle,
		"a circle with a tail":                  with(circle, row{51, 7, true}, row{52, 51, true}),
		"a circle with a child that stays":      with(circle, row{51, 7, false}),
		"a circle one of whom stays":            with(circle[1:], row{1, 2, false}),
		"its own parent beside a kept one":      {{1, 1, true}, {3, 0, true}, {4, 3, false}},
		"a circle beside a parent that is kept": with(circle, row{51, 0, true}, row{52, 51, false}),
		"two circles":                           with(circle, row{51, 52, true}, row{52, 51, true}),
	} {
		s.check(name, rows)
	}
}

// Batches last as long as a writer may wait, whatever a row costs: few rows where that is much, many where it is little.
func TestPruneBatchesLast(t *testing.T) {
	t.Parallel()
	s := newStage(t, lab.ClusterOptions{})
	s.sql(`CREATE TABLE public.log (tx int8, at timestamptz); CREATE FUNCTION public.log() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN INSERT INTO public.log VALUES (txid_current(), clock_timestamp()); PERFORM pg_sleep(TG_ARGV[0]::float8); RETURN NULL; END $$`)
	for _, tt := range []struct {
		each        string // seconds
		rows        int
		least, most float64 // rows of the median batch; a busy machine makes rows dear, too
	}{{"0.002", 600, leastRows, leastRows}, {"0.0005", 3000, leastRows, 30}, {"0", 30000, 2 * leastRows, mostRows}} {
		s.chains(tt.rows)
		s.sql("TRUNCATE public.log; CREATE OR REPLACE TRIGGER log AFTER DELETE ON public.session FOR EACH ROW EXECUTE FUNCTION public.log(" + tt.each + ")")
		if out := s.prune(oldCompleted); out.Deleted != tt.rows {
			t.Errorf("%+v", out)
		}
		var rows float64
		if _, err := fmt.Sscan(s.sql("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY n) FROM (SELECT count(*) AS n FROM public.log GROUP BY tx) b"), &rows); err != nil {
			t.Fatal(err)
		}
		if rows < tt.least || rows > tt.most {
			t.Errorf("a row of %s s: %g rows are the median batch, want %g to %g", tt.each, rows, tt.least, tt.most)
		}
		s.sql("TRUNCATE public.session")
	}
}

// Columns that others have added do not get in the way, whatever they are called.
func TestPruneBesideOtherColumns(t *testing.T) {
	t.Parallel()
	s := newStage(t, lab.ClusterOptions{})
	for _, name := range strings.Fields("o statuses older until goal high low blocks most batches began scale places seen n deleted doubt why s v c p") {
		s.sql("ALTER TABLE public.session ADD COLUMN " + name + " int")
	}
	s.check("a chain", []row{{1, 0, true}, {2, 1, true}, {3, 2, true}, {4, 0, true}, {5, 4, false}})
}

//go:build integration

package operate

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// Trees whose rows lie anywhere go as they should, and how much of the table is read for it goes with its rows, not with their square,
// whatever the planner makes of statistics by which most rows have one parent.
func TestPruneScattered(t *testing.T) {
	for _, major := range lab.Majors() {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			bindir := lab.BindirT(t, major)
			s := newStage(t, lab.ClusterOptions{Bindir: bindir})
			for name, rows := range strewn(rand.New(rand.NewPCG(7, uint64(major)))) {
				if major != 15 && !slices.Contains([]string{"one has all for children", "chains of ten, some stay"}, name) {
					continue // it is the planner's version that counts, not the shape
				}
				s.sql("SELECT pg_stat_reset()")
				s.check(name, rows)
				if read := s.read(); read < len(rows) || read > 50*len(rows) {
					t.Errorf("%s: %d rows and index entries were read for %d rows", name, read, len(rows))
				}
			}
		})
	}
}

// strewn are trees in no order: families, as which id is a child of which, and of how many ids one stays.
func strewn(r *rand.Rand) map[string][]row {
	all := map[string][]row{}
	for _, f := range []struct {
		name     string
		rows     int
		parent   func(id int) int // 0: none
		oneStays int
	}{
		{"one has all for children", 4000, func(id int) int { return min(id-1, 1) }, 0},
		{"one has all for children, some stay", 4000, func(id int) int { return min(id-1, 1) }, 100},
		{"a chain", 3000, func(id int) int { return id - 1 }, 0},
		{"chains of ten", 4000, func(id int) int { return (id - 1) * min(id%10, 1) }, 0},
		{"chains of ten, some stay", 4000, func(id int) int { return (id - 1) * min(id%10, 1) }, 7},
		{"pairs", 4000, func(id int) int { return (id - 1) * (id % 2) }, 0},
		{"families of eight", 4000, func(id int) int { return id / 8 }, 0},
	} {
		rows := make([]row, f.rows)
		for i := range rows {
			rows[i] = row{id: i + 1, parent: f.parent(i + 1), meant: f.oneStays == 0 || (i+1)%f.oneStays != 0}
		}
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		all[f.name] = rows
	}
	return all
}

// read is how many rows and index entries of the table were read by those who have left.
func (s *stage) read() int {
	s.t.Helper()
	for end := time.Now().Add(10 * time.Second); s.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()") != "1"; {
		if time.Now().After(end) {
			s.t.Fatal("somebody else is still there than the stage's own connection")
		}
		time.Sleep(50 * time.Millisecond)
	}
	n, err := strconv.Atoi(s.sql(`SELECT (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relid = 'public.session'::regclass)
		+ (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relid = 'public.session'::regclass)`))
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

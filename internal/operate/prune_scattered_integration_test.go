//go:build integration

package operate

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// Trees whose rows lie anywhere go as they should, and how much of the table is read for it goes with its rows, not with their square,
// whatever the planner makes of statistics by which most rows have one parent.
func TestPruneScattered(t *testing.T) {
	s := newStage(t, lab.ClusterOptions{})
	r := rand.New(rand.NewPCG(7, 11))
	// tree makes n rows whose parents up says, in any order; those that it counts below 1 have none.
	tree := func(n int, up func(id int) int) []row {
		rows := make([]row, n)
		for i := range rows {
			rows[i] = row{id: i + 1, parent: max(0, up(i+1)), meant: true}
		}
		r.Shuffle(n, func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		return rows
	}
	alive := func(rows []row, every int) []row {
		for i := range rows {
			rows[i].meant = rows[i].id%every != 0
		}
		return rows
	}
	for name, rows := range map[string][]row{
		"a parent of all":               tree(6000, func(id int) int { return min(id-1, 1) }),
		"a parent of all, some stay":    alive(tree(6000, func(id int) int { return min(id-1, 1) }), 100),
		"a chain":                       tree(4000, func(id int) int { return id - 1 }),
		"chains of ten":                 tree(6000, func(id int) int { return map[bool]int{true: id - 1}[id%10 > 0] }),
		"chains of ten, some stay":      alive(tree(6000, func(id int) int { return map[bool]int{true: id - 1}[id%10 > 0] }), 7),
		"three generations of families": tree(6000, func(id int) int { return map[bool]int{true: id / 8}[id > 400] }),
		"pairs":                         tree(6000, func(id int) int { return id%2*id - 1 }),
	} {
		s.sql("SELECT pg_stat_reset()")
		s.check(name, rows)
		if read := s.read(); read > 50*len(rows) {
			t.Errorf("%s: %d rows and index entries were read for %d rows", name, read, len(rows))
		}
	}
}

// read is how many rows and index entries of the table were read by those who have left.
func (s *stage) read() int {
	s.t.Helper()
	for end := time.Now().Add(10 * time.Second); s.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()") != "1"; {
		if time.Now().After(end) {
			s.t.Fatal("somebody else is still there than the stage's own connection")
		}
		time.Sleep(50 * time.Millisecond)
	}
	n, err := strconv.Atoi(strings.TrimSpace(s.sql(`SELECT (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relid = 'public.session'::regclass)
		+ (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relid = 'public.session'::regclass)`)))
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

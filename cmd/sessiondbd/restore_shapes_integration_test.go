//go:build integration

package main

import (
	"testing"

	"sessiondbd/internal/lab"
)

// What pg_dump does not quote, and what it writes to clear away first, comes back like everything else.
func TestRestoreShapes(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	s.insert()
	s.sql("sessiondb", `CREATE FUNCTION dur(begin timestamptz) RETURNS int LANGUAGE sql AS 'SELECT 1'; COMMENT ON FUNCTION dur IS 'x'; REVOKE ALL ON FUNCTION dur FROM PUBLIC;
		CREATE FUNCTION begin(begin int) RETURNS int BEGIN ATOMIC SELECT CASE begin WHEN 1 THEN 2 END; END`)
	rows := s.rows()
	for name, path := range map[string]string{"SQL": s.dumped("it.sql"), "archive": s.dumped("it.dump", "-Fc"), "cleaning": s.dumped("clean.sql", "--clean")} {
		s.want(exitOK, []string{"restore", "--dry-run", path}, "50 sessions")
		s.want(exitOK, []string{"restore", path}, "50 sessions")
		if got := s.sql("sessiondb", "SELECT dur(now()), begin(1)"); got != "1|2" || s.rows() != rows {
			t.Errorf("%s: the functions give %s, or the rows are not as they were", name, got)
		}
	}
}

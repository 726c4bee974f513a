//go:build integration

package main

import (
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// A VM that has locked the table holds up neither a restore, which ends its session, nor the look before one.
func TestRestoreLockedTable(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	rows, path := s.insert(), s.dumped("it.sql")
	vm := s.dial("sessiondb")
	if _, err := vm.Exec(t.Context(), "SET ROLE sessionuser; BEGIN; LOCK TABLE public.session").ReadAll(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	s.want(exitOK, []string{"restore", "--dry-run", path}, "50 sessions", "somebody has locked the table")
	s.want(exitOK, []string{"restore", path}, "50 sessions", "somebody has locked the table")
	if took := time.Since(begin); took > 20*time.Second || s.rows() != rows {
		t.Errorf("it took %s, or the rows are not as they were", took)
	}
	s.inSync()
}

//go:build integration

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// Somebody holds the table for the whole pass: what needs it is given up in time and named, everything else is applied, and
// the next apply brings the rest.
func TestTableLocked(t *testing.T) {
	for _, tt := range []struct{ name, lock, drift, waits, says string }{
		{"against readers", "ACCESS EXCLUSIVE", "DROP INDEX idx_session_parent", "schema/session", "the table is locked by process "},
		{"against readers, legacy", "ACCESS EXCLUSIVE", "ALTER TABLE session ALTER created_at DROP NOT NULL", "schema/session", "the table is locked by process "},
		{"against writers", "SHARE ROW EXCLUSIVE", "DROP TRIGGER update_session_updated_at ON session", "schema/update_session_updated_at", "held by"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, lab.ClusterOptions{})
			s.apply()
			rows := s.insert()
			s.sql("sessiondb", tt.drift+"; ALTER ROLE sessionuser CONNECTION LIMIT 3")
			s.edit("pg_hba.conf", func(text string) string { return strings.ReplaceAll(text, "10.2.0.0/24", "10.3.0.0/24") })
			other := s.dial("sessiondb")
			if _, err := other.Exec(t.Context(), "BEGIN; LOCK TABLE session IN "+tt.lock+" MODE").ReadAll(); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			rep, r := s.report("apply")
			if took := time.Since(begin); took > 40*time.Second {
				t.Errorf("apply took %s", took.Round(time.Second))
			}
			r.check(t, "apply", exitTryAgain, tt.says)
			if rep.InSync || !blocked(rep, tt.waits) || changed(rep, tt.waits) || !changed(rep, "role/sessionuser") {
				t.Errorf("apply: %+v\n%s", rep, r.stderr)
			}
			if !changed(rep, "hba") {
				t.Errorf("pg_hba.conf had to wait, too: %+v\n%s", rep, r.stderr)
			}
			if _, err := other.Exec(t.Context(), "ROLLBACK").ReadAll(); err != nil {
				t.Fatal(err)
			}
			s.apply()
			s.inSync()
			if got := s.rows(); got != rows {
				t.Errorf("the rows changed: %s, were %s", got, rows)
			}
		})
	}
}

// Starters at once, on a bare host: one works, the others find nothing left to do.
func TestTogether(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	for _, what := range []string{"bare", "converged"} {
		var all sync.WaitGroup
		results := make([]result, 4)
		for i := range results {
			all.Go(func() { results[i] = s.run("apply", "--json") })
		}
		all.Wait()
		made := 0
		for i, r := range results {
			r.check(t, fmt.Sprintf("%s: apply %d", what, i), exitOK)
			if r.stderr != "" {
				t.Errorf("%s: apply %d says %s", what, i, r.stderr)
			}
			rep, err := decode(r.stdout)
			if err != nil || !rep.InSync {
				t.Errorf("%s: apply %d: %v %+v", what, i, err, rep)
			}
			if changed(rep, "migration/0002_session_table") {
				made++
			}
		}
		if want := map[string]int{"bare": 1, "converged": 0}[what]; made != want {
			t.Errorf("%s: the table was made %d times, want %d", what, made, want)
		}
	}
	s.inSync()
	if n := s.sql("sessiondb", "SELECT count(*) FROM sessiondbd.migrations"); n != "4" {
		t.Errorf("%s lines in the history", n)
	}
}

// Whenever an apply is ended, the next one converges, and rows that were there stay.
func TestInterrupted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		signal syscall.Signal
		group  bool // or the parent alone
	}{
		{"SIGTERM", syscall.SIGTERM, false},
		{"SIGINT of a terminal", syscall.SIGINT, true},
		{"SIGKILL", syscall.SIGKILL, true},
		{"SIGKILL of the parent", syscall.SIGKILL, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, lab.ClusterOptions{LegacyRows: true})
			s.sql("sessiondb", "UPDATE session SET created_at = coalesce(created_at, 'epoch'), updated_at = coalesce(updated_at, 'epoch')")
			rows, ended := s.rows(), 0
			begun := time.Now()
			s.apply()
			whole := time.Since(begun)
			s.back()
			// From the first instant to the last of an apply that has everything to do, however fast the machine.
			for round := range 9 {
				delay := (whole * time.Duration(round) / 9).Milliseconds()
				p, err := s.ns.StartCommand(t.Context(), s.command("apply"))
				s.must(err)
				time.Sleep(time.Duration(delay) * time.Millisecond)
				begin := time.Now()
				if tt.group {
					s.must(p.Signal(tt.signal))
				} else {
					_ = syscall.Kill(p.PID(), tt.signal)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				err = p.Wait(ctx)
				cancel()
				if ctx.Err() == context.DeadlineExceeded {
					t.Fatalf("%d ms: still there after %s: %s", delay, time.Since(begin), p.Output())
				}
				if err != nil {
					ended++
				}
				var exit *exec.ExitError
				if errors.As(err, &exit) && exit.Exited() && (exit.ExitCode() != exitTryAgain || !strings.Contains(p.Output(), "interrupted (")) {
					t.Errorf("%d ms: exit %d: %s", delay, exit.ExitCode(), p.Output())
				}
				s.noSecret("apply", p.Output())
				s.apply()
				if got := s.rows(); got != rows {
					t.Fatalf("after %d ms: the rows changed: %s, were %s", delay, got, rows)
				}
				s.back()
			}
			if ended == 0 {
				t.Error("no apply was interrupted: the delays are too long to show anything")
			}
			s.apply()
			s.inSync()
			if got := s.rows(); got != rows {
				t.Errorf("the rows changed: %s, were %s", got, rows)
			}
			if n := s.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sessiondbd'"); n != "0" {
				t.Errorf("%s backends were left behind", n)
			}
		})
	}
}

// back undoes what an apply did to the database, so that the next has the most to do.
func (s *site) back() {
	s.t.Helper()
	s.must(os.RemoveAll(s.path("state/identity.json")))
	s.edit("pg_hba.conf", func(text string) string {
		_, rest, _ := strings.Cut(text, "# sessiondbd END\n")
		return rest
	})
	s.sql("sessiondb", `DROP SCHEMA sessiondbd CASCADE;
		DROP INDEX idx_session_parent, idx_session_inbox_status;
		DROP TRIGGER update_session_updated_at ON session;
		ALTER TABLE session ALTER created_at DROP NOT NULL, ALTER updated_at DROP NOT NULL;
		REASSIGN OWNED BY sessiondb_owner TO postgres;
		REVOKE ALL ON session FROM sessionuser;
		ALTER ROLE sessionuser PASSWORD NULL`)
}

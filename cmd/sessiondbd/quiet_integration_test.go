//go:build integration

package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/plan"
)

// harmless are the records that PostgreSQL writes by itself or for whoever reads first: hint-bit images, checkpoints, what
// standbys are told, and the switch to a new segment.
var harmless = regexp.MustCompile(`desc: (FPI_FOR_HINT|CHECKPOINT_ONLINE|CHECKPOINT_SHUTDOWN|RUNNING_XACTS|SWITCH)\b`)

// place is where a server stands: the next transaction id, and the end of its log.
type place struct{ xmax, lsn string }

func parsePlace(psql string) (p place, err error) {
	var ok bool
	if p.xmax, p.lsn, ok = strings.Cut(strings.TrimSpace(psql), "|"); !ok {
		return p, fmt.Errorf("not a place in the log: %q", psql)
	}
	return p, nil
}

const placeSQL = "SELECT pg_snapshot_xmax(pg_current_snapshot()), pg_current_wal_insert_lsn()"

// wrote returns what happened between two places that reading does not explain; dump runs pg_waldump from an LSN.
func wrote(before, after place, dump func(start, end string) (string, error)) (string, error) {
	if before == after {
		return "", nil
	}
	var b strings.Builder
	if before.xmax != after.xmax {
		fmt.Fprintf(&b, "a transaction id was taken: %s, then %s\n", before.xmax, after.xmax)
	}
	if before.lsn == after.lsn {
		return b.String(), nil
	}
	records, err := dump(before.lsn, after.lsn)
	if err != nil {
		return "", err
	}
	seen := 0
	for line := range strings.Lines(records) {
		if !strings.HasPrefix(line, "rmgr:") {
			continue
		}
		seen++
		if !harmless.MatchString(line) {
			b.WriteString(line)
		}
	}
	if seen == 0 {
		return "", fmt.Errorf("no record between %s and %s:\n%s", before.lsn, after.lsn, records)
	}
	return b.String(), nil
}

func (s *site) here() place {
	s.t.Helper()
	p, err := parsePlace(s.sql("postgres", placeSQL))
	s.must(err)
	return p
}

// wal dumps a stretch of the log. What nobody waits for may still be in memory: a checkpoint brings it to the disk.
func (s *site) wal(start, end string) (string, error) {
	s.sql("postgres", "CHECKPOINT")
	var machine lab.Place
	return machine.Run(s.t.Context(), filepath.Join(s.Bindir, "pg_waldump"), "-p", filepath.Join(s.DataDir, "pg_wal"), "-s", start, "-e", end)
}

// writesNothing calls f and requires that it left nothing behind: not in the database, the files, or the firewall.
func (s *site) writesNothing(what string, f func()) {
	s.t.Helper()
	ruleset := func() string {
		out, err := s.ns.Run(s.t.Context(), "nft", "-s", "list", "ruleset")
		s.must(err)
		return out
	}
	s.sql("postgres", "CHECKPOINT")
	files, rules, before := s.files(), ruleset(), s.here()
	f()
	after := s.here()
	unexplained, err := wrote(before, after, s.wal)
	s.must(err)
	if unexplained != "" {
		s.t.Errorf("%s wrote:\n%s", what, unexplained)
	}
	if s.files() != files {
		s.t.Errorf("%s changed files", what)
	}
	if now := ruleset(); now != rules {
		s.t.Errorf("%s changed the firewall: %s", what, cmp.Diff(rules, now))
	}
}

// The yardstick itself: what writes is seen.
func TestWritesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	for sql, seen := range map[string]bool{
		"SELECT count(*) FROM pg_class":                   false,
		"CHECKPOINT":                                      false,
		"CREATE ROLE somebody":                            true,
		"SELECT pg_current_xact_id()":                     true,
		"SELECT pg_logical_emit_message(false, 'a', 'b')": true,
		"BEGIN; CREATE TABLE t (); ROLLBACK":              true,
	} {
		before := s.here()
		s.sql("postgres", sql)
		got, err := wrote(before, s.here(), s.wal)
		if err != nil || (got != "") != seen {
			t.Errorf("%s: seen %q, %v", sql, got, err)
		}
	}
}

// plan writes nothing on any host, and apply then does exactly what plan said, in its order.
func TestPlanIsApply(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    lab.ClusterOptions
		make func(*site)
	}{
		{"bare", lab.ClusterOptions{}, func(*site) {}},
		{"legacy", lab.ClusterOptions{LegacyRows: true}, func(*site) {}},
		{"drifted", lab.ClusterOptions{}, func(s *site) {
			s.apply()
			s.insert()
			s.sql("sessiondb", `DROP INDEX idx_session_parent; DROP TRIGGER update_session_updated_at ON session; REVOKE INSERT ON session FROM sessionuser;
				ALTER ROLE sessionuser CONNECTION LIMIT 3; ALTER ROLE sessionuser PASSWORD 'other'; ALTER TABLE session ALTER created_at DROP NOT NULL; GRANT TEMPORARY ON DATABASE sessiondb TO PUBLIC`)
			s.edit("pg_hba.conf", func(text string) string { return strings.ReplaceAll(text, "10.2.0.0/24", "10.3.0.0/24") })
			_, err := s.ns.Run(s.t.Context(), "iptables", "-t", "mangle", "-F", "SESSIONDB-GUARD")
			s.must(err)
		}},
		{"converged", lab.ClusterOptions{}, (*site).apply},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, tt.o)
			tt.make(s)
			s.report("plan") // the first look after DDL may leave hint bits
			var planned, done plan.Report
			s.writesNothing("plan", func() {
				var r result
				planned, r = s.report("plan")
				want := exitPending
				if tt.name == "converged" {
					want = exitOK
				}
				r.check(t, "plan", want)
			})
			done, r := s.report("apply")
			r.check(t, "apply", exitOK)
			if !done.InSync {
				t.Errorf("apply: %+v", done)
			}
			if d := cmp.Diff(planned.Changes, done.Changes, cmpopts.IgnoreFields(plan.Change{}, "Step")); d != "" {
				t.Errorf("apply did something else than plan said (-planned +done):\n%s", d)
			}
			s.inSync()
		})
	}
}

// A second apply is one look: nothing is written, over one connection, in at most two round trips after authentication.
func TestSecondApply(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    lab.ClusterOptions
	}{{"bare", lab.ClusterOptions{}}, {"legacy", lab.ClusterOptions{LegacyRows: true}}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, tt.o)
			p := newProxy(t, s.Socket)
			// Peer authentication sees who runs the proxy: root, whom the map lets in.
			s.configure(fmt.Sprintf(siteConfig, "host="+p.dir+" dbname=postgres user=postgres", "postgres"))
			s.apply()
			if trips := p.reset(); len(trips) < 2 {
				t.Fatalf("round trips by connection %v: the first apply did not come through the proxy", trips)
			}
			s.want(exitOK, []string{"apply"}) // the first pass after writes may leave hint bits
			for _, command := range []string{"apply", "plan"} {
				p.reset()
				s.writesNothing(command, func() {
					rep, r := s.report(command)
					r.check(t, command, exitOK)
					if !rep.InSync || len(rep.Changes) > 0 {
						t.Errorf("%s: %+v", command, rep)
					}
				})
				if trips := p.reset(); len(trips) != 1 || trips[0] < 1 || trips[0] > 2 {
					t.Errorf("%s: round trips by connection %v, want one connection with at most 2", command, trips)
				}
			}
		})
	}
}

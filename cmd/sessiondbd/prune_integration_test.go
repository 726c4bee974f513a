//go:build integration

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/operate"
)

// pruned runs prune with --json.
func (s *site) pruned(args ...string) operate.Pruned {
	s.t.Helper()
	r := s.want(exitOK, append([]string{"prune", "--json"}, args...))
	var p operate.Pruned
	d := json.NewDecoder(strings.NewReader(r.stdout))
	d.DisallowUnknownFields()
	if _, err := onlyDocument(r.stdout); err != nil {
		s.t.Errorf("%v: %s", err, r.stdout)
	} else if err := d.Decode(&p); err != nil {
		s.t.Errorf("%v: %s", err, r.stdout)
	}
	return p
}

// stale makes 30 old completed and 20 old failed sessions, one of each the parent of a young one; and 50 that are neither.
func (s *site) stale() {
	s.t.Helper()
	s.sql("sessiondb", `TRUNCATE session; INSERT INTO session (id, inbox_status, created_at)
		SELECT md5(n::text)::uuid, CASE WHEN n <= 30 THEN 'completed' WHEN n <= 50 THEN 'failed' WHEN n <= 60 THEN 'processing' ELSE 'pending' END::inbox_status_enum, now() - interval '40 days'
		FROM generate_series(1, 80) n;
		INSERT INTO session (inbox_status, parent) SELECT 'completed', md5(n::text)::uuid FROM generate_series(30, 49) n WHERE n IN (30, 49);
		INSERT INTO session (inbox_status, created_at) SELECT 'completed', now() - interval '20 days' FROM generate_series(1, 18)`)
}

func (s *site) withRetention(yaml string) {
	s.t.Helper()
	s.configure(fmt.Sprintf(siteConfig, s.connection(), "postgres") + yaml)
}

// prune does what config and flags say, as root and as the database's user, and nothing without either.
func TestPrune(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	example := "--status completed --older-than 720h"
	s.want(exitUsage, []string{"prune"}, "retention: {status: completed, older_than: 720h}", example)
	s.want(exitOK, []string{"prune", "--scheduled"}, "Nothing to do")
	s.want(exitUsage, []string{"prune", "--status", "completed"}, example)
	s.want(exitUsage, []string{"prune", "--status", "pending", "--older-than", "720h"}, "never deleted")
	s.want(exitUsage, []string{"prune", "--status", "completed", "--older-than", "59m"}, "from 1h to 87600h")
	s.withRetention("retention: {status: processing, older_than: 720h}\n")
	s.want(exitConfig, []string{"prune", "--scheduled"}, "retention.status: must be completed or failed")
	s.withRetention("retention: {status: completed, older_than: 720h}\n")
	s.want(exitRefused, []string{"prune"}, "create database is pending", "sudo sessiondbd apply")
	s.apply()
	s.stale()
	s.want(exitOK, []string{"prune", "--dry-run"}, "would delete 29 sessions (completed, created before ", "completed  29", "stay: 1 session, parents")
	dry := s.pruned("--dry-run", "--status", "failed,completed")
	if !dry.DryRun || dry.Deleted != 48 || dry.Parents != 2 || dry.Forecast == nil || len(dry.Forecast.Statuses) != 2 || dry.Forecast.Oldest == nil {
		t.Errorf("%+v", dry)
	}
	if n := s.sql("sessiondb", "SELECT count(*) FROM session"); n != "100" {
		t.Errorf("a dry run left %s rows", n)
	}
	if p := s.pruned("--older-than", "1440h"); p.Deleted != 0 || p.DryRun || p.Forecast != nil {
		t.Errorf("%+v", p)
	}
	if p := s.pruned(); p.Deleted != 29 || p.Parents != 1 || p.Busy != 0 {
		t.Errorf("%+v", p)
	}
	r := s.runIn([]string{"runuser", "-u", "postgres", "--"}, "prune", "--scheduled", "--status", "failed")
	r.check(t, "prune as postgres", exitOK, "deleted 19 sessions (failed, created before", "stay: 1 session")
	if r.stderr != "" {
		t.Errorf("progress without a terminal: %s", r.stderr)
	}
	if n := s.sql("sessiondb", "SELECT string_agg(n::text, ' ' ORDER BY s) FROM (SELECT inbox_status AS s, count(*) AS n FROM session GROUP BY 1) x"); n != "20 10 21 1" {
		t.Errorf("left are %s", n)
	}
	s.inSync()
}

// What is being maintained, is somebody else's, or is not as it should be, is left alone.
func TestPruneRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	s.withRetention("retention: {status: [completed, failed], older_than: 720h}\n")
	s.stale()
	before := s.rows()
	s.want(exitOK, []string{"pause", "--for", "1h"})
	s.want(exitTryAgain, []string{"prune"}, "paused for another", "sudo sessiondbd resume")
	s.want(exitOK, []string{"resume"})

	s.sql("sessiondb", "DROP INDEX idx_session_parent")
	s.want(exitRefused, []string{"prune"}, "idx_session_parent", "sudo sessiondbd plan")
	s.want(exitRefused, []string{"prune", "--dry-run"}, "idx_session_parent")
	s.apply()
	s.sql("sessiondb", "ALTER TABLE session RENAME created_at TO made_at")
	s.want(exitRefused, []string{"prune"}, "created_at")
	s.sql("sessiondb", "ALTER TABLE session RENAME made_at TO created_at")

	// A trigger that a VM's role made while it could would have the rights of whoever deletes.
	s.sql("sessiondb", `CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE LOG 'planted'; RETURN NULL; END $$; ALTER FUNCTION planted() OWNER TO sessionuser;
		CREATE TRIGGER "the planted" AFTER DELETE ON session FOR EACH STATEMENT EXECUTE FUNCTION planted()`)
	for _, dry := range []string{"--dry-run=true", "--dry-run=false"} {
		s.want(exitRefused, []string{"prune", dry}, "the planted", "public.planted()", "sessionuser may change", `psql sessiondb -c 'DROP TRIGGER "the planted" ON public.session'`)
	}
	if strings.Contains(s.Log(), "LOG:  planted") {
		t.Error("what was planted was executed")
	}
	s.sql("sessiondb", "ALTER FUNCTION planted() OWNER TO postgres")
	s.want(exitOK, []string{"prune", "--dry-run"}, "would delete 48")
	s.sql("sessiondb", `DROP TRIGGER "the planted" ON session; DROP FUNCTION planted`)

	identity := s.read("state/identity.json")
	s.write("state/identity.json", replaceCluster(identity, "7000000000000000001"))
	s.want(exitRefused, []string{"prune"}, "--accept-new-database")
	s.write("state/identity.json", identity)

	c := lab.Command{Argv: []string{"psql", "-X", "-d", s.URL("postgres")}, Stdin: strings.NewReader("SELECT pg_advisory_lock(1936552044, hashtext('prune'));\n\\echo held\n\\! sleep 600\n")}
	p, err := s.ns.StartCommand(t.Context(), c)
	s.must(err)
	t.Cleanup(func() { _ = p.Kill() })
	eventually(t, "the turn is taken", 20*time.Second, func() bool { return strings.Contains(p.Output(), "held") })
	s.want(exitTryAgain, []string{"prune"}, "another sessiondbd prune is at work")
	s.want(exitOK, []string{"prune", "--dry-run"}, "would delete 48")
	if after := s.rows(); after != before {
		t.Errorf("rows: %s, before %s", after, before)
	}
	s.must(s.Stop(t.Context()))
	s.want(exitUnavailable, []string{"prune"}, "systemctl start postgresql")
}

// A prune that is told to end says what it has done; one that is killed leaves nothing half done; two at once are one.
func TestPruneIsEnded(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	s.withRetention("retention: {status: completed, older_than: 720h}\n")
	s.sql("sessiondb", `INSERT INTO session (id, inbox_status, created_at, parent) SELECT md5(n::text)::uuid, 'completed', now() - interval '40 days',
		CASE WHEN n % 3 > 0 THEN md5((n - 1)::text)::uuid END FROM generate_series(0, 149999) n; ANALYZE session`)
	left := func() (n int) {
		_, err := fmt.Sscan(s.sql("sessiondb", "SELECT count(*) FROM session"), &n)
		s.must(err)
		return n
	}
	for _, how := range []string{"TERM", "KILL"} {
		before := left()
		p, err := s.ns.StartCommand(t.Context(), s.command("prune"))
		s.must(err)
		eventually(t, "it deletes", 60*time.Second, func() bool { return left() < before })
		if how == "TERM" {
			s.want(exitTryAgain, []string{"prune"}, "at work")
			s.must(p.Signal(15))
		} else {
			s.must(p.Kill())
		}
		<-p.Done()
		if how == "TERM" && !strings.Contains(p.Output(), "another run goes on from there") {
			t.Errorf("it says %q", p.Output())
		}
		if n := left(); n == 0 {
			t.Errorf("%s: it was too fast to be ended", how)
		}
	}
	eventually(t, "the next one may", 20*time.Second, func() bool { return s.run("prune").code == exitOK })
	if n := left(); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

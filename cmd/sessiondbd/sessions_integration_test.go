//go:build integration

package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/operate"
)

func seeSessions(t *testing.T, s *site) operate.Sessions {
	t.Helper()
	r := s.want(exitOK, []string{"status", "--sessions", "--json"})
	var seen operate.Sessions
	d := json.NewDecoder(strings.NewReader(r.stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&seen); err != nil {
		t.Fatalf("%v in %s", err, r.stdout)
	}
	return seen
}

// status --sessions counts what the documentation's queries count, says who works in the database, and writes nothing.
func TestSessions(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.want(exitUnavailable, []string{"status", "--sessions"}, `database "sessiondb" does not exist`)
	s.apply()
	s.sql("sessiondb", `INSERT INTO session (inbox_status) SELECT 'pending' FROM generate_series(1, 7);
		INSERT INTO session (inbox_status, parent) SELECT 'completed', (SELECT min(id::text)::uuid FROM session) FROM generate_series(1, 3);
		INSERT INTO session (messages) VALUES ('{}')`)

	t.Run("counts", func(t *testing.T) {
		table := seeSessions(t, s).Table
		if table == nil || table.Rows != 11 || table.Children != 3 || table.Orphans != 0 || !table.Guarded || table.Bytes < 8192 || table.IndexesBytes < 3*8192 {
			t.Fatalf("%+v", table)
		}
		want := []operate.StatusCount{{Status: "pending", Rows: 7}, {Status: "completed", Rows: 3}, {Rows: 1}}
		for i, c := range want {
			if len(table.Statuses) != len(want) || table.Statuses[i] != c {
				t.Fatalf("%+v, want %+v", table.Statuses, want)
			}
		}
	})
	t.Run("as a person reads it, and as the database's user", func(t *testing.T) {
		r := s.runIn([]string{"runuser", "-u", "postgres", "--"}, "status", "--sessions")
		r.check(t, "status --sessions", exitOK, "pending", "(no status)", "impossible: the foreign key", "queries over 5 s: none", "transactions over 30 s: none")
	})
	t.Run("who cannot read the password", func(t *testing.T) {
		config := s.read("config.yaml")
		s.write("secret", "nobody's business")
		s.must(os.Chown(s.path("secret"), 0, 0))
		s.must(os.Chmod(s.path("secret"), 0o600))
		s.configure(strings.Replace(config, "credential: none-such", "file: secret", 1))
		as := []string{"runuser", "-u", "postgres", "--"}
		s.runIn(as, "status", "--sessions").check(t, "status --sessions", exitOK, "pending")
		s.runIn(as, "connect-info", "vm1").check(t, "connect-info", exitOK, "psql asks for the password")
		s.runIn(as, "connect-info", "vm1", "--show-password").check(t, "connect-info --show-password", exitConfig, "permission denied")
		s.configure(config)
	})
	t.Run("writes nothing", func(t *testing.T) {
		before := s.sql("postgres", "SELECT pg_snapshot_xmax(pg_current_snapshot())")
		s.want(exitOK, []string{"status", "--sessions"})
		if after := s.sql("postgres", "SELECT pg_snapshot_xmax(pg_current_snapshot())"); after != before {
			t.Errorf("transaction ids were used: %s, %s", before, after)
		}
	})
	t.Run("who works in it", func(t *testing.T) {
		for _, sql := range []string{
			"SELECT pg_sleep(600), 'geheim'",
			"BEGIN; SELECT 'geheim'; \\! sleep 600",
		} {
			c := lab.Command{Argv: []string{"psql", "-X", "-d", s.URL("sessiondb")}, Stdin: strings.NewReader(sql + "\n;")}
			p, err := s.ns.StartCommand(t.Context(), c)
			s.must(err)
			t.Cleanup(func() { _ = p.Kill() })
		}
		eventually(t, "the query is slow", 60*time.Second, func() bool {
			seen := seeSessions(t, s)
			return len(seen.Slow) == 1 && strings.Contains(seen.Slow[0].Query, "pg_sleep(600), '…'") && seen.Slow[0].Waits == "Timeout"
		})
		r := s.want(exitOK, []string{"status", "--sessions"}, "this host", "1 active, 1 idle in transaction", "queries over 5 s\n")
		if strings.Contains(r.stdout, "geheim") {
			t.Errorf("a constant is shown:\n%s", r.stdout)
		}
	})
	t.Run("a foreign key that cannot vouch", func(t *testing.T) {
		s.sql("sessiondb", `ALTER TABLE session DISABLE TRIGGER ALL; INSERT INTO session (parent) VALUES (gen_random_uuid())`)
		if table := seeSessions(t, s).Table; table.Guarded || table.Orphans != 1 {
			t.Errorf("%+v", table)
		}
		s.sql("sessiondb", `ALTER TABLE session ENABLE TRIGGER ALL`)
		if table := seeSessions(t, s).Table; !table.Guarded || table.Orphans != 1 {
			t.Errorf("an orphan that came before the key was on again: %+v", table)
		}
		s.want(exitOK, []string{"status", "--sessions"}, "while the foreign key on parent was switched off")
		s.sql("sessiondb", `DELETE FROM session WHERE parent IS NOT NULL`)
		if table := seeSessions(t, s).Table; !table.Guarded {
			t.Errorf("%+v", table)
		}
	})
	t.Run("a locked table", func(t *testing.T) {
		c := lab.Command{Argv: []string{"psql", "-X", "-d", s.URL("sessiondb")}, Stdin: strings.NewReader("BEGIN; LOCK TABLE session;\n\\echo locked\n\\! sleep 600\n")}
		p, err := s.ns.StartCommand(t.Context(), c)
		s.must(err)
		t.Cleanup(func() { _ = p.Kill() })
		eventually(t, "locked", 20*time.Second, func() bool { return strings.Contains(p.Output(), "locked") })
		r := s.want(exitTryAgain, []string{"status", "--sessions", "--json"}, "is locked and was not counted")
		if doc, err := onlyDocument(r.stdout); err != nil || doc["table"] != nil || doc["connections"] == nil {
			t.Errorf("%v: %s", err, r.stdout)
		}
	})
	s.want(exitUsage, []string{"status", "--sessions", "--only", "firewall"}, "not the firewall")
	s.must(s.Stop(t.Context()))
	s.want(exitUnavailable, []string{"status", "--sessions"}, "systemctl start postgresql")
}

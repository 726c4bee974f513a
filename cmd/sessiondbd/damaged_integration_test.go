//go:build integration

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/plan"
)

func refused(r plan.Report, resource string) bool {
	return slices.ContainsFunc(r.Refusals, func(f plan.Refusal) bool {
		return f.Resource == resource && f.Summary != "" && f.Remedy != ""
	})
}

// refuses requires that plan and apply name a resource, change nothing, and exit with 65.
func (s *site) refuses(resource string, says ...string) {
	s.t.Helper()
	files := s.files()
	for _, command := range []string{"plan", "apply"} {
		rep, r := s.report(command)
		r.check(s.t, command, exitRefused, says...)
		if !refused(rep, resource) || len(rep.Changes) > 0 {
			s.t.Errorf("%s: %+v", command, rep)
		}
	}
	if s.files() != files {
		s.t.Error("a file was changed")
	}
}

// Each fault is made on a converged host with rows, is refused by name, and once mended the host is in sync again with
// every row as it was.
func TestDamaged(t *testing.T) {
	for _, tt := range []struct {
		name, resource string
		spoil, mend    func(*site)
		says           []string
	}{
		{
			name: "identity cut off", resource: "database/sessiondb", says: []string{"state/identity.json", "--accept-new-database"},
			spoil: func(s *site) { s.write("state/identity.json", s.read("state/identity.json")[:30]) },
			mend:  func(s *site) { s.want(exitOK, []string{"apply", "--accept-new-database"}) },
		},
		{
			name: "identity empty", resource: "database/sessiondb", says: []string{"state/identity.json"},
			spoil: func(s *site) { s.write("state/identity.json", "") },
			mend:  func(s *site) { s.must(os.Remove(s.path("state/identity.json"))); s.apply() },
		},
		{
			name: "pg_hba block without its end", resource: "hba", says: []string{"pg_hba.conf", "# sessiondbd BEGIN", "# sessiondbd END"},
			spoil: func(s *site) {
				s.edit("pg_hba.conf", func(text string) string { return strings.Replace(text, "# sessiondbd END\n", "", 1) })
			},
			mend: func(s *site) {
				s.edit("pg_hba.conf", func(text string) string {
					return strings.Replace(text, "reject\nlocal all postgres", "reject\n# sessiondbd END\nlocal all postgres", 1)
				})
			},
		},
		{
			name: "pg_hba line cut off", resource: "hba", says: []string{"pg_hba.conf"},
			spoil: func(s *site) { s.edit("pg_hba.conf", func(text string) string { return text + "host all all 10.9" }) },
			mend: func(s *site) {
				s.edit("pg_hba.conf", func(text string) string { return strings.TrimSuffix(text, "host all all 10.9") })
			},
		},
		{
			name: "somebody's include file cut off", resource: "server/settings", says: []string{"conf.d/20-admin.conf"},
			spoil: func(s *site) { s.write("conf.d/20-admin.conf", "work_m") },
			mend:  func(s *site) { s.must(os.Remove(s.path("conf.d/20-admin.conf"))) },
		},
		{
			name: "migration edited", resource: "migration/0002_session_table", says: []string{"edited after it was applied", "SHA-256"},
			spoil: func(s *site) {
				s.sql("sessiondb", "UPDATE sessiondbd.migrations SET sha256 = 'x' || sha256 WHERE number = 2")
			},
			mend: func(s *site) {
				s.sql("sessiondb", "UPDATE sessiondbd.migrations SET sha256 = substr(sha256, 2) WHERE number = 2")
			},
		},
		{
			name: "line of the history lost", resource: "migration/0002_session_table", says: []string{"rows are missing"},
			spoil: func(s *site) {
				s.sql("sessiondb", "CREATE TABLE sessiondbd.kept AS SELECT * FROM sessiondbd.migrations WHERE number = 2; DELETE FROM sessiondbd.migrations WHERE number = 2")
			},
			mend: func(s *site) {
				s.sql("sessiondb", "INSERT INTO sessiondbd.migrations SELECT * FROM sessiondbd.kept; DROP TABLE sessiondbd.kept")
			},
		},
		{
			name: "newer than the binary", resource: "migration/0005_future", says: []string{"newer than this binary", "install the newer sessiondbd"},
			spoil: func(s *site) {
				s.sql("sessiondb", "INSERT INTO sessiondbd.migrations (number, name, sha256, adopted, minimum, duration) VALUES (5, 'future', 'x', false, 5, '1s')")
			},
			mend: func(s *site) { s.sql("sessiondb", "DELETE FROM sessiondbd.migrations WHERE number = 5") },
		},
		{
			name: "table gone", resource: "schema/session", says: []string{"is gone", "restore it from a backup"},
			spoil: func(s *site) { s.sql("sessiondb", "ALTER TABLE session SET SCHEMA sessiondbd") },
			mend:  func(s *site) { s.sql("sessiondb", "ALTER TABLE sessiondbd.session SET SCHEMA public") },
		},
		{
			name: "database gone", resource: "database/sessiondb", says: []string{"is gone", "apply --accept-new-database"},
			spoil: func(s *site) { s.sql("postgres", "ALTER DATABASE sessiondb RENAME TO kept") },
			mend:  func(s *site) { s.sql("postgres", "ALTER DATABASE kept RENAME TO sessiondb") },
		},
		{
			name: "another database", resource: "database/sessiondb", says: []string{"is not the one that was provisioned", "apply --accept-new-database"},
			spoil: func(s *site) {
				s.sql("postgres", "ALTER DATABASE sessiondb RENAME TO kept; CREATE DATABASE sessiondb")
			},
			mend: func(s *site) {
				s.sql("postgres", "DROP DATABASE sessiondb; ALTER DATABASE kept RENAME TO sessiondb")
			},
		},
		{
			name: "another cluster", resource: "database/sessiondb", says: []string{"have cluster", "remembered cluster 7000000000000000001", "apply --accept-new-database"},
			spoil: func(s *site) {
				s.sql("postgres", "SELECT 1")
				s.write("state/kept", s.read("state/identity.json"))
				s.write("state/identity.json", replaceCluster(s.read("state/identity.json"), "7000000000000000001"))
			},
			mend: func(s *site) { s.write("state/identity.json", s.read("state/kept")) },
		},
		{
			name: "column of another type", resource: "schema/session.messages", says: []string{"messages"},
			spoil: func(s *site) { s.sql("sessiondb", "ALTER TABLE session ALTER messages TYPE text") },
			mend: func(s *site) {
				s.sql("sessiondb", "ALTER TABLE session ALTER messages TYPE jsonb USING messages::jsonb")
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, lab.ClusterOptions{})
			s.apply()
			rows := s.insert()
			tt.spoil(s)
			s.refuses(tt.resource, tt.says...)
			tt.mend(s)
			s.inSync()
			if got := s.rows(); got != rows {
				t.Errorf("the rows changed: %s, were %s", got, rows)
			}
		})
	}
}

// edit changes a file of the server and has it loaded.
func (s *site) edit(name string, change func(string) string) {
	s.t.Helper()
	path := filepath.Join(s.DataDir, name)
	old := s.read(path)
	text := change(old)
	if text == old {
		s.t.Fatalf("nothing to change in %s:\n%s", name, old)
	}
	s.write(path, text)
	s.sql("postgres", "SELECT pg_reload_conf()")
}

func replaceCluster(identity, cluster string) string {
	head, rest, _ := strings.Cut(identity, `"cluster": "`)
	_, tail, _ := strings.Cut(rest, `"`)
	return head + `"cluster": "` + cluster + `"` + tail
}

// Another database under the name is filled once somebody says that it is meant.
func TestAcceptNewDatabase(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	for _, replace := range []string{"DROP DATABASE sessiondb", "DROP DATABASE sessiondb; CREATE DATABASE sessiondb"} {
		s.sql("postgres", replace)
		s.want(exitRefused, []string{"apply"}, "--accept-new-database")
		s.want(exitOK, []string{"apply", "--accept-new-database"}, "in sync")
		s.inSync()
	}
}

// Our own include file lost what it said: that is drift. Half a line is refused: whatever it was, PostgreSQL would not start with it.
func TestOwnIncludeCutOff(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	whole := s.read("conf.d/sessiondbd.conf")
	s.write("conf.d/sessiondbd.conf", "")
	s.want(exitPending, []string{"plan"}, "server/settings", "authentication_timeout")
	s.apply()
	for _, cut := range []string{whole[:len(whole)-3], "authentication_timeo\n"} {
		s.write("conf.d/sessiondbd.conf", cut)
		s.refuses("server/settings", "conf.d/sessiondbd.conf")
	}
	s.must(os.Remove(s.path("conf.d/sessiondbd.conf")))
	s.apply()
	if got := s.read("conf.d/sessiondbd.conf"); got != whole {
		t.Errorf("written anew:\n%s", got)
	}
}

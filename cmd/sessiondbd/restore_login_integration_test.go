//go:build integration

package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/operate"
)

// The role that executes a dump comes in where PostgreSQL's own pg_hba.conf lets everybody with a password in. Where an administrator
// has taken those lines away, the line that is missing is told, and nothing is left; with it, the dump is in.
func TestRestoreLogsIn(t *testing.T) {
	t.Parallel()
	const shut = "local all postgres trust\nlocal all all reject\nhost all postgres all trust\n"
	s := newSite(t, lab.ClusterOptions{HBA: shut, Settings: map[string]string{"listen_addresses": "*"}})
	backups := s.path("backups")
	s.must(os.Mkdir(backups, 0o755))
	s.own(backups)
	s.configure(s.read("config.yaml") + "backup: {directory: " + backups + "}\n")
	s.apply()
	s.insert()
	rows, path := s.rows(), s.dumped("it.sql")
	s.want(exitOK, []string{"backup"})
	nothingLeft := func() {
		t.Helper()
		if left := s.beside() + s.sql("postgres", "SELECT rolname FROM pg_roles WHERE rolname = '"+operate.Restorer+"'"); strings.Contains(left, "restor") || s.rows() != rows {
			t.Errorf("left: %s, or the rows are not as they were", left)
		}
	}
	for _, args := range [][]string{{"restore", path}, {"backup", "--verify"}} {
		r := s.want(exitNotAllowed, args, operate.Restorer+", which cannot log in from this host", "no pg_hba.conf entry for host", "pg_hba.conf rejects connection", "host  all  sessiondbd_restore  127.0.0.1/32  scram-sha-256")
		if strings.Contains(r.stderr, "administrator of database.url") || strings.Contains(r.stderr, "SCRAM-SHA-256$") {
			t.Errorf("it tells what does not help, or a verifier: %s", r.stderr)
		}
		nothingLeft()
	}
	hba := s.DataDir + "/pg_hba.conf"
	s.must(os.WriteFile(hba, []byte(s.read(hba)+"host  all  sessiondbd_restore  127.0.0.1/32  scram-sha-256\n"), 0o600))
	s.sql("postgres", "SELECT pg_reload_conf()")
	s.want(exitOK, []string{"backup", "--verify"}, "can be restored: 50 sessions")
	s.want(exitOK, []string{"restore", path}, "50 sessions")
	nothingLeft()

	// A role that has the name by chance is an administrator's.
	s.sql("postgres", "CREATE ROLE "+operate.Restorer)
	s.want(exitRefused, []string{"restore", path}, "did not make", "ALTER ROLE sessiondbd_restore RENAME TO another")
	if got := s.sql("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = '"+operate.Restorer+"'"); got != "1" {
		t.Error("an administrator's role was dropped")
	}
	s.sql("postgres", "DROP ROLE "+operate.Restorer)
}

// Where VMs have taken all places but an administrator's, that is told, and nothing is left.
func TestRestoreFindsNoPlace(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{Settings: map[string]string{"max_connections": "20", "superuser_reserved_connections": "12"}})
	s.apply()
	s.insert()
	rows, path := s.rows(), s.dumped("it.sql")
	for range 7 {
		p, err := s.ns.StartCommand(t.Context(), lab.Command{
			Env:  []string{"PGHOST=" + s.Socket, "PGUSER=postgres", "PGDATABASE=postgres"},
			Argv: []string{realPSQL(t), "-Xqc", "SELECT pg_sleep(60)"},
		})
		s.must(err)
		t.Cleanup(func() { _ = p.Kill() })
	}
	eventually(t, "all places are taken", 10*time.Second, func() bool {
		return s.sql("postgres", "SELECT count(*) >= 7 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'") == "t"
	})
	s.want(exitUnavailable, []string{"restore", path}, "is no administrator", "sudo sessiondbd status --sessions")
	if left := s.beside() + s.sql("postgres", "SELECT rolname FROM pg_roles WHERE rolname = '"+operate.Restorer+"'"); strings.Contains(left, "restor") || s.rows() != rows {
		t.Errorf("left: %s, or the rows are not as they were", left)
	}
}

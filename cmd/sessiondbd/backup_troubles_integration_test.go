//go:build integration

package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// Under a clock that was wrong, or is, no backup goes that is not known to be older than so many others.
func TestBackupClock(t *testing.T) {
	t.Parallel()
	s := backupSite(t, "")
	s.insert()
	s.backup()
	made := s.backups("")
	for _, year := range []string{"2131", "2132", "2133"} {
		for _, name := range made {
			s.sh("cp -a " + s.path("backups/"+name) + " " + s.path("backups/sessiondb-"+year+name[len("sessiondb-2026"):]))
		}
	}
	time.Sleep(1100 * time.Millisecond)
	s.want(exitOK, []string{"backup"}, "5 kept, 0 removed", "note: sessiondb-2133", "of a time to come")
	if dumps := s.backups(".dump"); len(dumps) != 5 || !strings.HasPrefix(dumps[1], "sessiondb-20") {
		t.Errorf("kept: %v", dumps)
	}
	newest := s.backups(".dump")[1]
	s.want(exitOK, []string{"backup", "--verify"}, "can be restored", newest)
	if st := s.run("status", "--only", "database"); !strings.Contains(st.stdout, "5 kept, 3 of them with names of a time to come") {
		t.Errorf("status:\n%s", st.stdout)
	}
}

// inProcess runs the binary's own code as it stands in this test, with what the test has changed in it.
func (s *site) inProcess(args ...string) result {
	s.t.Helper()
	var out, says bytes.Buffer
	a := &app{stdout: &out, stderr: &says}
	root := a.root()
	root.SetArgs(append([]string{"--config", s.path("config.yaml")}, args...))
	code := a.exit(root.ExecuteContext(s.t.Context()))
	return result{out.String(), says.String(), code}
}

// asRoot is a site with backups that root makes in this process, so that a test can change how long it waits.
func asRoot(t *testing.T, o lab.ClusterOptions, more string) *site {
	t.Helper()
	s := newSite(t, o)
	s.apply()
	s.insert()
	t.Setenv("SESSIONDBD_STATE_DIR", s.path("state"))
	t.Setenv("SESSIONDBD_RUN_DIR", s.path("run"))
	s.configure(fmt.Sprintf(siteConfig, s.connection()+" user=postgres", "root") + "backup: {directory: " + s.path("backups") + more + "}\n")
	return s
}

// during changes a bound until the test ends.
func during(t *testing.T, bound *time.Duration, d time.Duration) {
	usual := *bound
	t.Cleanup(func() { *bound = usual })
	*bound = d
}

// Whoever holds a lock holds up a backup for so long only, whether it is counting or pg_dump that waits, and is named; so is who waits
// for one in front of us. Nobody is left in the queue.
func TestBackupLockedOut(t *testing.T) {
	s := asRoot(t, lab.ClusterOptions{Settings: map[string]string{"max_prepared_transactions": "1"}}, "")
	during(t, &lockPatience, 2*time.Second)
	locked := func(what string, says ...string) {
		t.Helper()
		begin := time.Now()
		s.inProcess("backup").check(t, what, exitTryAgain, append(says, "a table is locked; waited for ")...)
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%s: it took %s", what, took)
		}
		eventually(t, "nobody waits any more", 5*time.Second, func() bool {
			return s.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE datname = 'sessiondb' AND application_name = 'sessiondbd'") == "0"
		})
		if left := s.backups(""); len(left) > 0 {
			t.Errorf("%s: left: %v", what, left)
		}
	}
	vm := s.dial("sessiondb")
	do := func(sql string) {
		t.Helper()
		if _, err := vm.Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	do("SET ROLE sessionuser; BEGIN; LOCK TABLE session IN ACCESS EXCLUSIVE MODE")
	locked("the table", "idle in transaction", fmt.Sprintf("SELECT pg_terminate_backend(%d)", vm.PID()))
	do("ROLLBACK; RESET ROLE")
	do("CREATE TABLE parts (n int) PARTITION BY LIST (n)")
	do("BEGIN; LOCK TABLE parts IN ACCESS EXCLUSIVE MODE")
	locked("a table without rows of its own, for pg_dump", fmt.Sprintf("SELECT pg_terminate_backend(%d)", vm.PID()))
	do("PREPARE TRANSACTION 'left'")
	locked("a prepared transaction", "pg_prepared_xacts")
	do("ROLLBACK PREPARED 'left'")
	do("BEGIN; SELECT FROM session")
	waiter := s.dial("sessiondb")
	go func() {
		_, _ = waiter.Exec(t.Context(), "BEGIN; LOCK TABLE session IN ACCESS EXCLUSIVE MODE; ROLLBACK").ReadAll()
	}()
	eventually(t, "one waits", 5*time.Second, func() bool { return s.sql("postgres", "SELECT count(*) FROM pg_locks WHERE NOT granted") == "1" })
	locked("who waits", "active", fmt.Sprintf("SELECT pg_terminate_backend(%d)", waiter.PID()))
	do("ROLLBACK")
	eventually(t, "a backup", 10*time.Second, func() bool { return s.inProcess("backup").code == exitOK })
	if strings.Contains(s.read("state/backup.json"), "locked") {
		t.Error("an alarm was raised")
	}
}

// An upload that hangs is ended, and told of; meanwhile nothing of PostgreSQL's is held, nobody has to wait, and nothing looks failed.
func TestBackupUploadHangs(t *testing.T) {
	s := asRoot(t, lab.ClusterOptions{}, ", upload: [sleep, '60']")
	during(t, &uploadIdle, 3*time.Second)
	ended := make(chan result)
	go func() { ended <- s.inProcess("backup") }()
	eventually(t, "the backup is there", 10*time.Second, func() bool { return len(s.backups(".json")) == 1 })
	eventually(t, "no connection is left", 2*time.Second, func() bool {
		return s.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sessiondbd'") == "0"
	})
	if st := s.run("status", "--only", "database"); strings.Contains(st.stdout, "FAILED") || !strings.Contains(st.stdout, "1 kept") {
		t.Errorf("status meanwhile:\n%s", st.stdout)
	}
	r := <-ended
	r.check(t, "backup", exitFailure, "is written, and not uploaded", "sleep has taken nothing for 3s, and was ended")
	if st := s.run("status", "--only", "database"); !strings.Contains(st.stdout, "FAILED") || !strings.Contains(st.stdout, "1 kept") {
		t.Errorf("status:\n%s", st.stdout)
	}
}

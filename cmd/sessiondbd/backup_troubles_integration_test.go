//go:build integration

package main

import (
	"bytes"
	"context"
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
	var waits sync.WaitGroup
	waits.Go(func() {
		_, _ = waiter.Exec(t.Context(), "BEGIN; LOCK TABLE session IN ACCESS EXCLUSIVE MODE; ROLLBACK").ReadAll()
	})
	eventually(t, "one waits", 5*time.Second, func() bool { return s.sql("postgres", "SELECT count(*) FROM pg_locks WHERE NOT granted") == "1" })
	locked("who waits", "active", fmt.Sprintf("SELECT pg_terminate_backend(%d)", waiter.PID()))
	do("ROLLBACK")
	waits.Wait()
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

// Whatever keeps a backup from being made is told of by status from then on: also what comes before anybody knows of what. Who may
// not make one hears why, and no more.
func TestBackupFailsEarly(t *testing.T) {
	t.Parallel()
	s := backupSite(t, "")
	s.insert()
	s.backup()
	yaml := s.read("config.yaml")
	as := func(user string, args ...string) result {
		t.Helper()
		return s.runIn([]string{"runuser", "-u", user, "--"}, args...)
	}
	s.must(os.Chmod(s.path("config.yaml"), 0o644))
	s.must(os.Chmod(s.path("state"), 0o700))
	r := as("nobody", "backup")
	r.check(t, "as nobody", exitNotAllowed, "run it as root")
	if strings.Count(r.stderr, "\n") != 1 || strings.Contains(r.stderr, "backup.json") {
		t.Errorf("told more than once:\n%s", r.stderr)
	}
	s.configure(yaml + "nonsense: 1\n")
	s.want(exitConfig, []string{"backup"}, "nonsense")
	if st := s.run("status", "--only", "database"); strings.Contains(st.stdout, "FAILED") {
		t.Errorf("root's own mistake:\n%s", st.stdout)
	}
	as("postgres", "backup").check(t, "as postgres", exitConfig, "nonsense")
	if st := s.run("status", "--only", "database"); !strings.Contains(st.stdout, "FAILED") || !strings.Contains(st.stdout, "nonsense") {
		t.Errorf("status:\n%s", st.stdout)
	}
	s.configure(yaml)
	eventually(t, "a backup", 10*time.Second, func() bool { return as("postgres", "backup").code == exitOK })
	if st := s.run("status", "--only", "database"); strings.Contains(st.stdout, "FAILED") {
		t.Errorf("status:\n%s", st.stdout)
	}
}

// What keeps a backup from being tested says nothing against it.
func TestBackupNotTested(t *testing.T) {
	t.Parallel()
	s := backupSite(t, "")
	s.insert()
	s.backup()
	untested := func(what string, code int, says ...string) {
		t.Helper()
		s.want(code, []string{"backup", "--verify", "--scheduled"}, says...)
		if st := s.run("status", "--only", "database"); !strings.Contains(st.stdout, "1 kept") || strings.Contains(st.stdout, "NOT FIT") {
			t.Errorf("%s: status:\n%s", what, st.stdout)
		}
	}
	other := s.dial("postgres")
	if _, err := other.Exec(t.Context(), "SELECT pg_advisory_lock(1936552044, hashtext('restore'))").ReadAll(); err != nil {
		t.Fatal(err)
	}
	untested("a restore is at work", exitTryAgain, "another sessiondbd restore is at work")
	_ = other.Close(t.Context())
	yaml := s.read("config.yaml")
	s.configure(yaml + "nonsense: 1\n")
	untested("no config", exitConfig, "nonsense")
	s.configure(yaml)
	// In the middle of it.
	s.sql("sessiondb", "INSERT INTO session (messages) SELECT to_jsonb(repeat(md5(n::text), 100)) FROM generate_series(1, 30000) n")
	s.sh("rm " + s.path("backups/*"))
	s.backup()
	for what, interrupt := range map[string]func(*lab.Process){
		"a signal":          func(p *lab.Process) { _ = p.Signal(syscall.SIGTERM) },
		"PostgreSQL's stop": func(*lab.Process) { s.must(s.Stop(t.Context())); s.must(s.Start(t.Context())) },
	} {
		p, err := s.ns.StartCommand(t.Context(), s.command("backup", "--verify"))
		s.must(err)
		eventually(t, "it is being loaded", 10*time.Second, func() bool { return s.beside() != "" })
		interrupt(p)
		<-p.Done()
		if st := s.run("status", "--only", "database"); strings.Contains(st.stdout, "NOT FIT") || strings.Contains(st.stdout, "restored for a test") {
			t.Errorf("interrupted by %s: status:\n%s", what, st.stdout)
		}
	}
	s.must(s.Stop(t.Context()))
	untested("PostgreSQL is away", exitUnavailable, "not running")
}

// A server that stops under pg_dump is one that is away: it is tried again. Either pg_dump notices first, or we do.
func TestBackupServerStops(t *testing.T) {
	t.Parallel()
	s := backupSite(t, "")
	s.sql("sessiondb", "INSERT INTO session (messages) SELECT to_jsonb(repeat(md5(n::text), 100)) FROM generate_series(1, 100000) n; CHECKPOINT")
	stunned := func(ctx context.Context) error {
		if out, err := exec.CommandContext(ctx, "pkill", "-STOP", "-f", "--", "--file="+s.path("backups/")).CombinedOutput(); err != nil {
			return fmt.Errorf("pkill: %w: %s", err, out)
		}
		return s.Crash(ctx)
	}
	for how, stop := range map[string]func(context.Context) error{"stopped": s.Stop, "crashed": s.Crash, "crashed, and pg_dump is the last to know": stunned} {
		stopped := make(chan result, 1)
		go func() { stopped <- s.run("backup") }()
		eventually(t, "pg_dump writes", 20*time.Second, func() bool {
			if len(stopped) > 0 {
				t.Fatalf("before it was %s: %+v", how, <-stopped)
			}
			return s.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY public.session %'") == "1"
		})
		s.must(stop(t.Context()))
		r := <-stopped
		r.check(t, how, exitUnavailable, "PostgreSQL was stopped or restarted meanwhile")
		s.must(s.Start(t.Context()))
	}
	s.backup()
}

// What only an administrator may make again is in no backup, so that each can be restored.
func TestBackupWithPublications(t *testing.T) {
	t.Parallel()
	s := backupSite(t, "")
	s.insert()
	s.sql("sessiondb", "CREATE PUBLICATION everything FOR ALL TABLES")
	s.sql("sessiondb", "CREATE SUBSCRIPTION far CONNECTION 'host=none.invalid password=x' PUBLICATION p WITH (connect = false)")
	s.backup()
	s.want(exitOK, []string{"backup", "--verify"}, "can be restored")
	s.want(exitOK, []string{"restore", s.path("backups/" + s.backups(".dump")[0])}, "50 sessions")
}

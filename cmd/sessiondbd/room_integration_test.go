//go:build integration

package main

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sessiondbd/internal/lab"
)

// A backup or a restore that would fill the disk of the server's data ends before PostgreSQL lacks room for its log, and says so;
// once there is room, it goes through. Nobody in the VMs notices.
func TestRoomIsLeft(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{Settings: map[string]string{"max_wal_size": "64MB", "min_wal_size": "32MB"}})
	s.must(s.Stop(t.Context()))
	small := func(argv ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", argv, err, out)
		}
	}
	whole := t.TempDir()
	small("cp", "-a", s.DataDir+"/.", whole)
	small("mount", "-t", "tmpfs", "-o", "size=1g,mode=0700", "none", s.DataDir)
	t.Cleanup(func() { _ = unix.Unmount(s.DataDir, unix.MNT_DETACH) }) // runs before the server's own end
	small("cp", "-a", whole+"/.", s.DataDir)
	small("chown", "postgres:", s.DataDir)
	s.must(s.Start(t.Context()))
	s.configure(s.read("config.yaml") + "backup: {directory: " + s.DataDir + "/backups}\n")
	s.apply()
	s.insert()
	rows, filler := s.rows(), s.DataDir+"/filler"
	slow := s.changed(s.dumped("slow.sql"), "SET statement_timeout", "SELECT pg_sleep(60);\nSET statement_timeout")
	fill := func() {
		t.Helper()
		small("fallocate", "-l", "700M", filler)
	}
	const says = "there is too little room on the disk"

	p, err := s.ns.StartCommand(t.Context(), s.command("restore", slow))
	s.must(err)
	eventually(t, "the restore is at work", 30*time.Second, func() bool {
		return s.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1"
	})
	fill()
	begin := time.Now()
	var exit *exec.ExitError
	if err := p.Wait(t.Context()); !errors.As(err, &exit) || exit.ExitCode() != exitTryAgain || !strings.Contains(p.Output(), says) || !strings.Contains(p.Output(), "the database in service is as it was") || time.Since(begin) > 20*time.Second {
		t.Errorf("%v after %s: %s", err, time.Since(begin), p.Output())
	}
	s.want(exitFailure, []string{"backup"}, "was not written", says)
	if st := s.run("status", "--only", "database"); !strings.Contains(st.stdout, says) {
		t.Errorf("status:\n%s", st.stdout)
	}
	if left := s.beside(); left != "" || s.rows() != rows {
		t.Errorf("left: %s", left)
	}
	small("rm", filler)
	s.want(exitOK, []string{"backup"})
	fill()
	s.want(exitTryAgain, []string{"backup", "--verify"}, "could not be tested", says) // no fault of the backup's
	small("rm", filler)
	s.want(exitOK, []string{"backup", "--verify"})
	s.want(exitOK, []string{"restore", s.dumped("it.sql")}, "50 sessions")
	s.inSync()
}

//go:build integration

package main

import (
	"os"
	"regexp"
	"strings"
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
	_ = vm.Close(t.Context()) // if the restore did not end it: who reads the rows would wait for it
	if took := time.Since(begin); took > 20*time.Second || s.rows() != rows {
		t.Errorf("it took %s, or the rows are not as they were", took)
	}
	s.inSync()
}

// A transaction that was prepared belongs to nobody who could be ended: it is told before anything is loaded.
func TestRestorePrepared(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{Settings: map[string]string{"max_prepared_transactions": "4"}})
	s.apply()
	rows, path := s.insert(), s.dumped("it.sql")
	s.sql("sessiondb", `SET ROLE sessionuser; BEGIN; INSERT INTO session DEFAULT VALUES; PREPARE TRANSACTION E'it''s\033[2J mine'`)
	for _, args := range [][]string{{"restore", path}, {"restore", path, "--dry-run"}} {
		r := s.want(exitRefused, args, "of sessionuser, for 00:0", "ROLLBACK PREPARED 'it''s?[2J mine' or COMMIT PREPARED", "sudo -u postgres psql sessiondb")
		if strings.Contains(r.stdout, "into a database beside") || s.beside() != "" || s.rows() != rows {
			t.Errorf("something was loaded, is left or changed: %s", s.beside())
		}
	}
	s.sql("sessiondb", `ROLLBACK PREPARED E'it''s\033[2J mine'`)
	s.want(exitOK, []string{"restore", path}, "50 sessions")
}

// The pause that a killed restore has left ends with the next one; an administrator's stays.
func TestRestoreTakesPauseOver(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	s.insert()
	path, file := s.dumped("it.sql"), "state/pause.json"
	s.want(exitOK, []string{"pause", "--for", "10m"})
	admins := s.read(file)
	s.write(file, regexp.MustCompile(`"by":"[^"]*"`).ReplaceAllString(admins, `"by":"restore"`))
	s.want(exitOK, []string{"restore", path}, "50 sessions")
	if _, err := os.Stat(s.path(file)); err == nil {
		t.Error("the pause of the restore that was killed is still on")
	}
	s.write(file, admins)
	s.want(exitOK, []string{"restore", path}, "50 sessions")
	if s.read(file) != admins {
		t.Error("the administrator's pause is not as it was")
	}
}

// Whoever may administer the database may restore it: for a password that only root reads there is no need, and it stays.
func TestRestoreAsDatabaseUser(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.must(os.WriteFile(s.path("state/only.root"), []byte("a-password-of-its-own"), 0o600))
	s.configure(strings.Replace(s.read("config.yaml"), "none-such", "only.root", 1))
	s.apply()
	rows, path := s.insert(), s.dumped("it.sql")
	const verifier = "SELECT md5(rolpassword) FROM pg_authid WHERE rolname = 'sessionuser'"
	password := s.sql("postgres", verifier)
	s.runIn([]string{"sh", "-c", `runuser -u postgres -- "$@" - < "$0"`, path}, "restore").check(t, "restore", exitOK, "50 sessions", "Everything is as the config says")
	if s.sql("postgres", verifier) != password || s.rows() != rows {
		t.Error("the password or the rows are not as they were")
	}
	s.inSync()
}

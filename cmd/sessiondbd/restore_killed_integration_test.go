//go:build integration

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/operate"
)

// beside lists the databases that restores make.
func (s *site) beside() string {
	s.t.Helper()
	return s.sql("postgres", "SELECT coalesce(string_agg(datname, ' ' ORDER BY datname), '') FROM pg_database WHERE datname LIKE 'sessiondb\\_%'")
}

// Killed anywhere, either the old or the new database serves, and is known for the right one; the next restore goes through
// and clears away what is left. The daemon runs all the while.
func TestRestoreKilledAnywhere(t *testing.T) {
	t.Parallel()
	rounds := 12
	if os.Getenv("SESSIONDBD_SOAK") != "" {
		rounds = 150
	}
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	s.insert()
	path := s.dumped("it.dump", "-Fc")
	daemon, err := s.ns.StartCommand(t.Context(), s.command("run"))
	s.must(err)
	t.Cleanup(func() { _ = daemon.Kill() })
	eventually(t, "converged", 20*time.Second, func() bool { return s.run("status").code == 0 })
	begin := time.Now()
	s.want(exitOK, []string{"restore", path})
	whole := time.Since(begin)
	old, fresh := 0, 0
	for round := range rounds {
		s.sql("sessiondb", "DELETE FROM session; INSERT INTO session DEFAULT VALUES")
		p, err := s.ns.StartCommand(t.Context(), s.command("restore", path))
		s.must(err)
		// Most of it loads; the swap is at the end.
		after := whole * time.Duration(round) / time.Duration(rounds)
		if round%2 == 1 {
			after = whole*7/10 + rand.N(whole*3/10)
		}
		time.Sleep(after)
		_ = p.Signal(syscall.SIGKILL)
		<-p.Done()
		var n string
		eventually(t, "somebody serves", 10*time.Second, func() bool {
			n, err = s.PSQL(t.Context(), "sessiondb", "SELECT count(*) FROM session")
			return err == nil
		})
		switch n {
		case "1":
			old++
		case "50":
			fresh++
		default:
			t.Errorf("killed after %s: %s rows", after, n)
		}
		if r := s.run("plan", "--only", "database"); r.code != exitOK && r.code != exitPending {
			t.Errorf("killed after %s: plan: exit %d\n%s%s", after, r.code, r.stdout, r.stderr)
		}
		s.want(exitOK, []string{"resume"})
		eventually(t, "converged", 20*time.Second, func() bool { return s.run("status").code == 0 })
	}
	t.Logf("%d kills within %s: %d times the old database served on, %d times the new one", rounds, whole.Round(time.Millisecond), old, fresh)
	s.want(exitOK, []string{"restore", path})
	if left := s.beside() + s.sql("postgres", "SELECT rolname FROM pg_roles WHERE rolname = '"+operate.Restorer+"'"); strings.Contains(left, "restor") {
		t.Errorf("left: %s", left)
	}
	s.inSync()
}

// Clients of a VM that are in the middle of their work reconnect, and lose nothing but what they were told was not done. A
// pause of the administrator's stays, and a second restore waits for nobody.
func TestRestoreUnderTraffic(t *testing.T) {
	t.Parallel()
	hv := lab.TopologyT(t, lab.TopologyOptions{VMs: 2})
	s := newSite(t, lab.ClusterOptions{Namespace: hv.Router})
	s.apply()
	s.insert()
	path := s.dumped("it.sql")
	daemon, err := s.ns.StartCommand(t.Context(), s.command("run"))
	s.must(err)
	t.Cleanup(func() { _ = daemon.Kill() })
	eventually(t, "converged", 20*time.Second, func() bool { return s.run("status").code == 0 })
	var writers []*lab.Process
	for _, vm := range hv.VMs() {
		w, err := vm.StartCommand(t.Context(), lab.Command{
			Env:  []string{"PGHOST=" + vm.Gateway, "PGUSER=sessionuser", "PGDATABASE=sessiondb", "PGPASSWORD=" + documented},
			Argv: []string{"sh", "-c", `while :; do "$0" -XAtqc "INSERT INTO session (inbox_status) VALUES ('pending') RETURNING id" 2>&1; sleep 0.02; done`, realPSQL(t)},
		})
		s.must(err)
		writers = append(writers, w)
	}
	time.Sleep(300 * time.Millisecond)
	kept := []string{}
	for range 3 {
		r := s.want(exitOK, []string{"restore", path}, "Everything is as the config says", "may have been refused once")
		_, name, _ := strings.Cut(r.stdout, "dropdb ")
		kept = append(kept, strings.TrimSpace(name))
		time.Sleep(300 * time.Millisecond)
	}
	eventually(t, "converged", 20*time.Second, func() bool { return s.run("status").code == 0 })
	for _, w := range writers {
		_ = w.Kill()
		<-w.Done()
	}
	stored := map[string]bool{}
	for _, db := range append(kept, "sessiondb") {
		for id := range strings.Lines(s.sql(db, "SELECT id FROM session")) {
			stored[strings.TrimSpace(id)] = true
		}
	}
	for i, w := range writers {
		told, failed := 0, 0
		for line := range strings.Lines(w.Output()) {
			switch line = strings.TrimSpace(line); {
			case len(line) != 36 || strings.Contains(line, " "):
				failed++
			case stored[line]:
				told++
			default:
				t.Errorf("VM %d: row %s, which it was told is stored, is in no database", i+1, line)
			}
		}
		t.Logf("VM %d: %d rows stored, %d lines of errors in three swaps", i+1, told, failed)
		if told < 10 || failed > 60 {
			t.Errorf("VM %d: %d rows, %d errors:\n%s", i+1, told, failed, w.Output()[:min(2000, len(w.Output()))])
		}
	}
	s.want(exitOK, []string{"pause"})
	s.want(exitOK, []string{"restore", path})
	s.want(1, []string{"status"}, "paused")
	s.want(exitOK, []string{"resume"})
	other := s.dial("postgres")
	if _, err := other.Exec(t.Context(), "SELECT pg_advisory_lock(1936552044, hashtext('restore'))").ReadAll(); err != nil {
		t.Fatal(err)
	}
	s.want(exitTryAgain, []string{"restore", path}, "another sessiondbd restore is at work")
}

// A database that is gone is what restores are for; one that somebody else made in its place is not touched, and neither is
// another server.
func TestRestoreWhatIsGone(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	rows, path := s.insert(), s.dumped("it.dump", "-Fc")
	s.sql("postgres", "DROP DATABASE sessiondb")
	s.want(exitRefused, []string{"apply"}, "is gone")
	s.want(exitOK, []string{"restore", "--dry-run", path}, "50 sessions", "no database")
	r := s.want(exitOK, []string{"restore", path}, "before: no database")
	if strings.Contains(r.stdout, "dropdb") || s.rows() != rows {
		t.Errorf("rows %s, want %s\n%s", s.rows(), rows, r.stdout)
	}
	s.inSync()
	s.sql("postgres", "DROP DATABASE sessiondb")
	s.sql("postgres", "CREATE DATABASE sessiondb")
	for _, args := range [][]string{{"restore", path}, {"restore", "--dry-run", path}} {
		s.want(exitRefused, args, "is not the one that was provisioned", "--accept-new-database")
	}
	s.want(exitOK, []string{"apply", "--accept-new-database"})
	s.want(exitOK, []string{"restore", path}, "before: 0")
	if s.rows() != rows {
		t.Errorf("rows %s, want %s", s.rows(), rows)
	}
	s.write("state/identity.json", replaceCluster(s.read("state/identity.json"), "1"))
	s.want(exitRefused, []string{"restore", path}, "cluster")
	bare := newSite(t, lab.ClusterOptions{})
	bare.want(exitRefused, []string{"restore", path}, "never provisioned", "sudo sessiondbd apply")
	if left := bare.beside(); left != "" {
		t.Errorf("left: %s", left)
	}
}

// Dumps of a database that the oneshot made come back on every version, as archive and as SQL, as databases of ours. (Debian
// has pg_dump 15 alone, which dumps servers up to its own version.)
func TestRestoreVersions(t *testing.T) {
	t.Parallel()
	// An adoption gives times to rows without.
	content := func(s *site) string {
		return s.sql("sessiondb", "SELECT count(*), md5(string_agg(concat_ws('|', id, messages, inbox_status, sbx_config, parent), ',' ORDER BY id)) FROM public.session")
	}
	type dumped struct{ name, path, rows string }
	var dumps []dumped
	bindirs := map[int]string{}
	for _, major := range lab.Majors() {
		bindirs[major] = lab.BindirT(t, major)
	}
	for _, major := range []int{14, 15} {
		s := newSite(t, lab.ClusterOptions{Bindir: bindirs[major], LegacyRows: true})
		for _, form := range []string{"-Fc", "-Fp"} {
			dumps = append(dumps, dumped{fmt.Sprintf("%d %s", major, form), s.dumped("it"+form, form), content(s)})
		}
	}
	for _, major := range lab.Majors() {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, lab.ClusterOptions{Bindir: bindirs[major]})
			s.apply()
			for _, d := range dumps {
				s.want(exitOK, []string{"restore", d.path}, "schema/")
				if got := content(s); got != d.rows {
					t.Errorf("%s: rows %s, want %s", d.name, got, d.rows)
				}
				s.inSync()
			}
		})
	}
}

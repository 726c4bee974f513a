//go:build integration

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// backupSite is a site with a folder for backups.
func backupSite(t *testing.T, more string) *site {
	t.Helper()
	s := newSite(t, lab.ClusterOptions{})
	s.must(os.Mkdir(s.path("backups"), 0o755))
	s.own(s.path("backups"))
	s.configure(fmt.Sprintf(siteConfig, s.connection(), "postgres") + "backup: {directory: " + s.path("backups") + ", keep: 3" + more + "}\n")
	s.apply()
	return s
}

// backups lists the folder's files without their folder.
func (s *site) backups(end string) []string {
	s.t.Helper()
	all, err := filepath.Glob(s.path("backups/*" + end))
	s.must(err)
	hidden, err := filepath.Glob(s.path("backups/.[a-z]*" + end))
	s.must(err)
	names := []string{}
	for _, path := range append(all, hidden...) {
		names = append(names, filepath.Base(path))
	}
	return names
}

// backup makes one more, in a second of its own.
func (s *site) backup() result {
	s.t.Helper()
	var r result
	eventually(s.t, "a backup", 20*time.Second, func() bool { r = s.run("backup"); return r.code != exitTryAgain })
	r.check(s.t, "backup", exitOK, "sessions")
	return r
}

// A backup is whole, private, holds what was there at one moment while VMs write, can be checked and restored by hand, and
// is one of so many.
func TestBackup(t *testing.T) {
	t.Parallel()
	s := backupSite(t, "")
	s.insert()
	writer, err := s.ns.StartCommand(t.Context(), lab.Command{
		Env:  []string{"PGHOST=127.0.0.1", "PGUSER=sessionuser", "PGDATABASE=sessiondb", "PGPASSWORD=" + documented},
		Argv: []string{"sh", "-c", `while :; do "$0" -XAtqc "INSERT INTO session DEFAULT VALUES" >/dev/null 2>&1; done`, realPSQL(t)},
	})
	s.must(err)
	for range 5 {
		s.backup()
	}
	_ = writer.Kill()
	dumps := s.backups(".dump")
	if len(dumps) != 3 || len(s.backups("")) != 12 {
		t.Fatalf("these are not three backups of four files: %v", s.backups(""))
	}
	for _, name := range s.backups("") {
		fi, err := os.Stat(s.path("backups/" + name))
		s.must(err)
		if fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %s", name, fi.Mode())
		}
	}
	if fi, err := os.Stat(s.path("backups")); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v %v", fi.Mode(), err)
	}
	check := exec.CommandContext(t.Context(), "sh", "-c", "sha256sum -c *.sha256")
	check.Dir = s.path("backups")
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
	roles := s.read("backups/" + strings.TrimSuffix(dumps[2], ".dump") + ".roles.sql")
	s.noSecret("roles", roles)
	if !strings.Contains(roles, `CREATE ROLE "sessionuser" WITH NOSUPERUSER`) || !strings.Contains(roles, "sessiondb_owner") {
		t.Errorf("roles:\n%s", roles)
	}
	s.want(exitOK, []string{"backup", "--verify"}, "can be restored", dumps[2])
	if left := s.beside(); left != "" {
		t.Errorf("left: %s", left)
	}
	s.want(exitOK, []string{"restore", s.path("backups/" + dumps[0])}, "archive of pg_dump")
	s.inSync()
	st := s.run("status", "--only", "database")
	if !strings.Contains(st.stdout, "backup") || !strings.Contains(st.stdout, "3 kept, restored for a test") {
		t.Errorf("status:\n%s", st.stdout)
	}
}

// What keeps a backup from being written is told, and shown from then on; those before stay, and the next good one ends it.
func TestBackupFails(t *testing.T) {
	t.Parallel()
	s := backupSite(t, "")
	s.insert()
	s.backup()
	before := s.backups("")
	fails := func(name string, code int, says ...string) {
		t.Helper()
		time.Sleep(1100 * time.Millisecond)
		r := s.want(code, []string{"backup"}, says...)
		if got := s.backups(""); strings.Join(got, " ") != strings.Join(before, " ") {
			t.Errorf("%s: the folder holds %v, held %v\n%s", name, got, before, r.stderr)
		}
		st := s.run("status", "--only", "database")
		if failed := strings.Contains(st.stdout, "FAILED"); failed != (code != exitTryAgain) {
			t.Errorf("%s: status:\n%s", name, st.stdout)
		}
	}
	s.want(exitOK, []string{"pause"})
	fails("paused", exitTryAgain, "paused", "resume")
	s.want(exitOK, []string{"resume"})
	other := s.dial("postgres")
	if _, err := other.Exec(t.Context(), "SELECT pg_advisory_lock(1936552044, hashtext('backup'))").ReadAll(); err != nil {
		t.Fatal(err)
	}
	fails("another", exitTryAgain, "another sessiondbd backup is at work")
	_ = other.Close(t.Context())

	full := s.path("backups")
	kept := s.path("kept")
	s.sh("cp -a " + full + " " + kept)
	s.sql("sessiondb", "INSERT INTO session (messages) SELECT to_jsonb(string_agg(md5(random()::text), '')) FROM generate_series(1, 100000) n GROUP BY n % 10")
	mountIn := []string{"unshare", "--mount", "--propagation=private", "sh", "-c", `mount -t tmpfs -o size=1m,mode=0700,uid=$(id -u postgres) none "$1"; cp -a "$2"/. "$1"; shift 2; "$@"; code=$?; ls -A "$0" | wc -l >&2; exit $code`, full, full, kept}
	r := s.runIn(mountIn, "backup")
	r.check(t, "full", exitFailure, "No space left", fmt.Sprint(len(before)))
	s.must(os.Chmod(full, 0o500))
	s.sh("chown root:root " + full)
	fails("not ours", exitNotAllowed, "belongs to root, and backups are made as postgres", "install -d -o postgres")
	s.own(full)
	s.must(os.Chmod(full, 0o755))
	s.write("backups/notes.txt", "of somebody's")
	s.want(exitRefused, []string{"backup"}, "is open to others (drwxr-xr-x) and holds what is no backup, notes.txt", "chmod 0700")
	if fi, err := os.Stat(full); err != nil || fi.Mode().Perm() != 0o755 {
		t.Errorf("the folder was changed: %v %v", fi.Mode(), err)
	}
	s.must(os.Remove(s.path("backups/notes.txt")))
	s.sql("postgres", "ALTER DATABASE sessiondb RENAME TO aside")
	fails("the database is gone", exitRefused, "is gone")
	s.sql("postgres", "ALTER DATABASE aside RENAME TO sessiondb")
	s.sql("sessiondb", "ALTER TABLE session RENAME TO aside")
	fails("the table is gone", exitRefused, "no table session")
	s.sql("sessiondb", "ALTER TABLE aside RENAME TO session")
	s.must(s.Stop(t.Context()))
	fails("PostgreSQL is away", exitUnavailable, "not running")
	s.must(s.Start(t.Context()))
	eventually(t, "a backup again", 10*time.Second, func() bool { return s.run("backup").code == exitOK })
	if st := s.run("status", "--only", "database"); strings.Contains(st.stdout, "FAILED") {
		t.Errorf("status after a good one:\n%s", st.stdout)
	}
}

// The administrator's command gets each backup; one that fails, or reads the half, is told of.
func TestBackupUpload(t *testing.T) {
	t.Parallel()
	s := backupSite(t, ", upload: []")
	to := t.TempDir()
	s.must(os.Chmod(filepath.Dir(to), 0o755))
	s.must(os.Chmod(to, 0o777))
	yaml := s.read("config.yaml")
	with := func(command string) { s.configure(strings.Replace(yaml, "upload: []", "upload: ["+command+"]", 1)) }
	with("sh, -c, 'cat > \"$0\"', '" + to + "/{file}'")
	s.backup()
	name := s.backups(".dump")[0]
	if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != s.read("backups/"+name) {
		t.Errorf("uploaded: %v, %d bytes", err, len(got))
	}
	with("sh, -c, 'cat > /dev/null; sleep 15 &'")
	time.Sleep(1100 * time.Millisecond)
	begin := time.Now()
	s.runIn([]string{"sh", "-c", `"$@" >/dev/null 2>&1`, "sh"}, "backup").check(t, "a command that leaves something running", exitOK)
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("waited for what the command left running: %s", took)
	}
	with("cp, /dev/stdin, '" + to + "/copy'")
	s.backup()
	if got, err := os.ReadFile(filepath.Join(to, "copy")); err != nil || string(got) != s.read("backups/"+s.backups(".dump")[2]) {
		t.Errorf("copied: %v, %d bytes", err, len(got))
	}
	for command, says := range map[string]string{
		"sh, -c, 'cat > /dev/null; echo no bucket; echo key 4711 >&2; exit 3'": "exit status 3; what it said", "head, -c, '100'": "has read", "none-such": "none-such",
	} {
		with(command)
		time.Sleep(1100 * time.Millisecond)
		r := s.want(exitFailure, []string{"backup"}, "is written, and not uploaded", says)
		if strings.Contains(command, "4711") && (!strings.Contains(r.stderr, "no bucket\nkey 4711\n") || strings.Contains(s.read("state/backup.json"), "4711")) {
			t.Errorf("what a command says belongs on standard error and nowhere else:\n%s%s", r.stderr, s.read("state/backup.json"))
		}
		if st := s.run("status", "--only", "database"); !strings.Contains(st.stdout, "FAILED") || !strings.Contains(st.stdout, "not uploaded") {
			t.Errorf("status:\n%s", st.stdout)
		}
	}
}

// A backup that somebody has damaged, or that lacks a row, is found; so is one that cannot be told of any more.
func TestBackupVerify(t *testing.T) {
	t.Parallel()
	s := backupSite(t, "")
	s.insert()
	s.want(exitTryAgain, []string{"backup", "--verify"}, "no backup")
	s.want(exitOK, []string{"backup", "--verify", "--scheduled"}, "no backup")
	s.want(exitUsage, []string{"backup", "--scheduled"}, "--verify")
	s.backup()
	name := strings.TrimSuffix(s.backups(".dump")[0], ".dump")
	path := s.path("backups/" + name)
	dump, content := s.read(path+".dump"), s.read(path+".json")
	unfit := func(says string) {
		t.Helper()
		s.want(exitFailure, []string{"backup", "--verify"}, says, name)
		if st := s.run("status", "--only", "database"); !strings.Contains(st.stdout, "NOT FIT") {
			t.Errorf("status:\n%s", st.stdout)
		}
		if left := s.beside(); left != "" {
			t.Errorf("left: %s", left)
		}
	}
	s.write(path+".dump", dump[:len(dump)/2]+"x"+dump[len(dump)/2+1:])
	unfit("checksum differs")
	for _, dry := range []string{"--dry-run=true", "--dry-run=false"} {
		s.want(exitRefused, []string{"restore", path + ".dump", dry}, "is not as it was written: its SHA-256 is ", "the database in service is as it was")
		s.runIn([]string{"runuser", "-u", "postgres", "--"}, "restore", path+".dump", dry).check(t, "as postgres", exitRefused, "is not as it was written")
	}
	s.write(path+".dump", dump)
	sum := s.read(path + ".dump.sha256")
	s.write(path+".dump.sha256", "sum")
	s.want(exitRefused, []string{"restore", path + ".dump"}, "no checksum as sha256sum writes it")
	s.write(path+".dump.sha256", sum)
	s.want(exitOK, []string{"restore", path + ".dump", "--dry-run"}, "its checksum agrees", "holds 50 sessions")
	s.write(path+".json", strings.Replace(content, `"public.session": 50`, `"public.session": 51`, 1))
	unfit("public.session has 50 rows, and had 51")
	s.write(path+".json", "{")
	unfit("is not known")
	time.Sleep(1100 * time.Millisecond)
	s.want(exitOK, []string{"backup"})
	if st := s.run("status", "--only", "database"); !strings.Contains(st.stdout, "NOT FIT") || !strings.Contains(st.stdout, "whether a newer one is fit is not known") {
		t.Errorf("status:\n%s", st.stdout)
	}
	s.sh("rm " + s.path("backups/"+strings.TrimSuffix(s.backups(".dump")[1], "dump")+"*"))
	s.write(path+".json", content)
	s.want(exitOK, []string{"backup", "--verify"}, "50 sessions")
	if st := s.run("status", "--only", "database"); strings.Contains(st.stdout, "NOT FIT") {
		t.Errorf("status:\n%s", st.stdout)
	}
	s.sql("sessiondb", "DROP TRIGGER update_session_updated_at ON session")
	time.Sleep(1100 * time.Millisecond)
	s.want(exitOK, []string{"backup"})
	s.want(exitFailure, []string{"backup", "--verify"}, "not as it should be", "update_session_updated_at")
}

// Killed anywhere, whatever has a backup's name is whole, and the next one clears the rest away.
func TestBackupKilledAnywhere(t *testing.T) {
	t.Parallel()
	rounds := 12
	if os.Getenv("SESSIONDBD_SOAK") != "" {
		rounds = 150
	}
	s := backupSite(t, "")
	s.insert()
	begin := time.Now()
	s.backup()
	whole := time.Since(begin)
	for range rounds {
		p, err := s.ns.StartCommand(t.Context(), s.command("backup"))
		s.must(err)
		time.Sleep(rand.N(whole))
		_ = p.Signal(syscall.SIGKILL)
		<-p.Done()
		for _, name := range s.backups(".dump") {
			check := exec.CommandContext(t.Context(), "sha256sum", "-c", name+".sha256")
			check.Dir = s.path("backups")
			if out, err := check.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
	}
	s.backup()
	if files, dumps := s.backups(""), s.backups(".dump"); len(files) != 4*len(dumps) || len(dumps) > 3 {
		t.Errorf("after %d kills: %v", rounds, files)
	}
	s.want(exitOK, []string{"backup", "--verify"})
}

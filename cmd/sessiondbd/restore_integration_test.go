//go:build integration

package main

import (
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"sessiondbd/internal/lab"
)

// dumped runs pg_dump of the session database and returns the file, which only root may read.
func (s *site) dumped(name string, args ...string) string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), name)
	cmd := exec.CommandContext(s.t.Context(), "runuser", append([]string{"-u", "postgres", "--", pgDump(s.t), "-h", s.Socket, "sessiondb"}, args...)...)
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	s.must(err)
	var says strings.Builder
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, &says, "/"
	cmd.Env = append(os.Environ(), "PGOPTIONS=-c statement_timeout=0") // its first question comes before it sets that itself
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("pg_dump: %v: %s", err, says.String())
	}
	s.must(out.Close())
	return path
}

// pgDump is Debian's; the servers of the other versions come without.
func pgDump(t *testing.T) string { return filepath.Join(filepath.Dir(realPSQL(t)), "pg_dump") }

func (s *site) squeezed(path, how string) string {
	s.t.Helper()
	f, err := os.Create(path + "." + how)
	s.must(err)
	switch how {
	case "gz":
		w := gzip.NewWriter(f)
		_, err = w.Write([]byte(s.read(path)))
		s.must(err)
		s.must(w.Close())
	case "zst":
		w, err := zstd.NewWriter(f)
		s.must(err)
		_, err = w.Write([]byte(s.read(path)))
		s.must(err)
		s.must(w.Close())
	}
	s.must(f.Close())
	return f.Name()
}

// changed is a copy of a file with another text in one place.
func (s *site) changed(path, old, text string) string {
	s.t.Helper()
	to := path + ".changed"
	s.must(os.WriteFile(to, []byte(strings.Replace(s.read(path), old, text, 1)), 0o600))
	return to
}

// Every form in which a dump may come brings the same rows back; the database before is kept, with what was in it.
func TestRestoreForms(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	s.insert()
	s.sql("sessiondb", `INSERT INTO session (messages, parent) SELECT E'{"text": "a ; $$ \\\\. \\n '' tab\\t"}', id FROM session LIMIT 5;
		CREATE TABLE notes (id int PRIMARY KEY, text text); INSERT INTO notes VALUES (1, E'\\.\n\\connect postgres\n$x$');
		SELECT lo_from_bytea(4711, convert_to(repeat('large; object', 30000), 'UTF8'))`)
	const besides = "SELECT n, md5(lo_get(4711)) FROM notes n"
	rows, notes := s.rows(), s.sql("sessiondb", besides)
	plain := s.dumped("plain.sql")
	for name, path := range map[string]string{
		"archive": s.dumped("archive.dump", "-Fc"), "tar": s.dumped("archive.tar", "-Ft"), "SQL": plain,
		"with a mark of bytes": s.changed(plain, "--", "\xef\xbb\xbf--"), "SQL, gzip": s.squeezed(plain, "gz"), "SQL, zstd": s.squeezed(plain, "zst"), "archive, gzip": s.squeezed(s.dumped("again.dump", "-Fc"), "gz"),
		"with the database": s.dumped("create.sql", "-C", "--clean", "--if-exists"), "cleaning": s.dumped("clean.sql", "--clean"),
		"of a newer server": s.changed(plain, "SET statement_timeout", "\\restrict abc\nSET transaction_timeout = 0;\nSET statement_timeout"),
		"inserts":           s.dumped("inserts.sql", "--inserts"), "column inserts": s.dumped("columns.sql", "--column-inserts"),
	} {
		s.sql("sessiondb", "DELETE FROM session; INSERT INTO session DEFAULT VALUES; TRUNCATE notes; SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
		other := s.rows()
		r := s.want(exitOK, []string{"restore", path}, "55 sessions", "before: 1", "dropdb")
		if got := s.rows(); got != rows {
			t.Errorf("%s: rows %s, want %s", name, got, rows)
		}
		if got := s.sql("sessiondb", besides); got != notes {
			t.Errorf("%s: notes %q, want %q", name, got, notes)
		}
		_, kept, _ := strings.Cut(r.stdout, "dropdb ")
		kept = strings.TrimSpace(kept)
		if got := s.sql(kept, "SELECT count(*), md5(string_agg(s::text, ',' ORDER BY id)) FROM public.session s"); got != other {
			t.Errorf("%s: %s holds %s, want %s", name, kept, got, other)
		}
		s.inSync()
		if name == "archive" {
			r := s.want(exitOK, []string{"restore", "--kept", kept}, "1 sessions, before: 55")
			if got := s.rows(); got != other {
				t.Errorf("%s is back with %s, want %s", kept, got, other)
			}
			s.inSync()
			_, kept, _ = strings.Cut(r.stdout, "dropdb ")
			kept = strings.TrimSpace(kept)
		}
		s.sql("postgres", `DROP DATABASE "`+kept+`"`)
		if left := s.sql("postgres", "SELECT string_agg(datname, ' ') FROM pg_database WHERE datname LIKE 'sessiondb\\_%'"); left != "" {
			t.Errorf("%s: left: %s", name, left)
		}
	}
}

// What cannot be restored is refused with the reason, and leaves nothing behind and nothing changed.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	s.insert()
	rows, files := s.rows(), s.files()
	whole := s.read(s.dumped("whole.sql"))
	archive := s.read(s.dumped("whole.dump", "-Fc"))
	zipped := s.read(s.squeezed(s.dumped("again.sql"), "gz"))
	dir := t.TempDir()
	file := func(content string) string {
		path := filepath.Join(dir, "it")
		s.must(os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	without := func(line string) string { // the rows' table is another
		return strings.ReplaceAll(whole, "public.session", "public.another")
	}
	for _, tt := range []struct {
		name, content string
		code          int
		says          string
	}{
		{"empty", "", exitRefused, "empty"},
		{"not a dump", "hello", exitRefused, "cut off"},
		{"binary", "\x7fELF\x00\x00", exitRefused, "neither SQL nor"},
		{"xz", "\xfd7zXZ\x00", exitRefused, "| sudo sessiondbd restore -"},
		{"bzip2", "BZh91AY&SY", exitRefused, "bzip2 -dc /"},
		{"cut off in rows", whole[:strings.Index(whole, "\\.\n")], exitRefused, "cut off"},
		{"cut off between statements", strings.ReplaceAll(whole, "-- PostgreSQL database dump complete", ""), exitRefused, "cut off"},
		{"compressed and cut off", zipped[:len(zipped)-20], exitRefused, "cut off"},
		{"compressed and damaged", zipped[:len(zipped)-8] + "xxxx" + zipped[len(zipped)-4:], exitRefused, "damaged"},
		{"an archive cut off", archive[:len(archive)/2], exitRefused, "damaged"},
		{"no table session", without("session"), exitRefused, "no table session"},
		{"a program in it", strings.Replace(whole, "SET statement_timeout", "\\! touch /tmp/sessiondbd-was-here\nSET statement_timeout", 1), exitRefused, "command for psql"},
		{"an administrator's work", strings.Replace(whole, "SET statement_timeout", "ALTER SYSTEM SET work_mem = '1GB';\nSET statement_timeout", 1), exitRefused, "whole server"},
		{"an administrator's file", strings.Replace(whole, "SET statement_timeout", "COPY pg_class TO '/tmp/sessiondbd-was-here';\nSET statement_timeout", 1), exitRefused, "COPY"},
		{"an administrator's language", strings.Replace(whole, "SET statement_timeout", "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'x';\nSET statement_timeout", 1), exitRefused, "not as an administrator: leave that out"},
		{"broken JSON", strings.Replace(whole, `{"n": 7}`, `{"n": `, 1), exitRefused, "COPY session, line 7, column messages"},
		{"another type", strings.Replace(whole, "created_at timestamp with time zone", "created_at text", 1), exitRefused, "refused"},
		{"an orphan, and nothing that forbids it", strings.Replace(whole[:strings.Index(whole, "-- Name: session session_parent_fkey")]+"\n-- PostgreSQL database dump complete\n", "pending\t\\N\t\\N", "pending\t\\N\t00000000-0000-0000-0000-000000000000", 1), exitRefused, "refused"},
	} {
		for _, dry := range []bool{true, false} {
			args := []string{"restore", file(tt.content)}
			if dry {
				args = append(args, "--dry-run")
			}
			r := s.run(args...)
			if !dry || r.code != exitOK { // what only the database finds is found there
				r.check(t, tt.name, tt.code, tt.says)
			}
			if left := s.sql("postgres", "SELECT string_agg(datname, ' ') FROM pg_database WHERE datname LIKE 'sessiondb\\_%'"); left != "" || s.rows() != rows || s.files() != files {
				t.Fatalf("%s: something is left or changed: %s", tt.name, left)
			}
		}
	}
	if _, err := os.Stat("/tmp/sessiondbd-was-here"); err == nil {
		t.Error("a file was written")
	}
	s.want(exitUsage, []string{"restore", filepath.Join(dir, "none-such")}, "no such file")
	s.want(exitUsage, []string{"restore"}, "name a FILE")
	s.want(exitUsage, []string{"restore", dir, "--kept", "a"}, "name one of them")
	s.want(exitUsage, []string{"restore", "--dry-run", "--kept", "a"}, "--dry-run and --empty are about a FILE")
	s.want(exitUsage, []string{"restore", "--kept", "postgres"}, "sessiondb_before_")
	s.want(exitUsage, []string{"restore", "--kept", "sessiondb_before_20261123_020000"}, "there is no database")
	s.want(exitRefused, []string{"restore", dir}, "folder")
	s.inSync()
}

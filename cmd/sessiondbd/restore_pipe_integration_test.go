//go:build integration

package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// What a program writes is restored like a file, from standard input and from a pipe with a name.
func TestRestoreFromPipe(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	rows := s.insert()
	sql, archive, pipe := s.dumped("it.sql"), s.dumped("it.dump", "-Fc"), s.path("pipe")
	s.must(syscall.Mkfifo(pipe, 0o600))
	for what, before := range map[string][]string{
		"a program": {"sh", "-c", `cat "$0" | "$@" -`, sql},
		"slowly":    {"sh", "-c", `(head -c 3000 "$0"; sleep 1; tail -c +3001 "$0") | "$@" -`, archive},
		"a file":    {"sh", "-c", `"$@" - < "$0"`, archive},
		"a name":    {"sh", "-c", `(sleep 0.5; cat "$0" > ` + pipe + `) & "$@" ` + pipe, sql},
	} {
		s.runIn(before, "restore").check(t, what, exitOK, "50 sessions from ")
		if s.rows() != rows {
			t.Errorf("%s: the rows are not as they were", what)
		}
	}
	s.runIn([]string{"sh", "-c", `"$@" < /dev/null`, "sh"}, "restore", "-").check(t, "nothing", exitRefused, "empty")
	s.inSync()
}

// A pipe that delivers nothing, or no more, holds nobody who wants to stop.
func TestRestoreInterrupted(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	rows, path := s.insert(), s.dumped("it.sql")
	for what, writes := range map[string]string{
		"nobody writes":          "sleep 60",
		"nothing is written":     "exec 3> $0; sleep 60",
		"half of it is written":  "exec 3> $0; head -c 2500 $1 >&3; sleep 60",
		"the rows are withheld":  "exec 3> $0; sed '/^COPY public.session/q' $1 >&3; sleep 60",
		"the end is not written": "exec 3> $0; head -n -5 $1 >&3; sleep 60",
	} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			pipe := s.path("pipe")
			_ = os.Remove(pipe)
			s.must(syscall.Mkfifo(pipe, 0o600))
			w, err := s.ns.StartCommand(t.Context(), lab.Command{Argv: []string{"sh", "-c", writes, pipe, path}})
			s.must(err)
			p, err := s.ns.StartCommand(t.Context(), s.command("restore", pipe))
			s.must(err)
			time.Sleep(1500 * time.Millisecond)
			s.must(p.Signal(sig))
			select {
			case <-p.Done():
			case <-time.After(5 * time.Second):
				t.Errorf("%s: it does not heed %s", what, sig)
				_ = p.Kill()
			}
			_ = w.Kill()
			code := exitOK
			if exit := (*exec.ExitError)(nil); errors.As(p.Wait(t.Context()), &exit) {
				code = exit.ExitCode()
			}
			result{stdout: p.Output(), code: code}.check(t, what, exitTryAgain, "interrupted", "run it again")
			if s.beside() != "" || s.rows() != rows {
				t.Errorf("%s: something is left or changed: %s", what, s.beside())
			}
		}
	}
	s.want(exitOK, []string{"restore", path}, "50 sessions")
}

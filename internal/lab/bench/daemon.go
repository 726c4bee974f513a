package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"sessiondbd/internal/daemon"
)

// patience bounds every wait for a daemon.
const patience = 20 * time.Second

// service is a daemon and the notify socket that a service manager would read.
type service struct {
	h     *host
	part  string
	cmd   *exec.Cmd
	began time.Time
	said  *net.UnixConn
	heard chan notice
}

// notice is a line of a notification, and when it came.
type notice struct {
	line string
	at   time.Time
}

// serve starts a daemon: the database's as postgres, the firewall's as root.
func (h *host) serve(ctx context.Context, part string) (*service, error) {
	s := &service{h: h, part: part}
	socket := h.path("notify-" + part)
	_ = os.Remove(socket)
	var err error
	if s.said, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}); err != nil {
		return nil, err
	}
	if err := os.Chmod(socket, 0o777); err != nil {
		return nil, err
	}
	as := h.postgres
	if part == "firewall" {
		as = nil
	}
	s.cmd = h.ours(ctx, as, "run", "--only", part)
	s.cmd.Env = append(s.cmd.Env, "NOTIFY_SOCKET="+socket)
	if err := h.stderr.Truncate(0); err != nil {
		return nil, err
	}
	s.heard = make(chan notice, 1024)
	go s.listen() // until the socket is closed
	s.began = time.Now()
	return s, s.cmd.Start()
}

// listen reads what nobody waits for, too: a daemon whose socket is full stands still.
func (s *service) listen() {
	buf := make([]byte, 4096)
	for {
		n, err := s.said.Read(buf)
		now := time.Now()
		if err != nil {
			return
		}
		for line := range strings.SplitSeq(string(buf[:n]), "\n") {
			select {
			case s.heard <- notice{line, now}:
			default: // nobody has listened for long
			}
		}
	}
}

// hears waits for a notification in which a line is one of these, and says when it came.
func (s *service) hears(ok func(line string) bool) (time.Time, error) {
	late := time.After(patience)
	for {
		select {
		case n := <-s.heard:
			if ok(n.line) {
				return n.at, nil
			}
		case <-late:
			log, _ := os.ReadFile(s.h.path("stderr"))
			return time.Time{}, fmt.Errorf("%s daemon: silent for %s; it said:\n%s", s.part, patience, log)
		}
	}
}

func ready(line string) bool { return line == "READY=1" }

func waiting(line string) bool { return strings.HasPrefix(line, "STATUS=waiting") }

func verified(line string) bool {
	return strings.HasPrefix(line, "STATUS=") && !waiting(line) && line != "STATUS=starting"
}

// end stops the daemon as a service manager would.
func (s *service) end() error {
	err := s.cmd.Process.Signal(syscall.SIGTERM)
	return errors.Join(err, s.cmd.Wait(), s.said.Close())
}

// running calls f with a daemon that is ready.
func (h *host) running(ctx context.Context, part string, f func(*service) error) (err error) {
	s, err := h.serve(ctx, part)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	if _, err := s.hears(ready); err != nil {
		return err
	}
	return f(s)
}

// takePass measures a pass of a daemon that has found nothing to do since its second one.
func takePass(ctx context.Context, o options, t *table) error {
	for _, part := range []string{"database", "firewall"} {
		err := with(ctx, o, "pass", func(h *host) error {
			if err := errors.Join(h.configure("1s"), h.run(h.ours(ctx, nil, "apply"))); err != nil {
				return err
			}
			return h.running(ctx, part, func(s *service) error {
				passes, err := s.passes(ctx, o.pairs)
				if err != nil {
					return err
				}
				if part == "database" {
					t.atMost("a pass of the database daemon", passes.median(), "%.1f ms", 2)
				} else {
					t.line("a pass of the firewall daemon", passes.String())
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// passes reads from the state file how long passes took.
func (s *service) passes(ctx context.Context, n int) (sample, error) {
	var all sample
	var last time.Time
	for seen := 0; len(all) < n; {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		state, err := daemon.ReadState(s.h.path("run/" + s.part + "/status.json"))
		if err != nil {
			return nil, err
		}
		if state.State != daemon.Converged {
			return nil, fmt.Errorf("the daemon is not converged: %s", state.Status)
		}
		if state.LastPass.At.Equal(last) {
			continue
		}
		last = state.LastPass.At
		if seen++; seen > warmups {
			all = append(all, state.LastPass.Seconds*1000)
			progress("%d of %d passes", len(all), n)
		}
	}
	return all, nil
}

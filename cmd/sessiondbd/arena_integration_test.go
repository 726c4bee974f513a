//go:build integration

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sessiondbd/internal/daemon"
	"sessiondbd/internal/lab"
)

// arena is the documented hypervisor's network without the hypervisor, with something that answers on PostgreSQL's port, and
// peers that send SYNs to it all the time.
type arena struct {
	*lab.Topology
	t      *testing.T
	dir    string
	binary string
	run    *lab.Process // the firewall's daemon
}

func newArena(t *testing.T) *arena {
	t.Helper()
	a := &arena{Topology: lab.TopologyT(t, lab.TopologyOptions{}), t: t, dir: t.TempDir(), binary: product(t)}
	a.configure(5, "auto")
	// Somebody outside who says that he is VM 1, and VM 2 that says so. The way back leads to them, so that without a firewall
	// even that connects.
	a.must(errors.Join(
		a.Outside.IP(t.Context(), "addr add 10.1.0.77/32 dev lo", "route add 10.0.0.0/8 via 203.0.113.1"),
		a.VM(2).IP(t.Context(), "addr add 10.1.0.66/32 dev lo"),
		a.Router.IP(t.Context(), "route add 10.1.0.77/32 dev eth0", "route add 10.1.0.66/32 via 10.2.0.2"),
		a.Router.Sysctl(t.Context(), "net.ipv4.conf.all.rp_filter=0", "net.ipv4.tcp_max_syn_backlog=4096", "net.core.somaxconn=4096"),
	))
	a.answer()
	return a
}

func (a *arena) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// configure writes a config with so many of the networks.
func (a *arena) configure(networks int, backend string) {
	a.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "firewall: {backend: %s, max_connections_per_vm: 1000}\nreconcile: {interval: 1s}\nroles: [{name: sessionuser, networks: []}]\nnetworks:\n", backend)
	for n := 1; n <= networks; n++ {
		fmt.Fprintf(&b, "  - {name: vm%d, subnet: 10.%d.0.0/24, gateway: 10.%d.0.1}\n", n, n, n)
	}
	a.must(os.WriteFile(filepath.Join(a.dir, "config.yaml"), []byte(b.String()), 0o644))
}

func (a *arena) command(args ...string) lab.Command {
	return lab.Command{
		Argv: append([]string{a.binary, "--config", filepath.Join(a.dir, "config.yaml")}, args...),
		Env:  []string{"SESSIONDBD_RUN_DIR=" + a.dir, "SESSIONDBD_STATE_DIR=" + filepath.Join(a.dir, "state")},
	}
}

func (a *arena) sh(script string) string {
	a.t.Helper()
	out, err := a.Router.Run(a.t.Context(), "sh", "-ec", script)
	if err != nil {
		a.t.Fatalf("%s: %v", script, err)
	}
	return out
}

func (a *arena) apply() {
	a.t.Helper()
	r, err := a.Router.Exec(a.t.Context(), a.command("apply", "--only", "firewall"))
	if err != nil {
		a.t.Fatalf("apply: %v\n%s", err, r.Stderr)
	}
}

func (a *arena) start() {
	a.t.Helper()
	var err error
	a.run, err = a.Router.StartCommand(a.t.Context(), a.command("run", "--only", "firewall"))
	a.must(err)
}

func (a *arena) state() (daemon.State, bool) {
	s, err := daemon.ReadState(filepath.Join(a.dir, "firewall", "status.json"))
	return s, err == nil && !s.Stale()
}

// settles waits until the daemon has converged since then, and plan agrees.
func (a *arena) settles(since time.Time) {
	a.t.Helper()
	eventually(a.t, "the firewall has converged", 20*time.Second, func() bool {
		if s, running := a.state(); !running || s.State != daemon.Converged || s.LastPass.At.Before(since) {
			return false
		}
		_, err := a.Router.Exec(a.t.Context(), a.command("plan", "--only", "firewall"))
		return err == nil
	})
}

// within runs f on a thread of its own in a namespace.
func within(name string, f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { // the thread ends with the goroutine
		runtime.LockOSThread()
		ns, err := os.Open("/run/netns/" + name)
		if err == nil {
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
			_ = ns.Close()
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return done
}

// answer listens on the port, for both families, until the test ends.
func (a *arena) answer() {
	a.t.Helper()
	ready, stop := make(chan error, 1), atomic.Bool{}
	done := within(a.Router.Name, func() error {
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err == nil {
			err = errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0), unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
				unix.Bind(fd, &unix.SockaddrInet6{Port: 5432}), unix.Listen(fd, 4096))
		}
		ready <- err
		for err == nil && !stop.Load() {
			if c, _, aerr := unix.Accept4(fd, unix.SOCK_CLOEXEC); aerr == nil {
				_ = unix.Close(c)
				continue
			}
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20)
		}
		return errors.Join(err, unix.Close(fd))
	})
	a.must(<-ready)
	a.t.Cleanup(func() { stop.Store(true); <-done })
}

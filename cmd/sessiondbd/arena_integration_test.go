//go:build integration

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
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

// prober sends a SYN from somewhere to somewhere every few milliseconds, and notes what came of each.
type prober struct {
	name     string
	from     *lab.Peer
	local    string // address, or empty
	remote   string
	allowed  bool
	mu       sync.Mutex
	tries    []try
	stop     atomic.Bool
	finished <-chan error
}

type try struct {
	at        time.Time
	connected bool
}

const (
	probeEvery = 3 * time.Millisecond
	// An answer within a machine takes less than one. Who must get in may have lost a SYN while others' rules were reloaded, and
	// sends another after one second, and after three.
	probeWait   = 30 * time.Millisecond
	patientWait = 8 * time.Second
	inFlight    = 3000
)

// probe starts everybody who must get in and everybody who must not. The test ends them.
func (a *arena) probe() []*prober {
	a.t.Helper()
	all := []*prober{
		{name: "the outside by the public address", from: a.Outside, remote: a.Outside.Gateway},
		{name: "the outside by a gateway's address", from: a.Outside, remote: "10.1.0.1"},
		{name: "the outside as a VM", from: a.Outside, local: "10.1.0.77", remote: "10.1.0.1"},
		{name: "a VM as another", from: a.VM(2), local: "10.1.0.66", remote: "10.1.0.1"},
		{name: "the outside over IPv6", from: a.Outside, remote: a.Outside.Gateway6},
	}
	for n := 1; n <= 2; n++ {
		all = append(all, &prober{name: fmt.Sprintf("VM %d", n), from: a.VM(n), remote: a.VM(n).Gateway, allowed: true})
	}
	for _, p := range all {
		p.finished = within(p.from.Name, p.send)
	}
	a.t.Cleanup(func() { a.calm(all) })
	return all
}

// calm has no more SYNs sent, and returns when those that are on their way have been answered or given up.
func (a *arena) calm(all []*prober) {
	a.t.Helper()
	for _, p := range all {
		p.stop.Store(true)
	}
	for _, p := range all {
		if p.finished == nil {
			continue
		}
		if err := <-p.finished; err != nil {
			a.t.Errorf("%s: %v", p.name, err)
		}
		p.finished = nil
	}
}

// flight is a SYN without an answer yet.
type flight struct {
	fd int
	at time.Time
}

// send sends one SYN after the other without waiting for the answers.
func (p *prober) send() error {
	wait := probeWait
	if p.allowed {
		wait = patientWait
	}
	var up []flight
	defer func() {
		for _, f := range up {
			_ = unix.Close(f.fd)
		}
	}()
	for !p.stop.Load() || len(up) > 0 {
		begin := time.Now()
		if !p.stop.Load() && len(up) < inFlight {
			fd, ok, err := p.syn()
			if err != nil {
				return err
			}
			if ok {
				up = append(up, flight{fd, begin})
			}
		}
		fds := make([]unix.PollFd, len(up))
		for i, f := range up {
			fds[i] = unix.PollFd{Fd: int32(f.fd), Events: unix.POLLOUT}
		}
		_, _ = unix.Poll(fds, 0)
		var left []flight
		for i, f := range up {
			switch {
			case fds[i].Revents != 0:
				failed, err := unix.GetsockoptInt(f.fd, unix.SOL_SOCKET, unix.SO_ERROR)
				p.note(f, err == nil && failed == 0)
			case time.Since(f.at) > wait:
				p.note(f, false)
			default:
				left = append(left, f)
			}
		}
		up = left
		time.Sleep(max(0, probeEvery-time.Since(begin)))
	}
	return nil
}

func (p *prober) note(f flight, connected bool) {
	_ = unix.Close(f.fd)
	p.mu.Lock()
	p.tries = append(p.tries, try{f.at, connected})
	p.mu.Unlock()
}

// syn sends one. It is not sent, and does not count, while there is no route: an interface is down.
func (p *prober) syn() (fd int, ok bool, err error) {
	remote := netip.MustParseAddr(p.remote)
	family, to := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: 5432, Addr: mapped(remote)})
	if remote.Is6() {
		family, to = unix.AF_INET6, &unix.SockaddrInet6{Port: 5432, Addr: remote.As16()}
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, false, err
	}
	// Closed, it leaves nothing behind: ports would run out.
	err = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	if err == nil && p.local != "" {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: mapped(netip.MustParseAddr(p.local))})
	}
	if err != nil {
		return 0, false, errors.Join(err, unix.Close(fd))
	}
	if err := unix.Connect(fd, to); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return 0, false, unix.Close(fd)
	}
	return fd, true, nil
}

// once sends one and waits for its answer.
func (p *prober) once() (connected bool, err error) {
	fd, ok, err := p.syn()
	if err != nil || !ok {
		return false, err
	}
	defer func() { _ = unix.Close(fd) }()
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 500); err != nil || n == 0 {
		return false, nil
	}
	failed, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	return err == nil && failed == 0, nil
}

func mapped(a netip.Addr) [4]byte {
	if a.Is4() {
		return a.As4()
	}
	return [4]byte{}
}

// wrong returns what came otherwise than it should between two moments: who, how often, and from the first to the last.
func (p *prober) wrong(from, to time.Time) (n int, span time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var first, last time.Time
	for _, x := range p.tries {
		if x.at.Before(from) || x.at.After(to) || x.connected == p.allowed {
			continue
		}
		if n++; first.IsZero() {
			first = x.at
		}
		last = x.at
	}
	return n, last.Sub(first)
}

// syns is how many SYNs there were.
func syns(all []*prober, allowed bool) (n int) {
	for _, p := range all {
		p.mu.Lock()
		if p.allowed == allowed {
			n += len(p.tries)
		}
		p.mu.Unlock()
	}
	return n
}

//go:build integration

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sessiondbd/internal/lab"
)

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
	why       string // it did not
}

const (
	probeEvery = 3 * time.Millisecond
	// An answer within a machine takes less than one. Who must get in may have lost a SYN while others' rules were reloaded or its
	// bridge was down, and sends another after 1, 3, 7 and 15 seconds: on a busy machine some of those are lost, too.
	probeWait   = 30 * time.Millisecond
	patientWait = 17 * time.Second
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
				p.note(f, err == nil && failed == 0, fmt.Sprintf("%v after %s", errors.Join(err, unix.Errno(failed)), time.Since(f.at)))
			case time.Since(f.at) > wait:
				p.note(f, false, "no answer")
			default:
				left = append(left, f)
			}
		}
		up = left
		time.Sleep(max(0, probeEvery-time.Since(begin)))
	}
	return nil
}

func (p *prober) note(f flight, connected bool, why string) {
	_ = unix.Close(f.fd)
	p.mu.Lock()
	p.tries = append(p.tries, try{f.at, connected, why})
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

// whys is what became of those that should have got in, and did not.
func (p *prober) whys() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[string]int{}
	for _, x := range p.tries {
		if p.allowed && !x.connected {
			all[x.why]++
		}
	}
	return all
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

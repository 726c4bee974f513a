package firewall

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	watchBuffer  = 1 << 20 // bytes; a foreign reload of thousands of rules is one burst of events
	watchRetry   = time.Second
	watchReasons = 4 // that are told at a time; they are for people to read
	resync       = "resync"
)

// source is one netlink socket to listen on, with the reading of its events. An event that concerns nobody reads as "".
type source struct {
	protocol int
	groups   uint32
	read     func(netlink.Message) string
}

// Watch sends a short reason whenever rules, addresses or links may have changed, until ctx ends; what Writers wrote is none.
// It never waits for ch: while the receiver is busy, events melt into one message. Where events were lost, or where there are
// none (legacy) and the kernel's answers have changed, the reason is "resync". Errors: ErrNotPermitted; ctx ending is none.
func (h *Host) Watch(ctx context.Context, ch chan<- string) error {
	if h.backend == Off {
		<-ctx.Done()
		return nil
	}
	sources := []source{{unix.NETLINK_ROUTE, unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR, readRoute}}
	var known atomic.Uint64
	every, ask := legacyPoll, askLegacy
	if h.backend == NFT {
		sources = append(sources, source{unix.NETLINK_NETFILTER, 1 << (unix.NFNLGRP_NFTABLES - 1), h.readGeneration(&known)})
		every, ask = generationPoll, askGeneration
	}
	conns := make([]*netlink.Conn, len(sources))
	for i, s := range sources {
		c, err := s.dial()
		if err != nil {
			for _, open := range conns[:i] {
				open.Close()
			}
			return err
		}
		conns[i] = c
	}
	events := make(chan string)
	var wg sync.WaitGroup
	defer wg.Wait()
	for i, s := range sources {
		wg.Go(func() { s.listen(ctx, conns[i], events) })
	}
	wg.Go(func() { poll(ctx, every, &known, ask, events) })
	coalesce(ctx, events, ch)
	return nil
}

// readGeneration reads what nftables tells, and keeps what it told last.
func (h *Host) readGeneration(known *atomic.Uint64) func(netlink.Message) string {
	return func(m netlink.Message) string {
		e, ok := parseGeneration(m)
		if !ok {
			return ""
		}
		known.Store(uint64(e.id))
		if h.Writers.wrote(e.pid) {
			return ""
		}
		return e.reason()
	}
}

// coalesce hands on what happened since the receiver last took something. A resync outweighs the rest.
func coalesce(ctx context.Context, in <-chan string, out chan<- string) {
	var pending []string
	for {
		var to chan<- string
		if len(pending) > 0 {
			to = out
		}
		select {
		case <-ctx.Done():
			return
		case reason := <-in:
			switch {
			case reason == resync:
				pending = []string{resync}
			case len(pending) < watchReasons && !slices.Contains(pending, reason) && !slices.Contains(pending, resync):
				pending = append(pending, reason)
			}
		case to <- strings.Join(pending, "; "):
			pending = nil
		}
	}
}

func (s source) dial() (*netlink.Conn, error) {
	c, err := netlink.Dial(s.protocol, &netlink.Config{Groups: s.groups})
	if err != nil {
		return nil, netlinkError("watch", err)
	}
	_ = c.SetReadBuffer(watchBuffer) // best effort: too small a buffer only means a resync
	return c, nil
}

// listen reads events until ctx ends, and opens the socket again when it is lost or has overflowed.
func (s source) listen(ctx context.Context, c *netlink.Conn, events chan<- string) {
	for {
		s.drain(ctx, c, events)
		if ctx.Err() != nil {
			return
		}
		var err error
		for c, err = s.dial(); err != nil; c, err = s.dial() {
			select {
			case <-ctx.Done():
				return
			case <-time.After(watchRetry):
			}
		}
		if !send(ctx, events, resync) { // only now: what happens from here on is an event again
			c.Close()
			return
		}
	}
}

// drain reads one socket to its end and closes it.
func (s source) drain(ctx context.Context, c *netlink.Conn, events chan<- string) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	defer c.Close()
	defer stop()
	for {
		msgs, err := c.Receive()
		if err != nil {
			return
		}
		for _, m := range msgs {
			if reason := s.read(m); reason != "" && !send(ctx, events, reason) {
				return
			}
		}
	}
}

func send(ctx context.Context, events chan<- string, reason string) bool {
	select {
	case <-ctx.Done():
		return false
	case events <- reason:
		return true
	}
}

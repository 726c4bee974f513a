//go:build integration

package firewall

import (
	"context"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestWatch(t *testing.T) {
	inHypervisor(t, func(t *testing.T, w world) {
		h := opened(t, NFT)
		converge(t, h, twoVMs())
		ctx, cancel := context.WithCancel(t.Context())
		ch, ended := make(chan string, 100), make(chan error, 1)
		go func() { ended <- h.Watch(ctx, ch) }()
		time.Sleep(100 * time.Millisecond) // the sockets are opened inside
		for _, row := range []struct{ do, want string }{
			{"nft flush ruleset", `(^|; )nftables changed by nft\[[0-9]+\](; |$)`},
			{"iptables -A INPUT -j ACCEPT", `(^|; )nftables changed by iptables\[[0-9]+\](; |$)`},
			{"ip address add 10.1.0.9/24 dev br-vm1", `(^|; )address 10\.1\.0\.9 appeared on br-vm1(; |$)`},
			{"ip address del 10.1.0.9/24 dev br-vm1", `(^|; )address 10\.1\.0\.9 left br-vm1(; |$)`},
			{"ip link add gone type bridge", `(^|; )link gone changed(; |$)`},
			{"ip link del gone", `(^|; )link gone removed(; |$)`},
		} {
			sh(t, row.do)
			waitReason(t, ch, row.do, row.want)
		}
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(2 * time.Second):
			t.Error("Watch goes on after its context ended")
		}
	})
}

// A socket that overflows loses events: the reason is then resync, and the next event is heard again.
func TestWatchOverflow(t *testing.T) {
	inHypervisor(t, func(t *testing.T, w world) {
		s := source{unix.NETLINK_NETFILTER, 1 << (unix.NFNLGRP_NFTABLES - 1), (&Host{}).readGeneration(new(atomic.Uint64))}
		c, err := s.dial()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ch := make(chan string)
		go s.listen(ctx, c, ch)
		sh(t, "for i in $(seq 50); do nft add table ip t; nft delete table ip t; done") // while nobody takes the first reason
		waitReason(t, ch, "overflow", "^resync$")
		sh(t, "nft add table ip t")
		waitReason(t, ch, "after the overflow", `(^|; )nftables changed by nft\[[0-9]+\](; |$)`)
	})
}

// waitReason skips reasons of the event before: one command may cause several.
func waitReason(t *testing.T, ch <-chan string, did, want string) {
	t.Helper()
	deadline := time.After(2 * time.Second)
	var got []string
	for {
		select {
		case reason := <-ch:
			if regexp.MustCompile(want).MatchString(reason) {
				return
			}
			got = append(got, reason)
		case <-deadline:
			t.Errorf("%s: %q, but no %s", did, got, want)
			return
		}
	}
}

// What we write ourselves wakes nobody, or each repair would be followed by a pass that finds nothing.
func TestWatchKnowsOwnEvents(t *testing.T) {
	inHypervisor(t, func(t *testing.T, _ world) {
		var own Writers
		h, spec := opened(t, NFT), twoVMs()
		h.Writers = &own
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ch := make(chan string)
		go func() { _ = h.Watch(ctx, ch) }()
		converge(t, h, spec)
		for range 3 {
			sh(t, "nft flush ruleset")
			waitReason(t, ch, "flush", `(^|; )nftables changed by nft\[[0-9]+\](; |$)`)
			if len(converge(t, h, spec)) == 0 {
				t.Fatal("nothing was written, and so this proves nothing")
			}
			for quiet := time.After(300 * time.Millisecond); quiet != nil; {
				select {
				case reason := <-ch:
					if strings.Contains(reason, "nftables") || reason == resync { // addresses of this namespace may still settle
						t.Errorf("after our own repair: %q", reason)
					}
				case <-quiet:
					quiet = nil
				}
			}
		}
	})
}

// Legacy tells nothing, and is asked.
func TestWatchLegacy(t *testing.T) {
	inHypervisor(t, func(t *testing.T, _ world) {
		h := opened(t, Legacy)
		converge(t, h, twoVMs())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ch := make(chan string)
		go func() { _ = h.Watch(ctx, ch) }()
		time.Sleep(2 * legacyPoll)
		for _, do := range []string{"iptables-legacy -t mangle -D INPUT 1", "iptables-legacy -F SESSIONDB-ALLOW", "ip6tables-legacy -t mangle -F SESSIONDB-GUARD"} {
			sh(t, do)
			waitReason(t, ch, do, "^resync$")
		}
	})
}

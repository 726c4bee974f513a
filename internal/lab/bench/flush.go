package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// flushes are how often all rules are taken away, and flushRest is the time in between: it is no fight that is measured.
const (
	flushes   = 200
	flushRest = 120 * time.Millisecond
)

// takeFlush measures how long the door stands open after somebody has flushed the rules: from the kernel's word of that to
// the moment when all four chains and the jumps to them are there again.
func takeFlush(ctx context.Context, o options, t *table) error {
	return with(ctx, o, "flush", func(h *host) error {
		return h.running(ctx, "firewall", func(*service) error {
			w, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{Groups: 1 << (unix.NFNLGRP_NFTABLES - 1)})
			if err != nil {
				return err
			}
			defer w.Close()
			var all sample
			for len(all) < flushes {
				took, err := h.flushed(ctx, w)
				if err != nil {
					return err
				}
				all = append(all, milliseconds(took))
				progress("%d of %d flushes", len(all), flushes)
				time.Sleep(flushRest)
			}
			sorted := slices.Sorted(slices.Values(all))
			t.atMost(fmt.Sprintf("flush ruleset to restored, p99 of %d", flushes), sorted[flushes*99/100-1], "%.1f ms", 30)
			t.line("  median, and the longest", all.String(), "", fmt.Sprintf("%.1f ms", sorted[flushes-1]))
			return nil
		})
	})
}

// flushed flushes once.
func (h *host) flushed(ctx context.Context, w *netlink.Conn) (time.Duration, error) {
	done := make(chan error, 1)
	cmd := h.command(ctx, nil, "nft", "flush", "ruleset")
	if err := cmd.Start(); err != nil { // on this thread, whose namespace it inherits
		return 0, err
	}
	go func() { done <- cmd.Wait() }()
	defer func() { <-done }()
	var gone time.Time
	if err := w.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	for {
		msgs, err := w.Receive()
		if err != nil {
			return 0, fmt.Errorf("rules are not restored: %w", err)
		}
		now := time.Now()
		if !slices.ContainsFunc(msgs, isGeneration) {
			continue
		}
		there, err := chains()
		switch {
		case err != nil:
			return 0, err
		case gone.IsZero() && there < 4:
			gone = now
		case !gone.IsZero() && there == 4:
			return now.Sub(gone), nil
		}
	}
}

func isGeneration(m netlink.Message) bool {
	return m.Header.Type == unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWGEN
}

// chains counts those of ours that exist.
func chains() (n int, err error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	msgs, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETCHAIN, Flags: netlink.Request | netlink.Dump},
		Data:   binary.BigEndian.AppendUint32(nil, 0),
	})
	for _, m := range msgs {
		if bytes.Contains(m.Data, []byte("SESSIONDB-")) {
			n++
		}
	}
	return n, err
}

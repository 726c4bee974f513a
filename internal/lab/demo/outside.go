package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"sessiondbd/internal/lab"
)

// way is an attempt to get to PostgreSQL's port.
type way struct {
	who  string
	from *lab.Peer
	host string
}

// errSilent is a port whose packets are dropped.
var errSilent = errors.New("no answer within 1 s")

// try opens a TCP connection, from where the traffic would come.
func (w way) try(ctx context.Context) error {
	const timedOut = 124 // timeout(1)
	_, err := w.from.Run(ctx, "timeout", "1", "bash", "-c", "exec 3<>/dev/tcp/"+w.host+"/5432")
	switch {
	case err == nil, ctx.Err() != nil:
		return err
	case lab.ExitCode(err) == timedOut:
		return errSilent
	case strings.Contains(err.Error(), "refused"):
		return errors.New("connection refused")
	}
	return err
}

// ways are those that nobody may go, though packets find them.
func (d *demo) ways() []way {
	out, vm := d.hv.Outside, d.hv.VM(1)
	return []way{
		{"the outside, to the public address", out, out.Gateway},
		{"the outside, to VM 1's gateway by routing", out, vm.Gateway},
		{"the outside, over IPv6", out, out.Gateway6},
		{"VM 1, over IPv6, which no config allows", vm, vm.Gateway6},
	}
}

// shut tries all ways at once and fails unless no packet of any is answered.
func (d *demo) shut(ctx context.Context) error {
	return d.tryAll(ctx, func(w way, err error) error {
		if !errors.Is(err, errSilent) {
			return fmt.Errorf("%s, %s: should be shut, but: %v", w.who, w.host, or(err, "connected"))
		}
		return nil
	})
}

// open fails unless all ways lead to PostgreSQL.
func (d *demo) open(ctx context.Context) error {
	return d.tryAll(ctx, func(w way, err error) error {
		if err != nil {
			return fmt.Errorf("%s, %s: should be open, but: %w", w.who, w.host, err)
		}
		return nil
	})
}

func (d *demo) tryAll(ctx context.Context, judge func(way, error) error) error {
	ways := d.ways()
	errs := make([]error, len(ways))
	var all sync.WaitGroup
	for i, w := range ways {
		all.Go(func() { errs[i] = judge(w, w.try(ctx)) })
	}
	all.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(errs...)
}

// outside shows that the rules shut the door: with them nobody else gets in, without them everybody would.
func (d *demo) outside(ctx context.Context) error {
	if err := d.shut(ctx); err != nil {
		return err
	}
	for _, w := range d.ways() {
		d.screen.good("%-42s %-12s %v", w.who, w.host, errSilent)
	}
	d.screen.line("is it the rules, or is there no way at all? systemctl stop sessiondbd-firewall; sessiondbd remove")
	if _, err := d.on(ctx, "systemctl stop sessiondbd-firewall; sessiondbd remove"); err != nil {
		return err
	}
	if err := d.open(ctx); err != nil {
		return err
	}
	d.screen.good("without the rules all four of them connect")
	rejected, err := d.ask(ctx, d.hv.Outside, documented, "SELECT 1")
	if err == nil {
		return fmt.Errorf("pg_hba.conf lets the outside in: %s", rejected)
	}
	d.screen.good("the second door, pg_hba.conf, holds even then: %v", err)
	if _, err := d.hv.Run(ctx, "systemctl", "start", "sessiondbd-firewall"); err != nil {
		return err
	}
	if err := d.shut(ctx); err != nil {
		return err
	}
	d.screen.good("systemctl start sessiondbd-firewall: all four are shut out again")
	if _, err := d.ask(ctx, d.hv.VM(1), documented, "SELECT 1"); err != nil {
		return fmt.Errorf("VM 1 is shut out, too: %w", err)
	}
	d.remember("nobody else gets in: not by the public address, not by a gateway's, not over IPv6; without the rules all of these connect")
	return nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func or(err error, text string) string {
	if err != nil {
		return err.Error()
	}
	return text
}

package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"syscall"
	"time"

	"sessiondbd/internal/firewall"
	"sessiondbd/internal/plan"
)

// firewallHost is the rules of both families.
type firewallHost struct {
	spec   firewall.Spec
	absent bool // the goal is that nothing of ours is left
	tools  *firewall.Host
	own    firewall.Writers // tells our own events from those of others
	last   firewall.Observation

	apart []firewall.Restore // of the plan that comes next
	ahead *firewall.Ahead
}

// Plan observes with one save a family, then compares.
func (h *firewallHost) Plan(ctx context.Context) plan.Plan {
	h.settle()
	o, err := h.observe(ctx)
	if err != nil {
		return plan.Plan{Unobserved: []plan.Failure{{Resource: "firewall/ipv4", Err: err}, {Resource: "firewall/ipv6", Err: err}}}
	}
	h.last = o
	if h.absent {
		return plan.Plan{Resources: firewall.Absent(o)}
	}
	p := plan.Plan{Resources: firewall.Diff(h.spec, o)}
	h.apart = firewall.Apart(p.Resources)
	return p
}

// settle ends what was begun ahead.
func (h *firewallHost) settle() {
	h.ahead.Wait()
	h.ahead, h.apart = nil, nil
}

func (h *firewallHost) observe(ctx context.Context) (firewall.Observation, error) {
	// Opened at each try until it succeeds: iptables may be installed while the daemon waits for it.
	if h.tools == nil {
		t, err := firewall.Open(ctx, h.spec.Backend)
		if err != nil {
			return firewall.Observation{}, err
		}
		t.Writers = &h.own
		h.tools = t
	}
	return h.tools.Observe(ctx, h.spec.Port)
}

// Foresees has the lock taken before the look. It costs next to nothing, and a second look under it would double the time for
// which a door that somebody has opened stands open.
func (h *firewallHost) Foresees() bool { return true }

// Begin takes the lock: between reading the rules and one restore of ours another's restore would leave its jumps twice.
func (h *firewallHost) Begin(ctx context.Context) (plan.Executor, func(), error) {
	unlock, err := lockFirewall(ctx)
	return h, func() { h.settle(); unlock() }, err
}

// Execute carries out a step with the tools that the look before it opened. With the first, those of the other family begin.
func (h *firewallHost) Execute(ctx context.Context, s plan.Step) error {
	if len(h.apart) > 0 {
		h.ahead, h.apart = h.tools.Ahead(ctx, h.apart), nil
	}
	if err, was := h.ahead.Result(s); was {
		return err
	}
	return h.tools.Execute(ctx, s)
}

// firewallLock is an abstract socket. There is one of it in a network namespace, as of the firewall; users who share no
// folder share it; and it ends with whoever holds it.
const firewallLock = "@sessiondbd-firewall"

// firewallLockWait bounds the wait for another sessiondbd, whose pass takes milliseconds.
const firewallLockWait = 10 * time.Second

// lockFirewall waits its turn. Anybody on this host may sit on an abstract socket: that must not keep the door open, and so
// after the wait the turn is taken anyhow.
func lockFirewall(ctx context.Context) (unlock func(), err error) {
	for deadline := time.Now().Add(firewallLockWait); ; {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: firewallLock, Net: "unix"})
		switch {
		case err == nil:
			return func() { _ = l.Close() }, nil
		case !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline):
			return func() {}, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(2*time.Millisecond + rand.N(8*time.Millisecond)):
		}
	}
}

// watch wakes the daemon with what netlink tells. It has tools of its own: the daemon's belong to its passes.
func (h *firewallHost) watch(ctx context.Context, wake chan<- string) error {
	for {
		tools, err := firewall.Open(ctx, h.spec.Backend)
		if err == nil {
			tools.Writers = &h.own
			return tools.Watch(ctx, wake)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second): // the passes say what is missing, and may find it later
		}
	}
}

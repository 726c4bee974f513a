package main

import (
	"context"
	"time"

	"sessiondbd/internal/firewall"
	"sessiondbd/internal/plan"
)

// firewallHost is the rules of both families.
type firewallHost struct {
	spec   firewall.Spec
	absent bool // the goal is that nothing of ours is left
	tools  *firewall.Host
	last   firewall.Observation
}

// Plan observes with one save a family, then compares.
func (h *firewallHost) Plan(ctx context.Context) plan.Plan {
	o, err := h.observe(ctx)
	if err != nil {
		return plan.Plan{Unobserved: []plan.Failure{{Resource: "firewall/ipv4", Err: err}, {Resource: "firewall/ipv6", Err: err}}}
	}
	h.last = o
	if h.absent {
		return plan.Plan{Resources: firewall.Absent(o)}
	}
	return plan.Plan{Resources: firewall.Diff(h.spec, o)}
}

func (h *firewallHost) observe(ctx context.Context) (firewall.Observation, error) {
	// Opened at each try until it succeeds: iptables may be installed while the daemon waits for it.
	if h.tools == nil {
		t, err := firewall.Open(ctx, h.spec.Backend)
		if err != nil {
			return firewall.Observation{}, err
		}
		h.tools = t
	}
	return h.tools.Observe(ctx)
}

// Begin needs no lock of its own: iptables-restore takes the kernel's.
func (h *firewallHost) Begin(context.Context) (plan.Executor, func(), error) {
	return h.tools, func() {}, nil
}

// watch wakes the daemon with what netlink tells. It has tools of its own: the daemon's belong to its passes.
func (h *firewallHost) watch(ctx context.Context, wake chan<- string) error {
	for {
		tools, err := firewall.Open(ctx, h.spec.Backend)
		if err == nil {
			return tools.Watch(ctx, wake)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second): // the passes say what is missing, and may find it later
		}
	}
}

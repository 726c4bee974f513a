package main

import (
	"context"
	"os/exec"
)

// takeFirewall measures a look at both families against one save of one of them.
func takeFirewall(ctx context.Context, o options, t *table) error {
	return with(ctx, o, "firewall", func(h *host) error {
		if err := h.run(h.ours(ctx, nil, "apply", "--only", "firewall")); err != nil {
			return err
		}
		all, err := rounds(
			ctx, o.pairs,
			h.each(func(ctx context.Context) *exec.Cmd { return h.ours(ctx, nil, "plan", "--only", "firewall") }),
			h.each(func(ctx context.Context) *exec.Cmd { return h.command(ctx, nil, "iptables-save") }),
		)
		if err != nil {
			return err
		}
		t.against("plan --only firewall, converged", all[0], "one iptables-save", all[1], 2)
		return nil
	})
}

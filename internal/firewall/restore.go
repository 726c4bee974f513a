package firewall

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/coreos/go-iptables/iptables"

	"sessiondbd/internal/plan"
)

// Execute carries out a step of this room. Errors: ErrNotPermitted, ErrBusy, or what differs from what was written.
func (h *Host) Execute(ctx context.Context, s plan.Step) error {
	switch s := s.(type) {
	case Restore:
		if s.Backend != "" && s.Backend != h.backend && h.other != nil {
			h.other.Writers = h.Writers
			return h.other.restore(ctx, s)
		}
		return h.restore(ctx, s)
	case Cut:
		return s.execute(ctx)
	}
	return fmt.Errorf("firewall: %s is not a step of the firewall", s)
}

// restore is one transaction. After a deny it looks through go-iptables whether the jump is there as written, before anything
// is opened behind it: the jump carries a digest of the chain that was written in the same transaction. All else is left to
// the look that follows every pass.
func (h *Host) restore(ctx context.Context, r Restore) error {
	f, t := family(r.Family), table(r.Table)
	tools, ok := h.tools[f]
	if !ok {
		return fmt.Errorf("%s: the back end is %s", r, h.backend)
	}
	if _, err := h.run(ctx, r.Input, tools.restore, "--noflush", "--wait", strconv.Itoa(lockSeconds)); err != nil {
		return fmt.Errorf("table %s: %w", t, err)
	}
	if r.Sweep && h.backend == NFT {
		if err := deleteEmptyTable(f, t); err != nil {
			return err
		}
	}
	if t != mangle {
		return nil
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("table %s: written, not read back: %w", t, err)
	}
	reader, err := h.reader(f)
	if err != nil {
		return err
	}
	if err := verify(reader, t, r.Jump); err != nil {
		return fmt.Errorf("table %s read back: %w", t, err)
	}
	return nil
}

// verify compares what leads to our chain with what was written. A program that writes at the same moment shows here.
func verify(reader *iptables.IPTables, t table, jump string) error {
	input, err := list(reader, t, "INPUT")
	if err != nil {
		return err
	}
	own := jumps(Table{Input: input}, t)
	if jump == "" && len(own) == 0 || settled(own, jump) {
		return nil
	}
	return fmt.Errorf("INPUT leads to %s by %q, not by %q at 1: somebody writes to this table at the same time, or this iptables spells rules otherwise", t.chain(), own, jump)
}

// list returns the rules of a chain without `-A CHAIN`.
func list(reader *iptables.IPTables, t table, chain string) ([]string, error) {
	lines, err := reader.List(string(t), chain)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", chain, err)
	}
	var rules []string
	for _, l := range lines {
		if rule, ok := strings.CutPrefix(l, "-A "+chain+" "); ok {
			rules = append(rules, rule)
		}
	}
	return rules, nil
}

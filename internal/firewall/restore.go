package firewall

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// restore is one transaction, then a look through go-iptables whether it is there as written.
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
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("table %s: written, not read back: %w", t, err)
	}
	reader, err := h.reader(f)
	if err != nil {
		return err
	}
	if err := verify(reader, t, r); err != nil {
		return fmt.Errorf("table %s read back: %w", t, err)
	}
	return nil
}

// verify compares what stands there with what was written. A program that writes at the same moment shows here.
func verify(reader *iptables.IPTables, t table, want Restore) error {
	input := make(chan inputRead, 1)
	go func() { // beside the chain: each look is a program that starts, and the door may stand open meanwhile
		rules, err := list(reader, t, "INPUT")
		input <- inputRead{rules, err}
	}()
	errChain := verifyChain(reader, t, want.Chain)
	in := <-input
	if err := errors.Join(errChain, in.err); err != nil {
		return err
	}
	own := jumps(Table{Input: in.rules}, t)
	if want.Jump == "" && len(own) == 0 || settled(own, want.Jump) {
		return nil
	}
	return fmt.Errorf("INPUT leads to %s by %q, not by %q at 1: somebody writes to this table at the same time", t.chain(), own, want.Jump)
}

// inputRead is what was read of INPUT.
type inputRead struct {
	rules []string
	err   error
}

// verifyChain compares our chain; nil is one that should be gone.
func verifyChain(reader *iptables.IPTables, t table, want []string) error {
	if want == nil {
		switch exists, err := reader.ChainExists(string(t), t.chain()); {
		case err != nil:
			return err
		case exists:
			return fmt.Errorf("%s is still there: somebody writes to this table at the same time", t.chain())
		}
		return nil
	}
	have, err := list(reader, t, t.chain())
	if err != nil {
		return err
	}
	if !slices.Equal(have, want) {
		return fmt.Errorf("%s holds %q, not %q: somebody writes to this table at the same time, or this iptables spells rules otherwise",
			t.chain(), have, want)
	}
	return nil
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

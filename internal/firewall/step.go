package firewall

import (
	"fmt"
	"slices"
	"strings"

	"sessiondbd/internal/plan"
)

// Restore is one transaction on one table of one family.
type Restore struct {
	Family int    // 4 or 6
	Table  string // mangle or filter
	Input  string // for iptables-restore --noflush
	// Jump is what stands at position 1 of INPUT afterwards; empty: no jump of ours is left.
	Jump string
	// Sweep says that the table goes too if nothing is left in it.
	Sweep bool
	// Backend is the one whose tools do it; empty: the one in use.
	Backend string
}

func (r Restore) String() string {
	return fmt.Sprintf("iptables-restore ipv%d %s", r.Family, r.Table)
}

// Join makes one transaction of the changes that share it.
func (r Restore) Join(next plan.Step) (plan.Step, bool) {
	n, ok := next.(Restore)
	return r, ok && n.Family == r.Family && n.Table == r.Table && n.Input == r.Input && n.Backend == r.Backend
}

// newRestore writes the transaction that leads from have to chain and jump. What is equal is not written again: a
// restored chain forgets the connections that connlimit counted.
func newRestore(f family, t table, have Table, chain []string, jump string) Restore {
	var b strings.Builder
	fmt.Fprintf(&b, "*%s\n", t)
	if !equalChain(have.Chain, chain) {
		fmt.Fprintf(&b, ":%s - [0:0]\n", t.chain()) // empties it, if it exists, inside the transaction
		for _, r := range chain {
			fmt.Fprintf(&b, "-A %s %s\n", t.chain(), r)
		}
	}
	if own := jumps(have, t); !settled(own, jump) {
		deleteJumps(&b, own)
		fmt.Fprintf(&b, "-I INPUT 1 %s\n", jump)
	}
	b.WriteString("COMMIT\n")
	return Restore{Family: int(f), Table: string(t), Input: b.String(), Jump: jump}
}

// newRemoval writes the transaction that takes our chain and everything that leads to it away.
func newRemoval(f family, t table, have Table) Restore {
	var b strings.Builder
	fmt.Fprintf(&b, "*%s\n", t)
	own := jumps(have, t)
	deleteJumps(&b, own)
	for _, ref := range have.References {
		fmt.Fprintf(&b, "-D %s\n", ref)
	}
	if have.Chain != nil {
		fmt.Fprintf(&b, "-F %s\n-X %s\n", t.chain(), t.chain())
	}
	sweep := len(own) == len(have.Input) && have.Policy == "ACCEPT" && madeInput(own)
	if sweep {
		b.WriteString("-X INPUT\n") // fails the transaction, as it should, if somebody put a rule there meanwhile
	}
	b.WriteString("COMMIT\n")
	return Restore{Family: int(f), Table: string(t), Input: b.String(), Sweep: sweep}
}

// deleteJumps deletes by text, which hits the first equal rule: so all of them go, also the one that was right.
func deleteJumps(b *strings.Builder, own []place) {
	for _, j := range own {
		fmt.Fprintf(b, "-D INPUT %s\n", j.text)
	}
}

// place is a jump to our chain at a position of INPUT, counted from 1.
type place struct {
	position int
	text     string
}

func (p place) String() string { return fmt.Sprintf("rule %d: %s", p.position, p.text) }

func jumps(have Table, t table) []place {
	var own []place
	for i, text := range have.Input {
		if strings.Contains(text, t.chain()) && target(text) == t.chain() {
			own = append(own, place{i + 1, text})
		}
	}
	return own
}

func settled(own []place, jump string) bool {
	return len(own) == 1 && own[0] == place{1, jump}
}

func madeInput(own []place) bool {
	return slices.ContainsFunc(own, func(p place) bool { return strings.Contains(p.text, made) })
}

// equalChain tells a chain that is empty from one that does not exist.
func equalChain(a, b []string) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }

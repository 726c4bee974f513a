package firewall

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sessiondbd/internal/plan"
)

// Cut is the step that ends connections which the guard does not let through any more. Those who hold them could not use
// them; PostgreSQL would keep their slots and transactions for hours.
type Cut struct{ Connections []Connection }

func (c Cut) String() string { return fmt.Sprintf("cut %d connections", len(c.Connections)) }

func (c Cut) execute(ctx context.Context) error {
	for _, conn := range c.Connections {
		if err := conn.cut(); err != nil {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// told is how many peers a sentence names.
const told = 5

// diffConnections ends what the rules forbid, one change a peer. While the guard does not stand yet somebody has still to be
// told before: what a host was used for until then is its administrator's to know.
func diffConnections(r *plan.Resource, f family, spec Spec, have Observation) {
	var peers []netip.Addr
	held := map[netip.Addr][]Connection{}
	for _, c := range have.Connections {
		a := c.Remote.Addr()
		if a.Is4() != (f == ipv4) || spec.admits(a, have.Addresses) {
			continue
		}
		if len(held[a]) == 0 {
			peers = append(peers, a)
		}
		held[a] = append(held[a], c)
	}
	slices.SortFunc(peers, netip.Addr.Compare)
	for _, a := range peers {
		have := "1 connection"
		if n := len(held[a]); n > 1 {
			have = fmt.Sprintf("%d connections", n)
		}
		r.Add(plan.Delete, "peer "+a.String(), have, "", "it is no VM and nothing in firewall.allow: the guard drops its packets, and so it is cut at once", Cut{held[a]})
	}
	if rules := have.ruleset(f); len(peers) > 0 && rules.Mangle.Chain == nil {
		var names []string
		for _, a := range peers[:min(told, len(peers))] {
			names = append(names, a.String())
		}
		if more := len(peers) - told; more > 0 {
			names = append(names, fmt.Sprintf("%d more", more))
		}
		r.Warn(fmt.Sprintf("connected to port %d without being a VM, and cut off from now on: %s", spec.Port, strings.Join(names, ", ")),
			"add who is to stay to firewall.allow in /etc/sessiondbd/config.yaml: allow: [{source: "+peers[0].String()+"}]")
	}
}

// admits says whether the rules mean an address to get in: the host's own, that of a VM whether or not its bridge is there,
// and those of allow. By which interface it came in, a connection does not tell.
func (s Spec) admits(a netip.Addr, own map[netip.Addr]string) bool {
	if _, mine := own[a]; mine || a.IsLoopback() {
		return true
	}
	return slices.ContainsFunc(s.Networks, func(n Network) bool { return n.Subnet.Contains(a) }) ||
		slices.ContainsFunc(s.Allow, func(n Source) bool { return n.Prefix.Contains(a) })
}

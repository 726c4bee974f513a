package operate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sessiondbd/internal/firewall"
)

// gateway says what is wrong with one network's end on this host; empty: nothing.
func (c *Case) gateway(n firewall.Network) (what, reason, remedy string) {
	l, held := c.holder(n.Gateway)
	device := n.Interface
	if device == "" {
		device = "INTERFACE"
	}
	address := fmt.Sprintf("sudo ip address add %s/%d dev %s && sudo ip link set %s up", n.Gateway, n.Subnet.Bits(), device, device)
	switch _, exists := c.link(n.Interface); {
	case n.Interface != "" && !exists:
		return fmt.Sprintf("%s: there is no interface %s", n.Name, n.Interface), "the VM is not attached to this host; the rules let in what comes by that interface alone",
			"ip -br address shows which there are; bring it up as the hypervisor's network configuration does, or name the right one in the config (interface: auto follows the address)"
	case !held:
		return fmt.Sprintf("%s: no interface holds its gateway %s", n.Name, n.Gateway), "the VM finds nobody at that address; it is let in as soon as the address appears",
			"bring up its bridge as the hypervisor's network configuration does; by hand: " + address
	case n.Interface != "" && l.Name != n.Interface:
		return fmt.Sprintf("%s: its gateway %s is on %s, the config says %s", n.Name, n.Gateway, l.Name, n.Interface), "the rules let in what comes by the configured interface alone",
			"set interface: " + l.Name + " (or auto) for " + n.Name + " in the config, then: sudo systemctl reload sessiondbd sessiondbd-firewall"
	case !l.Up:
		return fmt.Sprintf("%s: interface %s is down", n.Name, l.Name), "nothing passes it in either direction", "sudo ip link set " + l.Name + " up"
	}
	return "", "", ""
}

// absentGateway says whether a warning of the firewall is about a gateway that was found to be missing.
func (c *Case) absentGateway(summary string) bool {
	rest, ok := strings.CutPrefix(summary, "no interface holds ")
	word, _, _ := strings.Cut(rest, " ")
	a, err := netip.ParseAddr(word)
	if !ok || err != nil {
		return false
	}
	_, held := c.holder(a)
	return !held
}

// holders are the interfaces that hold an address.
func (c *Case) holders(a netip.Addr) (list []Link) {
	for _, l := range c.Links {
		if slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool { return p.Addr() == a }) {
			list = append(list, l)
		}
	}
	return list
}

// doubled says of a gateway that more than one interface holds it; the remedy takes it from those that are not the VM's. Where
// nobody can tell which is, that is the administrator's to say.
func (c *Case) doubled(n firewall.Network) (what, remedy string) {
	holders := c.holders(n.Gateway)
	if len(holders) < 2 {
		return "", ""
	}
	right := n.Interface
	if where := c.metOn(n); right == "" && len(where) == 1 {
		right = where[0]
	}
	known := slices.ContainsFunc(holders, func(l Link) bool { return l.Name == right })
	if !known {
		right = holders[0].Name
	}
	var names, lines []string
	for _, l := range holders {
		names = append(names, l.Name)
		for _, p := range l.Addresses {
			if p.Addr() == n.Gateway && l.Name != right {
				lines = append(lines, fmt.Sprintf("sudo ip address del %s dev %s", p, l.Name))
			}
		}
	}
	remedy = strings.Join(lines, "\n")
	if !known {
		remedy += "    # if the VM is behind " + right + "; otherwise take it from there"
	}
	return fmt.Sprintf("%s: its gateway %s is on %s at once", n.Name, n.Gateway, strings.Join(names, " and ")), remedy
}

// contested says whether any gateway is on more than one interface: then the rules that a pass would write may be the wrong ones.
func (c *Case) contested() bool {
	return slices.ContainsFunc(c.Spec.Networks, func(n firewall.Network) bool { return len(c.holders(n.Gateway)) > 1 })
}

// metOn are the interfaces on which somebody of a network was met.
func (c *Case) metOn(n firewall.Network) (names []string) {
	for _, b := range c.Neighbours {
		if n.Subnet.Contains(b.Address) && b.Met() && !slices.Contains(names, b.Interface) {
			names = append(names, b.Interface)
		}
	}
	return names
}

// elsewhere says of a network that it was met on another interface than its gateway's, and not there.
func (c *Case) elsewhere(n firewall.Network) (what, remedy string) {
	l, held := c.holder(n.Gateway)
	where := c.metOn(n)
	if !held || len(where) == 0 || slices.Contains(where, l.Name) {
		return "", ""
	}
	return fmt.Sprintf("%s: the VM has been met on %s, its gateway %s is on %s", n.Name, where[0], n.Gateway, l.Name),
		fmt.Sprintf("sudo ip address del %s/%d dev %s && sudo ip address add %s/%d dev %s    # if the VM is behind %s; ip neighbour show nud all tells who was met where",
			n.Gateway, n.Subnet.Bits(), l.Name, n.Gateway, n.Subnet.Bits(), where[0], where[0])
}

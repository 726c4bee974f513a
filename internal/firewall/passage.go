package firewall

import "slices"

// Passage is how the rules treat one network, and what it holds.
type Passage struct {
	// Interface is by which its packets must come in; empty: none holds the gateway, and no rule can name it.
	Interface string
	Guarded   bool // the deny is in place
	Passes    bool // and lets the network through
	Accepted  bool // the accept is in place, and names the network
	Used      int  // connections with the port, which the limit of a network counts
	// Droppers are base chains of others that drop what ours accepts; Unread are those that may.
	Droppers, Unread []BaseChain
}

// Passage follows a connection of the network through the rules as they are.
func (o Observation) Passage(spec Spec, n Network) Passage {
	f := ipv6
	if n.Subnet.Addr().Is4() {
		f = ipv4
	}
	rules := o.ruleset(f)
	p := Passage{Guarded: len(jumps(rules.Mangle, mangle)) > 0 && rules.Mangle.Chain != nil, Used: o.Used(n)}
	in, _ := peers(Spec{Networks: []Network{n}}, f, o.Addresses)
	if len(in) == 0 {
		return p
	}
	peer := in[0]
	p.Interface = peer.iface
	allow := allow(in, spec.Port)
	p.Passes = p.Guarded && slices.Contains(rules.Mangle.Chain, peer.match()+"-j RETURN")
	p.Accepted = len(jumps(rules.Filter, filter)) > 0 && slices.Contains(rules.Filter.Chain, allow.rules[len(allow.rules)-1].text)
	for _, c := range o.Others {
		switch {
		case !c.asked(f):
		case c.Rules == nil && c.Drops:
			p.Unread = append(p.Unread, c)
		case c.Rules != nil && c.cutsOff(peer, f, spec.Port):
			p.Droppers = append(p.Droppers, c)
		}
	}
	return p
}

// Used counts the connections with the port that a network holds.
func (o Observation) Used(n Network) int {
	used := 0
	for _, c := range o.Connections {
		if a := c.Remote.Addr(); n.Subnet.Contains(a) && a != n.Gateway {
			used++
		}
	}
	return used
}

package operate

import (
	"fmt"
	"strings"

	"sessiondbd/internal/firewall"
	"sessiondbd/internal/server"
)

// Pass says how a connection fares at one hop.
type Pass string

// How it fares.
const (
	Passes  Pass = "ok"
	Ends    Pass = "ends"
	Doubt   Pass = "doubt"  // it may pass; others decide, or something is not as it should be
	NotSeen Pass = "unseen" // it could not be looked at
)

// Hop is one thing on the way from a VM to its sessions.
type Hop struct {
	Name   string `json:"hop"`
	Pass   Pass   `json:"pass"`
	Saw    string `json:"saw"`
	Remedy string `json:"remedy,omitempty"` // where it does not simply pass
}

// Way is a VM's way to its sessions, hop by hop. Hops behind the one where it ends are looked at all the same.
type Way struct {
	VM   string `json:"vm"`
	Hops []Hop  `json:"hops"`
	Ends string `json:"ends_at"` // name of the first hop where it does; empty: it does not
}

func (w *Way) add(name string, p Pass, saw, remedy string) {
	if p == Passes {
		remedy = ""
	}
	w.Hops = append(w.Hops, Hop{name, p, saw, remedy})
	if p == Ends && w.Ends == "" {
		w.Ends = name
	}
}

// way follows the VM of that name, which the config has.
func (c *Case) way(vm string) *Way {
	w := &Way{VM: vm}
	for _, n := range c.Spec.Networks {
		if n.Name != vm {
			continue
		}
		c.wire(w, n)
		c.passage(w, n)
		c.listener(w, n)
		roles := 0
		if c.serverSeen() {
			for _, j := range server.Judgements(c.ServerWant, c.Server) {
				if j.Network.Name == vm {
					roles++
					c.login(w, j)
				}
			}
		}
		switch {
		case c.shut():
			w.add("connections", Ends, "database "+c.ServerWant.Database+" takes no connection (ALLOW_CONNECTIONS)", c.alterDatabase("ALLOW_CONNECTIONS true"))
		case c.crowded():
			w.add("connections", Ends, "every connection of the server is in use, those that are kept for administrators too", crowd)
		case !c.serverSeen():
			w.add(AreaHBA, NotSeen, "PostgreSQL could not be asked for it, for its roles and limits", c.asRoot("settle what is found of PostgreSQL and the database, then: sudo sessiondbd doctor --vm "+vm))
		case roles == 0:
			w.add("role", Ends, "no role of the config may come from "+vm, "name it below roles[].networks in the config, then: sudo systemctl reload sessiondbd")
		}
	}
	return w
}

// wire is what lies between VM and host: interface, address, neighbour.
func (c *Case) wire(w *Way, n firewall.Network) {
	what, _, remedy := c.gateway(n)
	twice, less := c.doubled(n)
	l, held := c.holder(n.Gateway)
	switch {
	case twice != "":
		w.add("interface", Doubt, twice, less)
	case what != "":
		w.add("interface", Ends, what, remedy)
	case !l.Carrier:
		w.add("interface", Ends, fmt.Sprintf("%s is up, but nothing is plugged in", l.Name), "start the VM, or attach it: sudo ip link set VM_DEVICE master "+l.Name+" up")
	default:
		w.add("interface", Passes, l.Name+" is up", "")
	}
	if held {
		w.add("address", Passes, fmt.Sprintf("%s holds %s", l.Name, n.Gateway), "")
	} else {
		w.add("address", Ends, "nobody here holds "+n.Gateway.String(), remedy)
	}
	c.neighbour(w, n, l)
	if r, asked := c.Routes[n.Gateway]; asked && twice == "" {
		if what, remedy := c.astray(n); what != "" {
			w.add("route", Ends, what, remedy)
		} else if what, _, _ := c.gateway(n); what == "" {
			w.add("route", Passes, fmt.Sprintf("answers to %s leave by %s", r.To, r.Interface), "")
		}
	}
}

// neighbour is who was met on the link.
func (c *Case) neighbour(w *Way, n firewall.Network, l Link) {
	var met, silent []string
	for _, b := range c.Neighbours {
		switch {
		case b.Interface != l.Name || !n.Subnet.Contains(b.Address):
		case !b.Met():
			silent = append(silent, b.Address.String())
		default:
			met = append(met, b.Address.String()+" at "+b.Hardware)
		}
	}
	ping := "in the VM: ip -br address; ping -c1 " + n.Gateway.String()
	other, move := c.elsewhere(n)
	switch {
	case len(met) > 0:
		w.add("neighbour", Passes, "met "+strings.Join(met, ", "), "")
	case other != "":
		w.add("neighbour", Doubt, other, move)
	case len(silent) > 0:
		w.add("neighbour", Doubt, "asked for "+strings.Join(silent, ", ")+" and got no answer", ping)
	default:
		w.add("neighbour", Doubt, "nobody of "+n.Subnet.String()+" has been met lately", ping)
	}
}

// passage is the firewall's part: guard, allow, chains of others, the limit.
func (c *Case) passage(w *Way, n firewall.Network) {
	if c.Spec.Backend == firewall.Off {
		w.add("guard", Doubt, "firewall.backend is off: somebody else decides", "")
		return
	}
	if !c.rulesSeen() {
		w.add("guard", NotSeen, "the rules could not be read", c.asRoot("settle what is found of the firewall, then: sudo sessiondbd doctor --vm "+n.Name))
		return
	}
	apply := "sudo sessiondbd apply --only firewall"
	if what, remedy := c.doubled(n); what != "" {
		apply = remedy
	}
	p := c.Rules.Passage(c.Spec, n)
	switch {
	case p.Passes:
		w.add("guard", Passes, firewall.GuardChain+" returns "+n.Subnet.String()+" on "+p.Interface, "")
	case p.Guarded:
		w.add("guard", Ends, firewall.GuardChain+" does not know "+n.Subnet.String()+", and drops it", apply)
	default:
		w.add("guard", Doubt, firewall.GuardChain+" is not in place: nobody is kept out", apply)
	}
	if p.Accepted {
		w.add("allow", Passes, firewall.AllowChain+" accepts it", "")
	} else {
		w.add("allow", Doubt, firewall.AllowChain+" does not accept it: INPUT's other rules decide", apply)
	}
	c.others(w, p, n)
	limit := c.Spec.MaxConnections
	used := fmt.Sprintf("%d of %d connections in use", p.Used, limit)
	if limit > 0 && p.Used >= limit {
		w.add("limit", Ends, used+": the next is reset", "sudo sessiondbd status --sessions    # what they do; then a smaller pool in the VM, or firewall.max_connections_per_vm")
	} else {
		w.add("limit", Passes, used, "")
	}
}

// others are the base chains of somebody else.
func (c *Case) others(w *Way, p firewall.Passage, n firewall.Network) {
	names := func(list []firewall.BaseChain) string {
		var all []string
		for _, b := range list {
			all = append(all, b.String())
		}
		return strings.Join(all, ", ")
	}
	switch {
	case len(p.Droppers) > 0:
		w.add("other chains", Ends, names(p.Droppers)+" drops "+n.Name, c.warned(p.Droppers[0]))
	case len(p.Unread) > 0:
		w.add("other chains", Doubt, names(p.Unread)+" drops by policy and cannot be read", "sudo apt install nftables")
	case len(c.Rules.Others) > 0:
		w.add("other chains", Passes, names(c.Rules.Others)+": none drops it", "")
	}
}

// warned is the remedy that the plan has for a chain of others which drops VMs.
func (c *Case) warned(b firewall.BaseChain) (remedy string) {
	for _, r := range c.FirewallPlan.Resources {
		for _, w := range r.Warnings {
			if w.Impairs && strings.HasPrefix(w.Summary, "chain "+b.String()+" ") && remedy == "" {
				remedy = w.Remedy
			}
		}
	}
	return remedy
}

package firewall

import (
	"fmt"
	"strings"

	"sessiondbd/internal/plan"
)

// warnCutOff tells where somebody else's base chain drops peers whom ours lets in. Nothing of ours can undo that, and
// somebody else's rules are not ours to change.
func warnCutOff(r *plan.Resource, chains []BaseChain, f family, in []peer, port uint16) {
	for _, c := range chains {
		if !c.asked(f) || len(in) == 0 {
			continue
		}
		if c.Rules == nil {
			if c.Drops {
				r.Warn(fmt.Sprintf("chain %s drops what its rules do not accept, and they cannot be read (%s): whether the VMs get in is not known", c, c.Unread),
					fmt.Sprintf("sudo apt install nftables; sudo nft list table %s %s", c.Family, c.Table))
			}
			continue
		}
		var lost []peer
		for _, p := range in {
			if c.cutsOff(p, f, port) {
				lost = append(lost, p)
			}
		}
		if len(lost) > 0 {
			names := make([]string, len(lost))
			for i, p := range lost {
				names[i] = p.where()
			}
			what := "the connections of "
			if c.outward() {
				what = "the answers to "
			}
			r.Warn(fmt.Sprintf("chain %s (hook %s) drops %s%s: a packet has to pass every base chain, and ours cannot overrule it", c, c.Hook, what, strings.Join(names, ", ")),
				opening(c, f, lost, port))
			r.Warnings[len(r.Warnings)-1].Impairs = true
		}
	}
}

// opening is the command that lets peers through a chain, and where its line has to be written down.
func opening(c BaseChain, f family, lost []peer, port uint16) string {
	if tool := tablesOf[c.Family]; tool != "" && strings.ToUpper(c.Name) == c.Name { // a chain that iptables made
		var lines []string
		for _, p := range lost {
			match, side := p.match(), "dport"
			if c.outward() {
				match, side = p.matchReply(), "sport"
			}
			lines = append(lines, fmt.Sprintf("sudo %s -t %s -I %s 1 %s-p tcp --%s %d -j ACCEPT", tool, c.Table, c.Name, match, side, port))
		}
		return strings.Join(lines, "\n")
	}
	link, address, side := "iifname", "saddr", "dport"
	if c.outward() {
		link, address, side = "oifname", "daddr", "sport"
	}
	rule := fmt.Sprintf("%stcp %s %d accept", selects(f, lost, link, address), side, port)
	return fmt.Sprintf("sudo nft 'insert rule %s %s'\n# and in the file that makes the table (/etc/nftables.conf, networking.nftables.ruleset), at the top of chain %s: %s", c, rule, c.Name, rule)
}

var tablesOf = map[string]string{"ip": "iptables", "ip6": "ip6tables"}

// selects matches the interfaces and addresses of peers, as nft writes it.
func selects(f family, peers []peer, link, address string) string {
	var ifaces, prefixes []string
	for _, p := range peers {
		if p.iface != "" {
			ifaces = append(ifaces, `"`+p.iface+`"`)
		}
		prefixes = append(prefixes, p.prefix.String())
	}
	match := ""
	if len(ifaces) == len(peers) {
		match = link + " { " + strings.Join(ifaces, ", ") + " } "
	}
	return match + nftFamily(f) + " " + address + " { " + strings.Join(prefixes, ", ") + " } "
}

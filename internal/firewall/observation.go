package firewall

import (
	"net/netip"
	"strings"
)

// Observation is what is: our chains, the INPUT chains that lead to them, and who holds which address.
type Observation struct {
	Backend   string // NFT, Legacy or Off
	NoIPv6    bool   // the kernel has none, so there is nothing to guard
	IPv4      Ruleset
	IPv6      Ruleset
	Others    []BaseChain           // of other people, which packets for the port have to pass as well
	Addresses map[netip.Addr]string // to the interface that holds it

	Connections []Connection // with the port
}

// Ruleset is what concerns us in the tables of one family.
type Ruleset struct {
	Mangle Table
	Filter Table
	// Left is what of ours stands in the back end that is not in use, whose name is LeftIn; nil: nothing, as far as can be seen.
	Left   *Ruleset
	LeftIn string
}

// Table is what concerns us in one table. Rules are spelt as iptables-save prints them, without `-A CHAIN`.
type Table struct {
	Chain      []string // of our chain; nil: it does not exist
	Input      []string // of INPUT
	References []string // to our chain from elsewhere than INPUT, each as `CHAIN rule`
	Policy     string   // of INPUT
	// Bare says that INPUT does not exist in the kernel, although iptables prints it: writing to it will make it.
	Bare bool
	// Foreign says that nft wrote what iptables cannot read.
	Foreign bool
}

func (o Observation) ruleset(f family) Ruleset {
	if f == ipv4 {
		return o.IPv4
	}
	return o.IPv6
}

func (r *Ruleset) table(t table) *Table {
	if t == mangle {
		return &r.Mangle
	}
	return &r.Filter
}

// Admitted counts the networks that the guard lets through: those whose interface is known and has its rule.
func Admitted(spec Spec, have Observation) int {
	n := 0
	for _, net := range spec.Networks {
		f := ipv6
		if net.Subnet.Addr().Is4() {
			f = ipv4
		}
		rules := have.ruleset(f)
		for _, rule := range rules.Mangle.Chain {
			if strings.HasPrefix(rule, "-s "+net.Subnet.String()+" ") && strings.HasSuffix(rule, "-j RETURN") {
				n++
				break
			}
		}
	}
	return n
}

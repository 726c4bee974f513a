package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// interfaceLike is narrower than the kernel (15 bytes without slash, colon or white space): + is a wildcard of iptables,
// and quotes or a leading - or ! would be read as syntax by iptables-restore.
var interfaceLike = lazy(`^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,14}$`)

func interfaceName(s string) (string, error) {
	if !interfaceLike().MatchString(s) {
		return "", fmt.Errorf("must be auto or the name of an interface (1 to 15 letters, digits, _ . @ -; no wildcard), not %s", clip(s))
	}
	return s, nil
}

func sourceInterface(s string) (string, error) {
	if s == AutoInterface || !interfaceLike().MatchString(s) {
		return "", fmt.Errorf("must be the name of an interface (1 to 15 letters, digits, _ . @ -; no wildcard), not %s; remove it for any", clip(s))
	}
	return s, nil
}

// prefix reads a masked network; wanted names in errors what the caller reads.
func prefix(s, wanted string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("must be %s, not %s", wanted, clip(s))
	case p.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("must be written as IPv4, not as %s", clip(s))
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("%s has bits behind its mask; did you mean %s?", p, p.Masked())
	}
	return p, nil
}

// subnet reads the network of a VM.
func subnet(s string) (netip.Prefix, error) {
	p, err := prefix(s, "a network such as 10.1.0.0/24")
	switch {
	case err != nil:
		return netip.Prefix{}, err
	case wide(p):
		return netip.Prefix{}, fmt.Errorf("%s is no network of a VM: it would open the port to the internet", p)
	case p.IsSingleIP():
		return netip.Prefix{}, fmt.Errorf("%s has room for the gateway alone; widen it", p)
	case p.Addr().IsLoopback(), p.Addr().IsMulticast():
		return netip.Prefix{}, fmt.Errorf("%s is a loopback or multicast network, where no VM can be", p)
	}
	return p, nil
}

// source reads a network or a single address.
func source(s string) (netip.Prefix, error) {
	a, err := netip.ParseAddr(s)
	if err == nil && !a.Is4In6() && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return prefix(s, "an address or a network such as 100.64.0.0/10")
}

func address(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return netip.Addr{}, fmt.Errorf("must be an address such as 10.1.0.1, not %s", clip(s))
	}
	return a, nil
}

// wide says whether p is larger than any private network: 10.0.0.0/8 and fc00::/7 are the largest.
func wide(p netip.Prefix) bool {
	if p.Addr().Is4() {
		return p.Bits() < 8
	}
	return p.Bits() < 7
}

// checkGateway reports a gateway that no interface in the subnet can hold.
func checkGateway(v value, n Network) {
	if !n.Gateway.IsValid() || !n.Subnet.IsValid() {
		return
	}
	pointToPoint := n.Subnet.Bits() == n.Gateway.BitLen()-1 // RFC 3021, RFC 6164: both addresses are hosts
	switch {
	case !n.Subnet.Contains(n.Gateway):
		v.fail("%s is not inside the subnet %s", n.Gateway, n.Subnet)
	case pointToPoint:
	case n.Gateway == n.Subnet.Addr():
		v.fail("%s is the address of the network itself; did you mean %s?", n.Gateway, n.Gateway.Next())
	case n.Gateway.Is4() && !n.Subnet.Contains(n.Gateway.Next()):
		v.fail("%s is the broadcast address of %s", n.Gateway, n.Subnet)
	}
}

// overlaps finds networks that share addresses: a connection would belong to two VMs.
type overlaps struct {
	seen []netip.Prefix
	at   []value
}

func (o *overlaps) add(v value, p netip.Prefix) {
	if p.IsValid() {
		o.seen, o.at = append(o.seen, p), append(o.at, v)
	}
}

// report is for when all are known: sorted, those that overlap are neighbours, and where none do nobody is compared with
// everybody. Each is told with the first above it.
func (o *overlaps) report() {
	if o.disjoint() {
		return
	}
	for i, p := range o.seen {
		if j := slices.IndexFunc(o.seen[:i], p.Overlaps); j >= 0 {
			o.at[i].fail("%s overlaps %s of %s", p, o.seen[j], o.at[j].path)
		}
	}
}

func (o *overlaps) disjoint() bool {
	sorted := slices.SortedFunc(slices.Values(o.seen), func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits())) // masked: one that holds others comes first
	})
	for i := 1; i < len(sorted); i++ {
		if sorted[i-1].Overlaps(sorted[i]) {
			return false
		}
	}
	return true
}

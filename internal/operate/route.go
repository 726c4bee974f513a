package operate

import (
	"errors"
	"fmt"
	"net/netip"

	"sessiondbd/internal/firewall"
)

// Route is how this host answers a VM from its gateway.
type Route struct {
	To        netip.Addr // the VM's, or one that it may have
	Interface string     // by which the answer leaves
	Err       error      // why it does not
}

// AskRoutes asks the kernel for those of the networks whose gateway is there. What it does not tell is no route.
func (c *Case) AskRoutes() {
	c.Routes = map[netip.Addr]Route{}
	for _, n := range c.Spec.Networks {
		l, held := c.holder(n.Gateway)
		to, known := c.correspondent(n, l)
		if !held || !known || n.Gateway.IsLinkLocalUnicast() {
			continue
		}
		r := Route{To: to}
		if r.Interface, r.Err = firewall.Path(n.Gateway, to); r.Err == nil || errors.Is(r.Err, firewall.ErrNoPath) {
			c.Routes[n.Gateway] = r
		}
	}
}

// correspondent is somebody of the network who was met on the link, or else its first address that is none of this host's.
func (c *Case) correspondent(n firewall.Network, l Link) (netip.Addr, bool) {
	for _, b := range c.Neighbours {
		if b.Interface == l.Name && n.Subnet.Contains(b.Address) && b.Met() {
			return b.Address, true
		}
	}
	a := n.Subnet.Masked().Addr().Next()
	for range 8 {
		if _, ours := c.holder(a); !ours {
			return a, n.Subnet.Contains(a)
		}
		a = a.Next()
	}
	return a, false
}

// astray says why a VM's answers do not come back to it; empty: they do, or something else is wrong that is told already.
func (c *Case) astray(n firewall.Network) (what, remedy string) {
	l, _ := c.holder(n.Gateway)
	r, asked := c.Routes[n.Gateway]
	if wrong, _, _ := c.gateway(n); !asked || wrong != "" || len(c.holders(n.Gateway)) > 1 || r.Err == nil && r.Interface == l.Name {
		return "", ""
	}
	what = fmt.Sprintf("%s: answers from %s to %s leave by %s, and not by %s, which holds the gateway", n.Name, n.Gateway, r.To, r.Interface, l.Name)
	if r.Err != nil {
		what = fmt.Sprintf("%s: answers from %s to %s are not sent: %v", n.Name, n.Gateway, r.To, r.Err)
	}
	return what, fmt.Sprintf("sudo ip route replace %s dev %s src %s\n# a longer prefix counts before it: ip route get %s from %s; ip route show table all match %s; sudo ip route del the one that is wrong",
		n.Subnet.Masked(), l.Name, n.Gateway, r.To, n.Gateway, r.To)
}

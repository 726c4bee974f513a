package firewall

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sessiondbd/internal/plan"
)

// documented is the hypervisor of the documentation, with every bridge up.
func documented() (Spec, map[netip.Addr]string) {
	s := Spec{Port: 5432, Backend: Auto, MaxConnections: 16}
	addresses := map[netip.Addr]string{netip.MustParseAddr("127.0.0.1"): "lo", netip.MustParseAddr("192.0.2.1"): "eth0"}
	for _, n := range []string{"1", "2", "3", "4", "5"} {
		gateway := netip.MustParseAddr("10." + n + ".0.1")
		s.Networks = append(s.Networks, Network{Name: "vm" + n, Subnet: netip.MustParsePrefix("10." + n + ".0.0/24"), Gateway: gateway})
		addresses[gateway] = "br-vm" + n
	}
	return s, addresses
}

// bare is a host on which nobody ever wrote a rule: nft has no table at all, so iptables-save prints nothing.
func bare() Observation {
	_, addresses := documented()
	o := Observation{Backend: NFT, Addresses: addresses}
	for _, r := range []*Ruleset{&o.IPv4, &o.IPv6} {
		r.Mangle.Bare, r.Filter.Bare = true, true
	}
	return o
}

// inputs is the text of every transaction, each once.
func inputs(resources []plan.Resource) string {
	var out []string
	for _, r := range resources {
		for _, c := range r.Changes {
			if in := c.Step.(Restore).Input; !slices.Contains(out, in) {
				out = append(out, in)
			}
		}
	}
	return strings.Join(out, "")
}

const documentedWorld = `*mangle
:SESSIONDB-GUARD - [0:0]
-A SESSIONDB-GUARD -i lo -j RETURN
-A SESSIONDB-GUARD -s 10.1.0.0/24 -i br-vm1 -j RETURN
-A SESSIONDB-GUARD -s 10.2.0.0/24 -i br-vm2 -j RETURN
-A SESSIONDB-GUARD -s 10.3.0.0/24 -i br-vm3 -j RETURN
-A SESSIONDB-GUARD -s 10.4.0.0/24 -i br-vm4 -j RETURN
-A SESSIONDB-GUARD -s 10.5.0.0/24 -i br-vm5 -j RETURN
-A SESSIONDB-GUARD -j DROP
-I INPUT 1 -p tcp -m tcp --dport 5432 -m comment --comment "sessiondbd f60d30ad: deny all but the VMs (made INPUT)" -j SESSIONDB-GUARD
COMMIT
*filter
:SESSIONDB-ALLOW - [0:0]
-A SESSIONDB-ALLOW -s 10.1.0.0/24 -i br-vm1 -p tcp -m tcp --dport 5432 --tcp-flags FIN,SYN,RST,ACK SYN -m connlimit --connlimit-above 16 --connlimit-mask 24 --connlimit-saddr -j REJECT --reject-with tcp-reset
-A SESSIONDB-ALLOW -s 10.1.0.0/24 -i br-vm1 -p tcp -m tcp --dport 5432 -j ACCEPT
-A SESSIONDB-ALLOW -s 10.2.0.0/24 -i br-vm2 -p tcp -m tcp --dport 5432 --tcp-flags FIN,SYN,RST,ACK SYN -m connlimit --connlimit-above 16 --connlimit-mask 24 --connlimit-saddr -j REJECT --reject-with tcp-reset
-A SESSIONDB-ALLOW -s 10.2.0.0/24 -i br-vm2 -p tcp -m tcp --dport 5432 -j ACCEPT
-A SESSIONDB-ALLOW -s 10.3.0.0/24 -i br-vm3 -p tcp -m tcp --dport 5432 --tcp-flags FIN,SYN,RST,ACK SYN -m connlimit --connlimit-above 16 --connlimit-mask 24 --connlimit-saddr -j REJECT --reject-with tcp-reset
-A SESSIONDB-ALLOW -s 10.3.0.0/24 -i br-vm3 -p tcp -m tcp --dport 5432 -j ACCEPT
-A SESSIONDB-ALLOW -s 10.4.0.0/24 -i br-vm4 -p tcp -m tcp --dport 5432 --tcp-flags FIN,SYN,RST,ACK SYN -m connlimit --connlimit-above 16 --connlimit-mask 24 --connlimit-saddr -j REJECT --reject-with tcp-reset
-A SESSIONDB-ALLOW -s 10.4.0.0/24 -i br-vm4 -p tcp -m tcp --dport 5432 -j ACCEPT
-A SESSIONDB-ALLOW -s 10.5.0.0/24 -i br-vm5 -p tcp -m tcp --dport 5432 --tcp-flags FIN,SYN,RST,ACK SYN -m connlimit --connlimit-above 16 --connlimit-mask 24 --connlimit-saddr -j REJECT --reject-with tcp-reset
-A SESSIONDB-ALLOW -s 10.5.0.0/24 -i br-vm5 -p tcp -m tcp --dport 5432 -j ACCEPT
-I INPUT 1 -p tcp -m tcp --dport 5432 -m comment --comment "sessiondbd c353b0f1: let the VMs in (made INPUT)" -j SESSIONDB-ALLOW
COMMIT
*mangle
:SESSIONDB-GUARD - [0:0]
-A SESSIONDB-GUARD -i lo -j RETURN
-A SESSIONDB-GUARD -j DROP
-I INPUT 1 -p tcp -m tcp --dport 5432 -m comment --comment "sessiondbd 5060a033: deny all but the VMs (made INPUT)" -j SESSIONDB-GUARD
COMMIT
*filter
:SESSIONDB-ALLOW - [0:0]
-I INPUT 1 -p tcp -m tcp --dport 5432 -m comment --comment "sessiondbd e3b0c442: let the VMs in (made INPUT)" -j SESSIONDB-ALLOW
COMMIT
`

func TestDocumentedWorld(t *testing.T) {
	spec, _ := documented()
	if d := cmp.Diff(documentedWorld, inputs(Diff(spec, bare()))); d != "" {
		t.Error(d)
	}
}

// small is a host with one VM, a further source and rules of others, in sync with its spec.
func small() (Spec, Observation) {
	gateway := netip.MustParseAddr("10.1.0.1")
	spec := Spec{
		Port: 5432, MaxConnections: 16,
		Networks: []Network{{Name: "vm1", Subnet: netip.MustParsePrefix("10.1.0.0/24"), Gateway: gateway}},
		Allow:    []Source{{Prefix: netip.MustParsePrefix("100.64.0.0/10"), Interface: "tailscale0"}},
	}
	o := Observation{Backend: NFT, Addresses: map[netip.Addr]string{gateway: "br-vm1"}}
	o.IPv4 = parse(smallSave)
	o.IPv6 = parse(small6Save)
	return spec, o
}

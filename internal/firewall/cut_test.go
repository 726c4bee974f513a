package firewall

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sessiondbd/internal/plan"
)

func TestDiffConnections(t *testing.T) {
	spec := Spec{Port: 5432, Allow: []Source{{Prefix: netip.MustParsePrefix("100.64.0.0/10")}}, Networks: []Network{
		{Name: "vm1", Subnet: netip.MustParsePrefix("10.1.0.0/24"), Gateway: netip.MustParseAddr("10.1.0.1")},
		{Name: "vm2", Subnet: netip.MustParsePrefix("10.2.0.0/24"), Gateway: netip.MustParseAddr("10.2.0.1")},
	}}
	own := map[netip.Addr]string{netip.MustParseAddr("192.0.2.1"): "pub"}
	from := func(remotes ...string) (list []Connection) {
		for _, r := range remotes {
			list = append(list, Connection{Local: netip.MustParseAddrPort("10.1.0.1:5432"), Remote: netip.MustParseAddrPort(r)})
		}
		return list
	}
	for _, c := range []struct {
		name    string
		peers   []string
		guarded bool
		family  family
		changes []string
		warned  string // of the warning, its end
	}{
		{name: "a VM", peers: []string{"10.1.0.2:5000"}},
		{name: "a VM whose bridge is down", peers: []string{"10.2.0.2:5000"}},
		{name: "beside the VMs' subnets", peers: []string{"10.3.0.2:5000"}, changes: []string{"peer 10.3.0.2"}, warned: ": 10.3.0.2"},
		{name: "allowed besides", peers: []string{"100.100.1.1:5000"}},
		{name: "the host itself", peers: []string{"192.0.2.1:5000", "127.0.0.1:4000"}},
		{name: "once it is guarded nobody has to be warned", peers: []string{"198.51.100.7:5000"}, guarded: true, changes: []string{"peer 198.51.100.7"}},
		{name: "IPv6 is told with IPv6", peers: []string{"[2001:db8::7]:5000"}},
		{name: "IPv6 there", peers: []string{"[2001:db8::7]:5000", "[::1]:1", "198.51.100.7:1"}, family: ipv6, changes: []string{"peer 2001:db8::7"}, warned: ": 2001:db8::7"},
		{
			name:    "many",
			peers:   []string{"198.51.100.7:1", "198.51.100.1:1", "198.51.100.7:2", "198.51.100.3:1", "198.51.100.4:1", "198.51.100.5:1", "198.51.100.6:1"},
			changes: []string{"peer 198.51.100.1", "peer 198.51.100.3", "peer 198.51.100.4", "peer 198.51.100.5", "peer 198.51.100.6", "peer 198.51.100.7"},
			warned:  ": 198.51.100.1, 198.51.100.3, 198.51.100.4, 198.51.100.5, 198.51.100.6, 1 more",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			have := Observation{Connections: from(c.peers...), Addresses: own}
			if c.guarded {
				have.IPv4.Mangle.Chain = []string{}
			}
			if c.family == 0 {
				c.family = ipv4
			}
			var r plan.Resource
			diffConnections(&r, c.family, spec, have)
			var fields []string
			for _, ch := range r.Changes {
				fields = append(fields, ch.Field)
			}
			if !slices.Equal(fields, c.changes) {
				t.Errorf("%q, not %q", fields, c.changes)
			}
			if (len(r.Warnings) > 0) != (c.warned != "") || c.warned != "" && !strings.HasSuffix(r.Warnings[0].Summary, c.warned) {
				t.Errorf("warned: %v, not %q", r.Warnings, c.warned)
			}
		})
	}
}

// A message of the kernel that is cut short is none.
func TestParseConnectionShort(t *testing.T) {
	if _, ok := parseConnection(make([]byte, diagIDAt+diagIDSize-1)); ok {
		t.Error("read beyond its end")
	}
}

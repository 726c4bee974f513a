package operate

import (
	"net/netip"
	"testing"

	"sessiondbd/internal/firewall"
)

// An address is called as the config calls its network; a gateway is ours, whatever subnet it lies in.
func TestPlace(t *testing.T) {
	spec := firewall.Spec{Networks: []firewall.Network{
		{Name: "vm1", Subnet: netip.MustParsePrefix("10.1.0.0/24"), Gateway: netip.MustParseAddr("10.1.0.1")},
		{Name: "vm6", Subnet: netip.MustParsePrefix("fd10:6::/64"), Gateway: netip.MustParseAddr("fd10:6::1")},
	}}
	for address, want := range map[string]string{
		"": "this host", "127.0.0.1": "this host", "::1": "this host", "10.1.0.1": "this host", "10.1.0.2": "vm1",
		"::ffff:10.1.0.9": "vm1", "fd10:6::2": "vm6", "10.2.0.2": "10.2.0.2",
	} {
		if got := Place(spec, address); got != want {
			t.Errorf("%q: %s, want %s", address, got, want)
		}
	}
}

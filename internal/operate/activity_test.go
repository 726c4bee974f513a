package operate

import (
	"net/netip"
	"testing"

	"sessiondbd/internal/firewall"
)

// Whatever a constant can look like, nothing of it is shown; what surrounds it is.
func TestMaskLiterals(t *testing.T) {
	for _, tt := range []struct{ sql, want string }{
		{"SELECT 1", "SELECT 1"},
		{"ALTER ROLE a PASSWORD 'geheim'", "ALTER ROLE a PASSWORD '…'"},
		{"SELECT 'it''s geheim', x", "SELECT '…', x"},
		{`SELECT E'a\'geheim', x`, "SELECT E'…', x"},
		{`SELECT 'a\', geheim('b')`, `SELECT '…', geheim('…')`}, // a backslash is none outside E''
		{"SELECT 'cut off geheim", "SELECT '…'"},
		{"SELECT $$geheim$$, $a$geheim $$ geheim$a$, y", "SELECT '…', '…', y"},
		{"SELECT $1, $2::text", "SELECT $1, $2::text"},
		{"SELECT a$b, c$d$e", "SELECT a$b, c$d$e"},
		{"SELECT $tag$geheim", "SELECT '…'"},
		{"SELECT\n\t x", "SELECT x"},
		{"$", "$"},
		{"SELECT U&'geheim', N'geheim', B'1'", "SELECT U&'…', N'…', B'…'"},
	} {
		if got := maskLiterals(tt.sql); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.sql, got, tt.want)
		}
	}
}

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

package firewall

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// What is recalled names the interfaces that were found, so that the rules can be made before the bridges are there.
func TestMemory(t *testing.T) {
	m := Memory{Path: filepath.Join(t.TempDir(), "state", "rules.json")}
	if s, err := m.Recall(); s != nil || err != nil {
		t.Fatalf("at first: %v, %v", s, err)
	}
	gateway := netip.MustParseAddr("10.1.0.1")
	spec := Spec{
		Port: 5433, Backend: Auto, MaxConnections: 3, Allow: []Source{{Prefix: netip.MustParsePrefix("100.64.0.0/10"), Interface: "tailscale0"}},
		Networks: []Network{
			{Name: "vm1", Subnet: netip.MustParsePrefix("10.1.0.0/24"), Gateway: gateway},
			{Name: "vm2", Subnet: netip.MustParsePrefix("10.2.0.0/24"), Gateway: netip.MustParseAddr("10.2.0.1"), Interface: "br2"},
		},
	}
	seen := Observation{Addresses: map[netip.Addr]string{gateway: "br-vm1"}}
	want := spec
	want.Networks = []Network{spec.Networks[0], spec.Networks[1]}
	want.Networks[0].Interface = "br-vm1"
	for _, o := range []Observation{seen, {}} { // the bridge has gone: it keeps its interface
		if err := m.Remember(spec, o); err != nil {
			t.Fatal(err)
		}
		got, err := m.Recall()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
			t.Error(diff)
		}
	}
	before, err := os.Stat(m.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Remember(spec, seen); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(m.Path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the same once more was written again: %v", err)
	}
	for _, broken := range []string{"", "{", "{}", "null", `{"Port": 70000}`} {
		if err := os.WriteFile(m.Path, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := m.Recall(); err == nil || !strings.Contains(err.Error(), "does not hold firewall rules") {
			t.Errorf("%q: %v, %v", broken, s, err)
		}
		if err := m.Remember(spec, seen); err != nil {
			t.Errorf("over %q: %v", broken, err)
		}
	}
	for range 2 {
		if err := m.Forget(); err != nil {
			t.Error(err)
		}
	}
	if s, err := m.Recall(); s != nil || err != nil {
		t.Errorf("forgotten: %v, %v", s, err)
	}
}

func TestGuarded(t *testing.T) {
	stands := Table{Chain: []string{"-j DROP"}, Input: []string{"-p tcp -m tcp --dport 5432 -j SESSIONDB-GUARD"}}
	both := Observation{IPv4: Ruleset{Mangle: stands}, IPv6: Ruleset{Mangle: stands}}
	for name, tt := range map[string]struct {
		edit func(*Observation)
		want bool
	}{
		"both":                {func(*Observation) {}, true},
		"IPv4 alone":          {func(o *Observation) { o.IPv6 = Ruleset{} }, false},
		"IPv6 alone":          {func(o *Observation) { o.IPv4 = Ruleset{} }, false},
		"without IPv6":        {func(o *Observation) { o.IPv6, o.NoIPv6 = Ruleset{}, true }, true},
		"an empty chain":      {func(o *Observation) { o.IPv4.Mangle.Chain = []string{} }, false},
		"nothing leads to it": {func(o *Observation) { o.IPv4.Mangle.Input = nil }, false},
		"behind another rule": {func(o *Observation) {
			o.IPv4.Mangle.Input = append([]string{"-j ACCEPT"}, o.IPv4.Mangle.Input...)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := both
			tt.edit(&o)
			if got := Guarded(o); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

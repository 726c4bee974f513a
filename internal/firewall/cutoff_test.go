package firewall

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"sessiondbd/internal/plan"
)

// inputOf is what nft prints of a chain with these rules.
func inputOf(rules ...string) string {
	all := []string{`{"chain":{"family":"inet","table":"other","name":"input"}}`}
	for _, r := range rules {
		all = append(all, fmt.Sprintf(`{"rule":{"family":"inet","table":"other","chain":"input","expr":[%s]}}`, r))
	}
	return `{"nftables":[` + strings.Join(all, ",") + `]}`
}

const (
	acceptVM1 = `{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"br-vm1"}},{"accept":null}`
	markDrop  = `{"match":{"op":"==","left":{"meta":{"key":"mark"}},"right":7}},{"drop":null}`
	flooded   = `{"limit":{"rate":9,"per":"second","inv":true}},{"drop":null}`
	byNobody  = `{"hitherto":{"unheard":"of"}},{"drop":null}`
)

func TestWarnCutOff(t *testing.T) {
	vm1 := peer{name: "vm1", prefix: netip.MustParsePrefix("10.1.0.0/24"), iface: "br-vm1", gateway: netip.MustParseAddr("10.1.0.1")}
	tailnet := peer{name: "100.64.0.0/10", prefix: netip.MustParsePrefix("100.64.0.0/10")}
	for _, c := range []struct {
		name  string
		rules []string
		drops bool
		in    peer
		lost  bool
	}{
		{"policy drop", nil, true, vm1, true},
		{"policy accept", nil, false, vm1, false},
		{"accepted by name", []string{acceptVM1}, true, vm1, false},
		{"from anywhere, an interface proves nothing", []string{acceptVM1}, true, tailnet, false},
		{"perhaps by a mark", []string{markDrop}, false, vm1, false},
		{"perhaps by a mark, surely by policy", []string{markDrop}, true, vm1, true},
		{"only in a flood", []string{flooded}, false, vm1, false},
		{"a statement of a later nft is no reason to claim", []string{acceptVM1, byNobody}, true, vm1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules, err := parseRules(inputOf(c.rules...))
			if err != nil {
				t.Fatal(err)
			}
			var r plan.Resource
			chain := BaseChain{Family: "inet", Table: "other", Name: "input", Hook: "input", Drops: c.drops, Rules: rules}
			warnCutOff(&r, []BaseChain{chain}, ipv4, []peer{c.in}, 5432)
			if got := len(r.Warnings) == 1; got != c.lost {
				t.Errorf("%v", r.Warnings)
			}
		})
	}
}

// Whatever an interface is called, the command that opens a chain names it.
func TestOpening(t *testing.T) {
	p := peer{name: "vm1", prefix: netip.MustParsePrefix("10.1.0.0/24"), iface: "br-s"}
	for _, c := range []struct {
		chain BaseChain
		want  string
	}{
		{BaseChain{Family: "ip", Table: "filter", Name: "OUTPUT", Hook: "output"}, "sudo iptables -t filter -I OUTPUT 1 -d 10.1.0.0/24 -o br-s -p tcp --sport 5432 -j ACCEPT"},
		{BaseChain{Family: "ip", Table: "raw", Name: "PREROUTING", Hook: "prerouting"}, "sudo iptables -t raw -I PREROUTING 1 -s 10.1.0.0/24 -i br-s -p tcp --dport 5432 -j ACCEPT"},
		{BaseChain{Family: "inet", Table: "other", Name: "out", Hook: "postrouting"}, `sudo nft 'insert rule inet other out oifname { "br-s" } ip daddr { 10.1.0.0/24 } tcp sport 5432 accept'`},
		{BaseChain{Family: "inet", Table: "other", Name: "in", Hook: "input"}, `sudo nft 'insert rule inet other in iifname { "br-s" } ip saddr { 10.1.0.0/24 } tcp dport 5432 accept'`},
	} {
		if have, _, _ := strings.Cut(opening(c.chain, ipv4, []peer{p}, 5432), "\n"); have != c.want {
			t.Errorf("%s:\nhave %s\nwant %s", c.chain, have, c.want)
		}
	}
}

func TestParseRulesRefusesWhatIsNoJSON(t *testing.T) {
	if _, err := parseRules("table inet x { }"); err == nil {
		t.Error("an old nft that knows no --json was understood")
	}
}

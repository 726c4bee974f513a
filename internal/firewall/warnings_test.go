package firewall

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sessiondbd/internal/plan"
)

func TestLimit(t *testing.T) {
	spec, have := small()
	spec.MaxConnections = 20
	want := []string{"update filter/SESSIONDB-ALLOW: " + limitRule + " -> " + strings.Replace(limitRule, "16", "20", 1)}
	if d := cmp.Diff(want, lines(Diff(spec, have))); d != "" {
		t.Error(d)
	}
	have.IPv4.Filter.Chain[0] = strings.Replace(limitRule, "16", "20", 1)
	redigest(&have)
	if got := lines(Diff(spec, have)); len(got) > 0 {
		t.Errorf("the twin would change %q", got)
	}
	spec.MaxConnections = 0
	have.IPv4.Filter.Chain = have.IPv4.Filter.Chain[1:]
	redigest(&have)
	if got := lines(Diff(spec, have)); len(got) > 0 {
		t.Errorf("without a limit there is no rule for it, yet would change %q", got)
	}
}

// A jump that says that INPUT was made for it keeps saying so: only remove asks for it.
func TestMadeInputIsKept(t *testing.T) {
	spec, have := small()
	have.IPv4.Mangle.Input[0] = jump(mangle, 5432, have.IPv4.Mangle.Chain, true)
	if got := lines(Diff(spec, have)); len(got) > 0 {
		t.Errorf("would change %q", got)
	}
	have.IPv4.Mangle.Input = []string{strangerIn, jump(mangle, 5432, have.IPv4.Mangle.Chain, true)}
	if got := inputs(Diff(spec, have)); !strings.Contains(got, "-I INPUT 1 "+jump(mangle, 5432, have.IPv4.Mangle.Chain, true)) {
		t.Errorf("moved without its mark: %s", got)
	}
}

func TestWarnings(t *testing.T) {
	for _, row := range []struct {
		name  string
		drift func(s *Spec, o *Observation)
		want  []plan.Warning
	}{
		{"in sync", func(*Spec, *Observation) {}, nil},
		{"no bridge yet", func(s *Spec, o *Observation) {
			s.Networks = append(s.Networks, Network{Name: "vm3", Subnet: netip.MustParsePrefix("10.3.0.0/24"), Gateway: netip.MustParseAddr("10.3.0.1")})
		}, []plan.Warning{{Resource: "firewall/ipv4", Summary: "no interface holds 10.3.0.1 yet: VM vm3 is let in as soon as its bridge appears", Remedy: "ip -br address"}}},
		{"no bridge, but an interface by name", func(s *Spec, o *Observation) {
			delete(o.Addresses, s.Networks[0].Gateway)
			s.Networks[0].Interface = "br-vm1"
		}, nil},
		{"no IPv6", func(_ *Spec, o *Observation) { o.NoIPv6, o.IPv6 = true, Ruleset{} }, []plan.Warning{{
			Resource: "firewall/ipv6", Summary: "this kernel has no IPv6, so there is nothing to guard", Remedy: "none needed: the rules follow when IPv6 appears",
		}}},
		{"off, with rules from before", func(s *Spec, o *Observation) { s.Backend, o.IPv6 = Off, Ruleset{} }, []plan.Warning{{
			Resource: "firewall/ipv4", Summary: "firewall.backend is off, and the rules from before still stand: who reaches the port is decided by them, and they are not kept up",
			Remedy: "sudo sessiondbd remove --only firewall, or set firewall.backend: auto",
		}}},
		{"off", func(s *Spec, o *Observation) { s.Backend = Off; *o = Observation{Backend: Off} }, []plan.Warning{{
			Resource: "firewall/ipv4", Summary: "firewall.backend is off: port 5432 is guarded by pg_hba.conf alone",
			Remedy: "set firewall.backend: auto, or guard the port with a firewall of your own",
		}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			spec, have := small()
			row.drift(&spec, &have)
			var got []plan.Warning
			for _, r := range Diff(spec, have) {
				got = append(got, r.Warnings...)
				if len(r.Changes) > 0 {
					t.Errorf("would change %v", r.Changes)
				}
			}
			if d := cmp.Diff(row.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// What iptables cannot read is refused, table by table: the other one is still mended.
func TestForeignTable(t *testing.T) {
	spec, have := small()
	have.IPv4 = parse("# Table `filter' is incompatible, use 'nft' tool.\n# Table `mangle' contains incompatible base-chains, use 'nft' tool to list them.\n")
	got := Diff(spec, have)
	want := []plan.Refusal{{
		Resource: "firewall/ipv4", Summary: "table filter holds rules that iptables can neither read nor extend",
		Remedy: "nft list table ip filter",
	}}
	if d := cmp.Diff(want, got[0].Refusals); d != "" {
		t.Error(d)
	}
	if in := inputs(got); !strings.HasPrefix(in, "*mangle\n") || strings.Contains(in, "*filter") {
		t.Errorf("transactions: %s", in)
	}
}

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

const (
	limitRule  = `-s 10.1.0.0/24 -i br-vm1 -p tcp -m tcp --dport 5432 --tcp-flags FIN,SYN,RST,ACK SYN -m connlimit --connlimit-above 16 --connlimit-mask 24 --connlimit-saddr -j REJECT --reject-with tcp-reset`
	guardJump  = `-p tcp -m tcp --dport 5432 -m comment --comment "sessiondbd 11f8f43d: deny all but the VMs" -j SESSIONDB-GUARD`
	guardJump6 = `-p tcp -m tcp --dport 5432 -m comment --comment "sessiondbd 5060a033: deny all but the VMs" -j SESSIONDB-GUARD`
	allowJump  = `-p tcp -m tcp --dport 5432 -m comment --comment "sessiondbd 90779319: let the VMs in" -j SESSIONDB-ALLOW`
	allowJump6 = `-p tcp -m tcp --dport 5432 -m comment --comment "sessiondbd e3b0c442: let the VMs in" -j SESSIONDB-ALLOW`
	strangerIn = `-p tcp -m tcp --dport 22 -m comment --comment "we never -j SESSIONDB-GUARD" -j ACCEPT`

	smallSave = `# Generated by iptables-save v1.8.9 (nf_tables) on Sun Nov 22 20:52:23 2026
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [12:345]
:SESSIONDB-GUARD - [0:0]
-A INPUT ` + guardJump + `
-A INPUT ` + strangerIn + `
-A SESSIONDB-GUARD -i lo -j RETURN
-A SESSIONDB-GUARD -s 10.1.0.0/24 -i br-vm1 -j RETURN
-A SESSIONDB-GUARD -s 100.64.0.0/10 -i tailscale0 -j RETURN
-A SESSIONDB-GUARD -j DROP
COMMIT
# Completed on Sun Nov 22 20:52:23 2026
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
-A INPUT -j ACCEPT
COMMIT
*filter
:INPUT DROP [0:0]
:SESSIONDB-ALLOW - [0:0]
-A INPUT ` + allowJump + `
-A INPUT ` + strangerIn + `
-A SESSIONDB-ALLOW ` + limitRule + `
-A SESSIONDB-ALLOW -s 10.1.0.0/24 -i br-vm1 -p tcp -m tcp --dport 5432 -j ACCEPT
-A SESSIONDB-ALLOW -s 100.64.0.0/10 -i tailscale0 -p tcp -m tcp --dport 5432 -j ACCEPT
COMMIT
`
	small6Save = `*mangle
:INPUT ACCEPT [0:0]
:SESSIONDB-GUARD - [0:0]
-A INPUT ` + guardJump6 + `
-A SESSIONDB-GUARD -i lo -j RETURN
-A SESSIONDB-GUARD -j DROP
COMMIT
*filter
:INPUT ACCEPT [0:0]
:SESSIONDB-ALLOW - [0:0]
-A INPUT ` + allowJump6 + `
COMMIT
`
)

// Each row drifts from a host in sync and has a twin that differs from the row in nothing but being equal to its spec.
func TestDiff(t *testing.T) {
	guardWhole := ":SESSIONDB-GUARD - [0:0]\n-A SESSIONDB-GUARD -i lo -j RETURN\n-A SESSIONDB-GUARD -s 10.1.0.0/24 -i br-vm1 -j RETURN\n" +
		"-A SESSIONDB-GUARD -s 100.64.0.0/10 -i tailscale0 -j RETURN\n-A SESSIONDB-GUARD -j DROP\n"
	insert, remove := "-I INPUT 1 "+guardJump+"\n", "-D INPUT "+guardJump+"\n"
	altered := strings.Replace(guardJump, "--dport 5432", "--dport 5433", 1)
	for _, row := range []struct {
		name    string
		drift   func(s *Spec, o *Observation)
		twin    func(s *Spec, o *Observation) // nil: the host in sync
		changes []string                      // action field: have -> want
		restore string                        // between *mangle and COMMIT
	}{
		{
			"jump missing",
			func(_ *Spec, o *Observation) { o.IPv4.Mangle.Input = []string{strangerIn} }, nil,
			[]string{"create mangle/INPUT:  -> rule 1: " + guardJump},
			insert,
		},
		{
			"jump at position 2",
			func(_ *Spec, o *Observation) { o.IPv4.Mangle.Input = []string{strangerIn, guardJump} },
			func(_ *Spec, o *Observation) {
				o.IPv4.Mangle.Input = []string{guardJump, strangerIn, strangerIn}
			},
			[]string{"update mangle/INPUT: rule 2: " + guardJump + " -> rule 1: " + guardJump},
			remove + insert,
		},
		{
			"jump twice",
			func(_ *Spec, o *Observation) { o.IPv4.Mangle.Input = []string{guardJump, strangerIn, guardJump} }, nil,
			[]string{"delete mangle/INPUT: rule 3: " + guardJump + " -> "},
			remove + remove + insert,
		},
		{
			"jump altered",
			func(_ *Spec, o *Observation) { o.IPv4.Mangle.Input = []string{altered, strangerIn} },
			func(s *Spec, o *Observation) {
				s.Port = 5433
				for _, r := range []*Ruleset{&o.IPv4, &o.IPv6} {
					for _, l := range [][]string{r.Mangle.Input, r.Filter.Input, r.Filter.Chain} {
						for i := range l {
							l[i] = strings.Replace(l[i], "5432", "5433", 1)
						}
					}
				}
			},
			[]string{"update mangle/INPUT: rule 1: " + altered + " -> rule 1: " + guardJump},
			"-D INPUT " + altered + "\n" + insert,
		},
		{
			"digest of other rules",
			func(_ *Spec, o *Observation) {
				o.IPv4.Mangle.Input[0] = strings.Replace(guardJump, "11f8f43d", "00c0ffee", 1)
			}, nil,
			[]string{"update mangle/INPUT: rule 1: " + strings.Replace(guardJump, "11f8f43d", "00c0ffee", 1) + " -> rule 1: " + guardJump},
			"-D INPUT " + strings.Replace(guardJump, "11f8f43d", "00c0ffee", 1) + "\n" + insert,
		},
		{
			"jump by goto",
			func(_ *Spec, o *Observation) {
				o.IPv4.Mangle.Input[0] = strings.Replace(guardJump, "-j", "-g", 1)
			}, nil,
			[]string{"update mangle/INPUT: rule 1: " + strings.Replace(guardJump, "-j", "-g", 1) + " -> rule 1: " + guardJump},
			"-D INPUT " + strings.Replace(guardJump, "-j", "-g", 1) + "\n" + insert,
		},
		{
			"chain missing",
			func(_ *Spec, o *Observation) { o.IPv4.Mangle.Chain, o.IPv4.Mangle.Input = nil, []string{strangerIn} }, nil,
			[]string{
				"create mangle/SESSIONDB-GUARD:  -> return lo, vm1, 100.64.0.0/10; drop the rest",
				"create mangle/INPUT:  -> rule 1: " + guardJump,
			},
			guardWhole + insert,
		},
		{
			"chain emptied",
			func(_ *Spec, o *Observation) { o.IPv4.Mangle.Chain = []string{} }, nil,
			[]string{
				"update mangle/SESSIONDB-GUARD: empty -> return lo, vm1, 100.64.0.0/10; drop the rest",
			},
			guardWhole,
		},
		{
			"rule missing",
			func(_ *Spec, o *Observation) { o.IPv4.Mangle.Chain = slices.Delete(o.IPv4.Mangle.Chain, 3, 4) }, nil,
			[]string{"create mangle/SESSIONDB-GUARD:  -> -j DROP"},
			guardWhole,
		},
		{
			"rule extra",
			func(_ *Spec, o *Observation) {
				o.IPv4.Mangle.Chain = slices.Insert(o.IPv4.Mangle.Chain, 0, "-i eth0 -j RETURN")
			},
			func(s *Spec, o *Observation) {
				s.Allow = append([]Source{{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Interface: "eth0"}}, s.Allow...)
				o.IPv4.Mangle.Chain = slices.Insert(o.IPv4.Mangle.Chain, 2, "-i eth0 -j RETURN")
				o.IPv4.Filter.Chain = slices.Insert(o.IPv4.Filter.Chain, 2, "-i eth0 -p tcp -m tcp --dport 5432 -j ACCEPT")
			},
			[]string{"delete mangle/SESSIONDB-GUARD: -i eth0 -j RETURN -> "},
			guardWhole,
		},
		{
			"rule twice",
			func(_ *Spec, o *Observation) { o.IPv4.Mangle.Chain = append(o.IPv4.Mangle.Chain, "-j DROP") }, nil,
			[]string{"delete mangle/SESSIONDB-GUARD: -j DROP -> "},
			guardWhole,
		},
		{
			"order changed",
			func(_ *Spec, o *Observation) { c := o.IPv4.Mangle.Chain; c[0], c[1] = c[1], c[0] }, nil,
			[]string{"update mangle/SESSIONDB-GUARD: -s 10.1.0.0/24 -i br-vm1 -j RETURN; -i lo -j RETURN; -s 100.64.0.0/10 -i tailscale0 -j RETURN; -j DROP -> " +
				"-i lo -j RETURN; -s 10.1.0.0/24 -i br-vm1 -j RETURN; -s 100.64.0.0/10 -i tailscale0 -j RETURN; -j DROP"},
			guardWhole,
		},
		{
			"interface changed in the chain",
			func(_ *Spec, o *Observation) { o.IPv4.Mangle.Chain[1] = "-s 10.1.0.0/24 -i eth0 -j RETURN" },
			func(s *Spec, o *Observation) {
				s.Networks[0].Interface = "eth0"
				o.IPv4.Mangle.Chain[1] = "-s 10.1.0.0/24 -i eth0 -j RETURN"
				for i := range 2 {
					o.IPv4.Filter.Chain[i] = strings.Replace(o.IPv4.Filter.Chain[i], "br-vm1", "eth0", 1)
				}
			},
			[]string{"update mangle/SESSIONDB-GUARD: -s 10.1.0.0/24 -i eth0 -j RETURN -> -s 10.1.0.0/24 -i br-vm1 -j RETURN"},
			guardWhole,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			spec, have := small()
			row.drift(&spec, &have)
			got := Diff(spec, have)
			if d := cmp.Diff(row.changes, lines(got)); d != "" {
				t.Errorf("changes:\n%s", d)
			}
			if d := cmp.Diff("*mangle\n"+row.restore+"COMMIT\n", inputs(got)); d != "" {
				t.Errorf("transaction:\n%s", d)
			}
			spec, have = small()
			if row.twin != nil {
				row.twin(&spec, &have)
				redigest(&have)
			}
			if got := lines(Diff(spec, have)); len(got) > 0 {
				t.Errorf("the twin is in sync, yet would change %q", got)
			}
		})
	}
}

// redigest makes the jumps say which rules they lead to.
func redigest(o *Observation) {
	for _, r := range []*Ruleset{&o.IPv4, &o.IPv6} {
		for _, t := range []*Table{&r.Mangle, &r.Filter} {
			for i, rule := range t.Input {
				t.Input[i] = digested.ReplaceAllLiteralString(rule, `"sessiondbd `+digest(t.Chain)+`: `)
			}
		}
	}
}

func lines(resources []plan.Resource) []string {
	var out []string
	for _, r := range resources {
		for _, c := range r.Changes {
			out = append(out, string(c.Action)+" "+c.Field+": "+c.Have+" -> "+c.Want)
		}
	}
	return out
}

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

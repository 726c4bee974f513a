//go:build integration

package firewall

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// neighbour is a ruleset of somebody else.
type neighbour struct {
	name string
	text string // for nft; one that begins with "iptables" or "ip6tables" for the shell
	// vm1 and vm2 are what becomes of their connections; the plan has to know it.
	vm1, vm2 bool
	unknown  bool // whether VMs get in depends on what the plan cannot know, and so it may not claim a loss
}

// inInput is a chain of somebody else with these rules.
func inInput(policy, rules string) string {
	return "table inet other { chain input { type filter hook input priority 10; policy " + policy + ";\n" + rules + "\n}\n}"
}

// onTheWayOut is the same for what leaves the host.
func onTheWayOut(hook, policy, rules string) string {
	return "table inet other { chain out { type filter hook " + hook + " priority 10; policy " + policy + ";\n" + rules + "\n}\n}"
}

var neighbours = []neighbour{
	{name: "the hypervisor's own", text: inInput("drop", `iif lo accept
		iifname "tailscale0" accept
		tcp dport 22 accept
		ct state established,related accept
		iifname { "br-vm1", "br-vm2" } accept`), vm1: true, vm2: true},
	{name: "one bridge forgotten", text: inInput("drop", `ct state established,related accept
		iifname "br-vm1" accept`), vm1: true},
	{name: "both forgotten", text: inInput("drop", `iif lo accept
		ct state established,related accept
		tcp dport { 22, 80, 6000-7000 } accept`)},
	{name: "accepts everything", text: inInput("accept", `tcp dport 25 drop`), vm1: true, vm2: true},
	{name: "drops the port by range", text: inInput("accept", `tcp dport 5000-6000 drop`)},
	{name: "all but the port", text: inInput("accept", `tcp dport != 5432 drop`), vm1: true, vm2: true},
	{name: "rejects at the end", text: inInput("accept", `ip saddr 10.1.0.0/16 accept
		ct state established accept
		meta l4proto tcp reject with tcp reset`), vm1: true},
	{name: "wildcard interface", text: inInput("drop", `iifname "br-*" tcp dport 5432 accept
		ct state established accept`), vm1: true, vm2: true},
	{name: "named set of sources", text: "table inet other { set vms { type ipv4_addr; flags interval; elements = { 10.1.0.0/24, 10.9.0.1-10.9.0.7 }\n}\nchain input { type filter hook input priority 10; policy drop;\nct state established accept\nip saddr @vms accept\n}\n}", vm1: true},
	{name: "empty set", text: "table inet other { set vms { type ipv4_addr; }\nchain input { type filter hook input priority 10; policy drop;\nip saddr @vms accept\n}\n}"},
	{name: "verdict map by interface", text: "table inet other { chain vm { tcp dport 5432 accept\nreturn\n}\nchain input { type filter hook input priority 10; policy drop;\nct state vmap { established : accept, related : accept, invalid : drop }\niifname vmap { \"br-vm1\" : jump vm, \"br-vm2\" : drop }\n}\n}", vm1: true},
	{name: "named verdict map", text: "table inet other { map m { type ifname : verdict; elements = { \"br-vm2\" : accept }\n}\nchain input { type filter hook input priority 10; policy drop;\niifname vmap @m\n}\n}", vm2: true},
	{name: "a chain that returns", text: "table inet other { chain a { iifname \"br-vm1\" return\naccept\n}\nchain input { type filter hook input priority 10; policy drop;\njump a\n}\n}", vm2: true},
	{name: "a chain gone to", text: "table inet other { chain a { iifname \"br-vm1\" accept\n}\nchain input { type filter hook input priority 10; policy drop;\niifname \"br-vm*\" goto a\naccept\n}\n}", vm1: true},
	{name: "to the gateway address only", text: inInput("drop", `ip daddr { 10.1.0.1, 10.2.0.9 } accept`), vm1: true},
	{name: "for IPv6 only", text: inInput("accept", `meta nfproto ipv6 drop
		ip6 saddr fd00::/8 drop`), vm1: true, vm2: true},
	{name: "SYN by flags", text: inInput("accept", `iifname "br-vm2" tcp flags & (fin|syn|rst|ack) == syn drop`), vm1: true},
	{name: "new connections by state", text: inInput("accept", `iifname "br-vm2" ct state new drop`), vm1: true},
	{name: "UDP is no matter", text: inInput("accept", `meta l4proto udp drop
		udp dport 5432 drop
		icmp type echo-request drop`), vm1: true, vm2: true},
	{name: "a rate that honest VMs keep", text: inInput("drop", `ct state established accept
		tcp dport 5432 limit rate 100/second accept`), vm1: true, vm2: true},
	{name: "a rate that only a flood exceeds", text: inInput("accept", `tcp dport 5432 limit rate over 1000/second drop`), vm1: true, vm2: true},
	{name: "counts and logs, and no more", text: inInput("accept", `tcp dport 5432 counter
		iifname "br-vm1" log prefix "vm "`), vm1: true, vm2: true},
	{name: "before routing", text: "table inet other { chain early { type filter hook prerouting priority -200; policy accept;\niifname \"br-vm1\" tcp dport 5432 drop\n}\n}", vm2: true},
	{name: "family ip", text: "table ip other { chain input { type filter hook input priority 10; policy drop;\nip saddr 10.2.0.0/24 accept\n}\n}", vm2: true},
	{name: "family ip6", text: "table ip6 other { chain input { type filter hook input priority 10; policy drop; }\n}", vm1: true, vm2: true},
	{name: "answers, by a policy alone", text: onTheWayOut("output", "drop", "")},
	{name: "answers that are established", text: onTheWayOut("output", "drop", "ct state established,related accept"), vm1: true, vm2: true},
	{name: "answers, all but new ones", text: onTheWayOut("output", "accept", "ct state new drop"), vm1: true, vm2: true},
	{name: "answers by direction", text: onTheWayOut("output", "drop", `ct direction reply oifname "br-vm1" accept`), vm1: true},
	{name: "answers by interface", text: onTheWayOut("output", "accept", `oifname "br-vm2" drop`), vm1: true},
	{name: "answers by addresses and port", text: onTheWayOut("output", "drop", `ip saddr 10.1.0.1 ip daddr 10.1.0.0/24 tcp sport 5432 accept
		tcp dport 5432 accept`), vm1: true},
	{name: "answers to clients' ports", text: onTheWayOut("output", "drop", "tcp dport 1024-65535 accept"), vm1: true, vm2: true, unknown: true},
	{name: "from a port that no client has", text: inInput("accept", "tcp sport { 22, 53 } drop"), vm1: true, vm2: true},
	{name: "answers by who sends them", text: onTheWayOut("output", "accept", `meta skuid 12345 tcp sport 5432 drop`), vm1: true, vm2: true, unknown: true},
	{name: "answers that have been routed", text: onTheWayOut("postrouting", "accept", `ip saddr 10.2.0.1 tcp sport 5432 drop`), vm1: true},
	{name: "answers that came in by an interface", text: onTheWayOut("output", "drop", `iifname "br-vm1" accept`), unknown: true},
	{name: "iptables with a drop policy for answers", text: "iptables -P OUTPUT DROP"},
	{name: "the same, with established ones", text: "iptables -P OUTPUT DROP; iptables -A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", vm1: true, vm2: true},
	{name: "iptables, answers of one", text: "iptables -A OUTPUT -o br-vm1 -p tcp -m tcp --sport 5432 -j DROP", vm2: true},
	{name: "on the way through, not in", text: "table inet other { chain forward { type filter hook forward priority 0; policy drop; }\n}", vm1: true, vm2: true},
	{name: "address translation", text: "table ip nat2 { chain pre { type nat hook prerouting priority -100; policy accept;\ntcp dport 8080 redirect to :80\n}\n}", vm1: true, vm2: true},
	{name: "part of a subnet", text: inInput("drop", `ip saddr 10.1.0.2 accept
		ip saddr 10.2.0.0/24 accept`), vm1: true, vm2: true, unknown: true},
	{name: "a mark that nobody sets", text: inInput("accept", `meta mark 7 drop`), vm1: true, vm2: true, unknown: true},
	{name: "only what bears a mark", text: inInput("drop", `meta mark 7 accept
		iifname "br-vm1" accept`), vm1: true, unknown: true},
	{name: "iptables with a drop policy", text: "iptables -P INPUT DROP; ip6tables -P INPUT DROP", vm1: true, vm2: true},
	{name: "iptables, table raw", text: "iptables -t raw -A PREROUTING -i br-vm1 -p tcp -m tcp --dport 5432 -j DROP", vm2: true},
	{name: "iptables, table security", text: "iptables -t security -A INPUT -s 10.2.0.0/24 -j DROP", vm1: true},
	{name: "two that disagree", text: inInput("drop", `iifname "br-vm1" accept`) + "\ntable inet more { chain in { type filter hook input priority 20; policy accept;\niifname \"br-vm1\" drop\n}\n}"},
}

// load sets the ruleset; it lasts until unload.
func (n neighbour) load(t *testing.T) {
	t.Helper()
	if strings.HasPrefix(n.text, "ip") {
		sh(t, n.text)
		return
	}
	sh(t, "nft -f - <<'END'\n"+n.text+"\nEND")
}

// reach tries from both VMs and from outside at a time, without a program that takes longer to start than to connect.
func (w world) reach(t *testing.T) (in [3]bool) {
	t.Helper()
	var wg sync.WaitGroup
	for i, to := range []struct{ from, host string }{{"vm1", "10.1.0.1"}, {"vm2", "10.2.0.1"}, {"out", "192.0.2.1"}} {
		wg.Go(func() {
			in[i] = exec.Command("ip", "netns", "exec", w.ns(to.from), "timeout", "0.2", "bash", "-c", "</dev/tcp/"+to.host+"/5432").Run() == nil
		})
	}
	wg.Wait()
	return in
}

// What the plan says of other people's chains is what becomes of real packets, and its remedy is one.
func TestForeignChains(t *testing.T) {
	inHypervisor(t, func(t *testing.T, w world) {
		listen(t)
		spec := twoVMs()
		for _, n := range neighbours {
			t.Run(n.name, func(t *testing.T) {
				t.Cleanup(func() { sh(t, "nft flush ruleset") })
				h := opened(t, NFT)
				n.load(t)
				converge(t, h, spec)
				said := cutOffs(t, h, spec)
				got := w.reach(t)
				for tries := 0; tries < 3 && (got[0] != n.vm1 || got[1] != n.vm2); tries++ {
					got = w.reach(t) // a busy machine is slow to answer
				}
				for i, in := range []bool{n.vm1, n.vm2} {
					vm := fmt.Sprintf("vm%d", i+1)
					if got[i] != in {
						t.Fatalf("%s gets in: %v; the test expects something else of this ruleset", vm, got[i])
					}
					if lost := strings.Contains(said.summary, vm+" on"); lost == in && !(n.unknown && !lost) {
						t.Errorf("%s gets in: %v, and the plan says %q", vm, in, said.summary)
					}
				}
				if said.summary == "" {
					return
				}
				for _, line := range said.remedies {
					sh(t, strings.ReplaceAll(line, "sudo ", ""))
				}
				if got := w.reach(t); got != [3]bool{true, true, false} {
					t.Errorf("after %q, vm1, vm2 and the outside get in: %v", said.remedies, got)
				}
				if left := cutOffs(t, h, spec); left.summary != "" {
					t.Errorf("after %q the plan still says %q", said.remedies, left.summary)
				}
			})
		}
	})
}

type said struct {
	summary  string
	remedies []string // the commands
}

// cutOffs is what the plan says of chains that drop VMs.
func cutOffs(t *testing.T, h *Host, spec Spec) (all said) {
	t.Helper()
	for _, r := range Diff(spec, observed(t, h)) {
		for _, w := range r.Warnings {
			if strings.HasPrefix(w.Summary, "chain ") {
				all.summary += w.Summary + "\n"
				for line := range strings.Lines(w.Remedy) {
					if strings.HasPrefix(line, "sudo ") {
						all.remedies = append(all.remedies, line)
					}
				}
			}
		}
	}
	return all
}

// What others have is read again only when the kernel's rules have changed, and without nft the plan says what it lacks.
func TestForeignChainsUnread(t *testing.T) {
	inHypervisor(t, func(t *testing.T, _ world) {
		spec := twoVMs()
		neighbour{text: inInput("drop", "")}.load(t)
		h := opened(t, NFT)
		converge(t, h, spec)
		first := observed(t, h).Others
		if len(first) != 1 || first[0].Rules == nil || first[0].Rules != observed(t, h).Others[0].Rules {
			t.Errorf("read twice, or not at all: %v", first)
		}
		sh(t, "nft add rule inet other input iifname br-vm1 accept")
		if again := observed(t, h).Others; len(again) != 1 || again[0].Rules == first[0].Rules {
			t.Errorf("not read again after a change: %v", again)
		}
		blind := opened(t, NFT)
		blind.dirs = []string{t.TempDir()}
		if got := cutOffs(t, blind, spec).summary; !strings.Contains(got, "nft is not installed") || !strings.Contains(got, "inet other input") {
			t.Errorf("without nft the plan says %q", got)
		}
	})
}

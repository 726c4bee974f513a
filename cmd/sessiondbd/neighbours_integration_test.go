//go:build integration

package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/plan"
)

// neighbour is another tool on the host, in the shape of its rules, and what its reload does to everybody's.
type neighbour struct {
	name, start, reload string
	// drops: its rules drop the VMs until it is given the line that plan names.
	drops bool
}

const (
	// The hypervisor's own ruleset on NixOS; a reload of nftables.service flushes everything.
	hypervisorRules = `nft -f - <<'END'
flush ruleset
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		iifname "lo" accept
		ct state established,related accept
		iifname "tailscale0" accept
		tcp dport 22 accept
		iifname { "br-vm1", "br-vm2", "br-vm3", "br-vm4", "br-vm5" } accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
	}
	chain forward { type filter hook forward priority filter; policy accept; }
}
END`
	plainRules = `iptables-restore <<'END'
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT
END
ip6tables-restore <<'END'
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -p ipv6-icmp -j ACCEPT
COMMIT
END`
	// ufw's chains: its own, led to from INPUT, with a policy that drops. A reload flushes and fills them.
	ufwStart = `iptables -P INPUT DROP
for c in before after user; do iptables -N ufw-$c-input 2>/dev/null || iptables -F ufw-$c-input; done
iptables -N ufw-not-local 2>/dev/null || iptables -F ufw-not-local
for c in before user after; do iptables -C INPUT -j ufw-$c-input 2>/dev/null || iptables -A INPUT -j ufw-$c-input; done
iptables-restore -n <<'END'
*filter
:ufw-before-input - [0:0]
:ufw-user-input - [0:0]
:ufw-after-input - [0:0]
:ufw-not-local - [0:0]
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-input -j ufw-not-local
-A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN
-A ufw-not-local -j DROP
-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
-A ufw-after-input -p udp -m udp --dport 137 -j DROP
COMMIT
END`
	// Docker's: its chains are about what is forwarded.
	dockerStart = `iptables -P FORWARD DROP
for c in DOCKER DOCKER-FORWARD DOCKER-USER DOCKER-CT DOCKER-BRIDGE; do iptables -N $c 2>/dev/null || iptables -F $c; done
iptables -C FORWARD -j DOCKER-FORWARD 2>/dev/null || iptables -I FORWARD -j DOCKER-FORWARD
iptables -C FORWARD -j DOCKER-USER 2>/dev/null || iptables -I FORWARD -j DOCKER-USER
iptables -A DOCKER-FORWARD -j DOCKER-CT
iptables -A DOCKER-FORWARD -j DOCKER-BRIDGE
iptables -A DOCKER-FORWARD -i docker0 -j ACCEPT
iptables -A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A DOCKER-BRIDGE -o docker0 -j DOCKER
iptables -t nat -N DOCKER 2>/dev/null || iptables -t nat -F DOCKER
iptables -t nat -C PREROUTING -m addrtype --dst-type LOCAL -j DOCKER 2>/dev/null || iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER`
	// firewalld's: a table of its own with base chains behind the usual priorities, that rejects what no zone lets in.
	firewalldStart = `nft -f - <<'END'
add table inet firewalld
delete table inet firewalld
table inet firewalld {
	chain mangle_PREROUTING { type filter hook prerouting priority mangle + 10; policy accept; }
	chain filter_INPUT {
		type filter hook input priority filter + 10; policy accept;
		ct state { established, related } accept
		iifname "lo" accept
		ct state invalid drop
		jump filter_INPUT_ZONES
		reject with icmpx admin-prohibited
	}
	chain filter_INPUT_ZONES { goto filter_IN_public; }
	chain filter_IN_public {
		jump filter_IN_public_allow
		meta l4proto { icmp, ipv6-icmp } accept
	}
	chain filter_IN_public_allow { tcp dport 22 accept; }
}
END`
)

var neighbours = []neighbour{
	{name: "the hypervisor's ruleset", start: hypervisorRules, reload: hypervisorRules},
	{name: "iptables with a policy that drops", start: plainRules, reload: plainRules},
	{name: "ufw", start: ufwStart, reload: ufwStart},
	{name: "Docker", start: dockerStart, reload: dockerStart},
	{name: "firewalld", start: firewalldStart, reload: "", drops: true},
}

// Beside any other tool, started before us or after us, reloaded while packets come: every connect of the VMs gets in, none
// of the outside does, and what we leave behind when we are removed is what the other has made.
func TestPacketsBesideOthers(t *testing.T) {
	for _, n := range neighbours {
		for _, before := range []bool{true, false} {
			name := n.name + ", after us"
			if before {
				name = n.name + ", before us"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				a := newArena(t)
				a.open()
				theirs := ""
				if before {
					a.sh(n.start)
					theirs = a.sh(everything)
				}
				began := time.Now()
				a.start()
				if !before {
					a.settles(began)
					began = time.Now()
					a.sh(n.start)
				}
				if n.drops {
					theirs = a.let(theirs)
				}
				a.settles(began)
				probers := a.probe()
				from := time.Now()
				for range 3 {
					time.Sleep(150 * time.Millisecond)
					now := time.Now()
					a.sh(n.reload + "\ntrue")
					if n.reload == hypervisorRules { // nothing of ours is left: only then is there something to wait for
						a.settles(now)
					}
				}
				eventually(t, "converged after the reloads", 20*time.Second, func() bool {
					_, err := a.Router.Exec(t.Context(), a.command("plan", "--only", "firewall"))
					return err == nil
				})
				time.Sleep(150 * time.Millisecond)
				a.calm(probers)
				for _, p := range probers {
					bad, span := p.wrong(from, time.Now())
					switch {
					case bad == 0:
					case n.reload == hypervisorRules && !p.allowed:
						// It takes all rules away, and the kernel's hooks with them, and then its own ask for the bridge alone:
						// until ours are back pg_hba.conf tells who is who.
						t.Logf("%s got in %d times in what its reloads left open", p.name, bad)
					default:
						t.Errorf("%s: %d of %d otherwise than it should, within %s", p.name, bad, len(p.tries), span)
					}
				}
				t.Logf("%d SYNs from where nobody may come, %d of VMs", syns(probers, false), syns(probers, true))
				a.gone(theirs)
			})
		}
	}
}

// everything is all rules without comments and counters.
const everything = `(iptables-save; ip6tables-save) | sed -e '/^#/d' -e 's/ \[[0-9:]*\]$//'; nft -s list ruleset`

// let adds the line that plan names, and returns what the other's rules then are.
func (a *arena) let(theirs string) string {
	a.t.Helper()
	var rep plan.Report
	eventually(a.t, "plan names the chain that drops the VMs", 10*time.Second, func() bool {
		r, _ := a.Router.Exec(a.t.Context(), a.command("plan", "--only", "firewall", "--json"))
		rep = plan.Report{}
		return json.Unmarshal([]byte(r.Stdout), &rep) == nil && len(rep.Warnings) > 0 && strings.Contains(rep.Warnings[0].Summary, "filter_INPUT")
	})
	if s, _ := a.state(); !strings.Contains(s.Status, "degraded") {
		eventually(a.t, "status is degraded", 10*time.Second, func() bool { s, _ := a.state(); return strings.HasPrefix(s.Status, "degraded") })
	}
	for _, w := range rep.Warnings {
		for line := range strings.Lines(w.Remedy) {
			if strings.Contains(line, "nft ") {
				a.sh(strings.ReplaceAll(strings.TrimSpace(line), "sudo ", ""))
			}
		}
	}
	if theirs == "" {
		return ""
	}
	return a.sh("nft -s list table inet firewalld")
}

// gone removes us and compares.
func (a *arena) gone(theirs string) {
	a.t.Helper()
	a.must(a.run.Signal(15))
	<-a.run.Done()
	if _, err := a.Router.Exec(a.t.Context(), a.command("remove")); err != nil {
		a.t.Fatal(err)
	}
	left := a.sh(everything)
	if strings.Contains(left, "SESSIONDB") {
		a.t.Errorf("left behind:\n%s", left)
	}
	if theirs != "" && !strings.Contains(left, theirs) {
		a.t.Errorf("remove left\n%s\nwithout us there was\n%s", left, theirs)
	}
}

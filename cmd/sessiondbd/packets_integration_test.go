//go:build integration

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sessiondbd/internal/daemon"
)

// happening is something that happens to a hypervisor while packets come.
type happening struct {
	name string
	// foreign: somebody takes our rules away. Until they are back the door stands open, and that is measured; what we do
	// ourselves lets nobody in.
	foreign bool
	do      func(*arena)
}

var happenings = []happening{
	{name: "flush ruleset", foreign: true, do: func(a *arena) { a.sh("nft flush ruleset") }},
	{name: "chain flushed", foreign: true, do: func(a *arena) { a.sh("iptables -t mangle -F SESSIONDB-GUARD") }},
	{name: "table flushed", foreign: true, do: func(a *arena) { a.sh("iptables -t mangle -F INPUT; ip6tables -t mangle -F INPUT") }},
	{name: "accept put before us", foreign: true, do: func(a *arena) { a.sh("iptables -t mangle -I INPUT 1 -p tcp --dport 5432 -j ACCEPT") }},
	{name: "filter flushed", do: func(a *arena) { a.sh("iptables -F; iptables -X SESSIONDB-ALLOW 2>/dev/null || true") }},
	{name: "other rules", do: func(a *arena) {
		a.sh("iptables -A INPUT -p udp --dport 9 -j DROP; iptables -D INPUT -p udp --dport 9 -j DROP")
	}},
	{name: "reload", do: func(a *arena) { a.must(a.run.Signal(syscall.SIGHUP)) }},
	{name: "restart", do: func(a *arena) { a.end(syscall.SIGTERM); a.start() }},
	{name: "kill -9", do: func(a *arena) { a.end(syscall.SIGKILL); a.start() }},
	{name: "upgrade", do: func(a *arena) { a.upgrade(); a.end(syscall.SIGTERM); a.start() }},
	{name: "network removed", do: func(a *arena) { a.configure(3+rand.IntN(2), "auto"); a.must(a.run.Signal(syscall.SIGHUP)) }},
	{name: "networks added", do: func(a *arena) { a.configure(5, "auto"); a.must(a.run.Signal(syscall.SIGHUP)) }},
	{name: "another bridge down and up", do: func(a *arena) { a.sh("ip link set br-vm3 down; sleep 0.05; ip link set br-vm3 up") }},
	{name: "a bridge down and up", do: func(a *arena) { a.sh("ip link set br-vm1 down; sleep 0.05; ip link set br-vm1 up") }},
	{name: "an address taken and given back", do: func(a *arena) {
		a.sh("ip addr del 10.2.0.1/24 dev br-vm2; sleep 0.05; ip addr add 10.2.0.1/24 dev br-vm2; ip route replace 10.1.0.66/32 via 10.2.0.2")
	}},
}

func (a *arena) end(s syscall.Signal) {
	a.must(a.run.Signal(s))
	<-a.run.Done()
}

// upgrade puts another file in the place of the binary, as a package does.
func (a *arena) upgrade() {
	b, err := os.ReadFile(a.binary)
	a.must(err)
	next := filepath.Join(a.dir, "sessiondbd")
	a.must(os.WriteFile(next+".new", b, 0o755))
	a.must(os.Rename(next+".new", next))
	a.binary = next
}

// Whatever happens, in whatever order: what we do lets no SYN in that has no business there, and what others undo is back
// within moments. The seed is printed; SESSIONDBD_SEED repeats a run.
func TestPacketsWhateverHappens(t *testing.T) {
	t.Parallel()
	rounds := 30
	if os.Getenv("SESSIONDBD_SOAK") != "" {
		rounds = 300
	}
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("SESSIONDBD_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("seed %d, %d events", seed, rounds)
	random := rand.New(rand.NewPCG(seed, 0))
	a := newArena(t)
	a.open()
	began := time.Now()
	a.start()
	a.settles(began)
	probers := a.probe()
	time.Sleep(100 * time.Millisecond)
	var gaps []time.Duration
	order := []happening{}
	for len(order) < rounds { // each at least once in two rounds
		for _, i := range random.Perm(len(happenings)) {
			order = append(order, happenings[i])
		}
	}
	for i, h := range order[:rounds] {
		from := time.Now()
		h.do(a)
		done := time.Now()
		a.settles(done)
		// What was sent before the rules were back is answered by now.
		time.Sleep(2 * probeWait)
		for _, p := range probers {
			n, span := p.wrong(from, time.Now())
			switch {
			case n == 0 || p.allowed:
			case h.foreign:
				gaps = append(gaps, span)
			default:
				t.Errorf("event %d, %s: %s got in %d times within %s", i+1, h.name, p.name, n, span)
			}
		}
	}
	a.calm(probers)
	for _, p := range probers {
		if n, span := p.wrong(began, time.Now()); n > 0 && p.allowed {
			t.Errorf("%s did not get in %d times within %s: %v", p.name, n, span, p.whys())
		}
	}
	longest := time.Duration(0)
	for _, g := range gaps {
		longest = max(longest, g)
	}
	t.Logf("%d SYNs that must not get in, %d that must; open after what others did: %d times, at most %s from the first SYN to the last",
		syns(probers, false), syns(probers, true), len(gaps), longest.Round(time.Millisecond))
	if syns(probers, false) < 50*rounds {
		t.Error("too few SYNs to prove anything")
	}
}

// open requires that without us everybody gets in: the rest would prove nothing.
func (a *arena) open() {
	a.t.Helper()
	for _, p := range []*prober{
		{name: "the outside", from: a.Outside, remote: a.Outside.Gateway, allowed: true},
		{name: "the outside as a VM", from: a.Outside, local: "10.1.0.77", remote: "10.1.0.1", allowed: true},
		{name: "a VM as another", from: a.VM(2), local: "10.1.0.66", remote: "10.1.0.1", allowed: true},
		{name: "IPv6", from: a.Outside, remote: a.Outside.Gateway6, allowed: true},
	} {
		var ok bool
		a.must(<-within(p.from.Name, func() (err error) {
			for deadline := time.Now().Add(3 * time.Second); !ok && time.Now().Before(deadline) && err == nil; {
				ok, err = p.once()
			}
			return err
		}))
		if !ok {
			a.t.Fatalf("without a firewall %s does not get in", p.name)
		}
	}
}

// Killed at any moment of an apply, with whatever it started, the port is not open, and the next apply ends the work.
func TestPacketsKilledAnywhere(t *testing.T) {
	for _, backend := range []string{"nft", "legacy"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			rounds := 12
			if os.Getenv("SESSIONDBD_SOAK") != "" {
				rounds = 200
			}
			a := newArena(t)
			a.open()
			a.configure(5, backend)
			iptables := "iptables-" + backend
			begin := time.Now()
			a.apply()
			whole := time.Since(begin)
			probers := a.probe()
			works := []struct {
				name string
				do   func()
			}{
				{"networks removed", func() { a.configure(3, backend) }},
				{"networks added", func() { a.configure(5, backend) }},
				{"a rule too much", func() { a.sh(iptables + " -t mangle -A SESSIONDB-GUARD -j DROP") }},
				{"the allow is gone", func() {
					a.sh(iptables + " -F INPUT; " + iptables + " -F SESSIONDB-ALLOW; " + iptables + " -X SESSIONDB-ALLOW")
				}},
			}
			kills := 0
			from := time.Now()
			for round := range rounds {
				for _, w := range works {
					w.do()
					p, err := a.Router.StartCommand(t.Context(), a.command("apply", "--only", "firewall"))
					a.must(err)
					time.Sleep(whole * time.Duration(round) / time.Duration(rounds))
					_ = p.Signal(syscall.SIGKILL) // the whole group, iptables-restore too
					<-p.Done()
					kills++
					if n := a.holes(iptables); n != "" {
						t.Errorf("%s, round %d: %s", w.name, round, n)
					}
					a.apply()
				}
			}
			a.calm(probers)
			for _, p := range probers {
				if n, span := p.wrong(from, time.Now()); n > 0 {
					t.Errorf("%s: %d times otherwise than it should, within %s; %v", p.name, n, span, p.whys())
				}
			}
			t.Logf("%d kills, %d SYNs from where nobody may come, %d of VMs", kills, syns(probers, false), syns(probers, true))
			a.firstInstall(rounds, iptables, backend, whole)
		})
	}
}

// firstInstall is killed, too: the door is never told to be open before it is closed to the others.
func (a *arena) firstInstall(rounds int, iptables, backend string, whole time.Duration) {
	a.t.Helper()
	for round := range rounds {
		if _, err := a.Router.Exec(a.t.Context(), a.command("remove")); err != nil {
			a.t.Fatal(err)
		}
		p, err := a.Router.StartCommand(a.t.Context(), a.command("apply", "--only", "firewall"))
		a.must(err)
		time.Sleep(whole * time.Duration(round) / time.Duration(rounds))
		_ = p.Signal(syscall.SIGKILL)
		<-p.Done()
		if n := a.holes(iptables); n != "" && strings.Contains(a.sh(iptables+"-save"), "SESSIONDB-ALLOW") {
			a.t.Errorf("first install, round %d: %s", round, n)
		}
		a.apply()
	}
}

// holes says what of the deny is missing.
func (a *arena) holes(iptables string) string {
	save := a.sh(iptables + "-save -t mangle")
	first := ""
	for line := range strings.Lines(save) {
		if strings.HasPrefix(line, "-A INPUT ") {
			first = line
			break
		}
	}
	if !strings.Contains(first, "-j SESSIONDB-GUARD") || !strings.Contains(save, "-A SESSIONDB-GUARD -j DROP") {
		return "the deny does not stand:\n" + save
	}
	return ""
}

// A program that undoes us all the time is named, costs little, and is outlived.
func TestPacketsFight(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	began := time.Now()
	a.start()
	a.settles(began)
	// A look at the tables of the back end that is not in use would load them.
	if names := a.sh("cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null || true"); names != "" {
		t.Errorf("legacy tables were loaded: %s", names)
	}
	before, _ := a.state()
	fought := time.Now()
	const rounds, pause = 300, 15 * time.Millisecond
	fighter, err := a.Router.Start(t.Context(), "sh", "-c", fmt.Sprintf("for i in $(seq %d); do nft flush ruleset; sleep %.3f; done", rounds, pause.Seconds()))
	a.must(err)
	var named daemon.State
	eventually(t, "the opponent is named", 20*time.Second, func() bool {
		named, _ = a.state()
		return named.State == daemon.Degraded && strings.Contains(named.Status, "nft undoes what sessiondbd repairs")
	})
	<-fighter.Done()
	ended := time.Now()
	a.settles(ended)
	after, _ := a.state()
	t.Logf("%d flushes: %d changes; calm again after %s", rounds, after.Changes-before.Changes, time.Since(ended).Round(time.Millisecond))
	// Twenty at once, then ten a second; each is eight changes.
	if n, most := after.Changes-before.Changes, 8*(20+10*(int(ended.Sub(fought).Seconds())+2)); n == 0 || n > most {
		t.Errorf("%d changes for %d flushes, at most %d are paced", n, rounds, most)
	}
	if _, running := a.state(); !running || strings.Contains(after.Status, "undoes") {
		t.Errorf("after the fight: %s", after.Status)
	}
}

//go:build integration

package firewall

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/plan"
)

var (
	insiders = []probe{
		{"VM by its gateway", "vm1", "-", "10.1.0.1:5432"},
		{"second VM by its gateway", "vm2", "-", "10.2.0.1:5432"},
		{"the host by loopback", "host", "-", "127.0.0.1:5432"},
		{"the host by its own gateway address", "host", "-", "10.1.0.1:5432"},
		{"the host by IPv6 loopback", "host", "-", "[::1]:5432"},
	}
	outsiders = []probe{
		{"outside by the public address", "out", "-", "192.0.2.1:5432"},
		{"outside by the gateway address, routed", "out", "-", "10.1.0.1:5432"},
		{"outside with the source of a VM", "out", "10.1.0.77", "10.1.0.1:5432"},
		{"VM with the source of another VM", "vm2", "10.1.0.66", "10.1.0.1:5432"},
		{"outside by IPv6", "out", "-", "[2001:db8::1]:5432"},
	}
)

type probe struct{ name, from, local, remote string }

// expect probes with real packets and names who is not treated as said.
func (w world) expect(t *testing.T, probes []probe, want string) {
	t.Helper()
	for _, p := range probes {
		if got := w.dial(t, p.from, p.local, p.remote, 1)[0]; got != want {
			t.Errorf("%s: %s, not %s", p.name, got, want)
		}
	}
}

func twoVMs() Spec {
	s := Spec{Port: 5432, Backend: Auto, MaxConnections: 4}
	for _, n := range []string{"1", "2"} {
		s.Networks = append(s.Networks, Network{Name: "vm" + n, Subnet: netip.MustParsePrefix("10." + n + ".0.0/24"), Gateway: netip.MustParseAddr("10." + n + ".0.1")})
	}
	return s
}

func opened(t *testing.T, backend string) *Host {
	t.Helper()
	h, err := Open(t.Context(), backend)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func observed(t *testing.T, h *Host) Observation {
	t.Helper()
	o, err := h.Observe(t.Context(), 5432)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// converge applies and looks again: what is left is a failure.
func converge(t *testing.T, h *Host, spec Spec) []plan.Change {
	t.Helper()
	var done []plan.Change
	out := plan.Apply(t.Context(), plan.Plan{Resources: Diff(spec, observed(t, h))}, h, func(c plan.Change) { done = append(done, c) })
	if err := out.Err(); err != nil {
		t.Fatal(err)
	}
	if left := lines(Diff(spec, observed(t, h))); len(left) > 0 {
		t.Fatalf("left after apply: %q", left)
	}
	return done
}

// generation counts the transactions that nftables has seen.
func generation(t *testing.T) uint32 {
	t.Helper()
	n, err := rulesetGeneration()
	if err != nil || n == 0 {
		t.Fatalf("generation %d: %v", n, err)
	}
	return n
}

func TestApplyOnBareHost(t *testing.T) {
	inHypervisor(t, func(t *testing.T, w world) {
		listen(t)
		w.expect(t, insiders, "connected")
		w.expect(t, outsiders, "connected") // without us the door is open, or the rest would prove nothing
		for _, backend := range []string{NFT, Legacy} {
			h, spec := opened(t, backend), twoVMs()
			before := generation(t)
			if got := converge(t, h, spec); len(got) != 8 {
				t.Errorf("%s: %d changes, not a chain and a jump in each of four tables: %v", backend, len(got), got)
			}
			w.expect(t, insiders, "connected")
			w.expect(t, outsiders, "dropped")

			after := generation(t)
			if want := map[string]uint32{NFT: 4, Legacy: 0}[backend]; after-before != want {
				t.Errorf("%s: %d nftables transactions, not %d", backend, after-before, want)
			}
			if got := converge(t, h, spec); len(got) > 0 || generation(t) != after {
				t.Errorf("%s: a second apply changed %v, generation %d -> %d", backend, got, after, generation(t))
			}
			absent(t, h)
			w.expect(t, outsiders, "connected")
		}
	})
}

// The documentation tells people to run this and look for their VM.
func TestDocumentedListing(t *testing.T) {
	inHypervisor(t, func(t *testing.T, w world) {
		converge(t, opened(t, Auto), twoVMs())
		out := sh(t, "iptables -L -n | grep 5432")
		for _, subnet := range []string{"10.1.0.0/24", "10.2.0.0/24"} {
			if !slices.ContainsFunc(strings.Split(out, "\n"), func(l string) bool {
				return strings.HasPrefix(l, "ACCEPT") && strings.Contains(l, subnet) && strings.Contains(l, "dpt:5432")
			}) {
				t.Errorf("no ACCEPT of %s in\n%s", subnet, out)
			}
		}
	})
}

func TestLimitResets(t *testing.T) {
	inHypervisor(t, func(t *testing.T, w world) {
		listen(t)
		spec := twoVMs()
		converge(t, opened(t, Auto), spec)
		want := []string{"connected", "connected", "connected", "connected", "reset"}
		for range 2 { // the second time shows that closed connections do not count, once both sides have closed them
			var got []string
			for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(100 * time.Millisecond) {
				if got = w.dial(t, "vm1", "-", "10.1.0.1:5432", spec.MaxConnections+1); slices.Equal(got, want) || time.Now().After(deadline) {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v, not %v", got, want)
			}
		}
		if got := w.dial(t, "vm2", "-", "10.2.0.1:5432", 1); got[0] != "connected" {
			t.Errorf("the limit of one VM is another's: %v", got)
		}
	})
}

// A bridge that comes up later is let in by the next pass, and not before.
func TestBridgeAppears(t *testing.T) {
	inHypervisor(t, func(t *testing.T, w world) {
		listen(t)
		vm1 := insiders[:1]
		sh(t, "ip address del 10.1.0.1/24 dev br-vm1")
		h, spec := opened(t, Auto), twoVMs()
		converge(t, h, spec)
		warned := Diff(spec, observed(t, h))[0].Warnings
		if len(warned) != 1 || !strings.Contains(warned[0].Summary, "VM vm1 is let in as soon as") {
			t.Errorf("warnings: %v", warned)
		}
		sh(t, "ip address add 10.1.0.1/24 dev br-vm1; ip route replace 10.1.0.66/32 via 10.2.0.2")
		w.expect(t, vm1, "dropped")
		if got := lines(Diff(spec, observed(t, h))); len(got) != 3 {
			t.Errorf("changes for one VM: %q", got)
		}
		converge(t, h, spec)
		w.expect(t, vm1, "connected")
		w.expect(t, outsiders[:2], "dropped")
	})
}

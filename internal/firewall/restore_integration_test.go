//go:build integration

package firewall

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A deny that nothing leads to fails its step, although iptables-restore was content: what comes next opens the door. What is
// in the chain is left to the look after the pass, see converge.
func TestReadBack(t *testing.T) {
	inHypervisor(t, func(t *testing.T, w world) {
		const input = "*mangle\n:SESSIONDB-GUARD - [0:0]\n-A SESSIONDB-GUARD -j DROP\n-I INPUT 1 " + guardJump + "\nCOMMIT\n"
		for _, row := range []struct {
			name, wrong string
			step        Restore
		}{
			{"as written", "", Restore{Input: input, Jump: guardJump}},
			{"another jump", "INPUT leads to", Restore{Input: input, Jump: guardJump + "X"}},
			{"jump not gone", "INPUT leads to", Restore{Input: input}},
			{"jump twice", "INPUT leads to", Restore{
				Input: strings.Replace(input, "COMMIT", "-A INPUT "+guardJump+"\nCOMMIT", 1), Jump: guardJump,
			}},
		} {
			for _, backend := range []string{NFT, Legacy} {
				h := opened(t, backend)
				row.step.Family, row.step.Table = 4, "mangle"
				err := h.Execute(t.Context(), row.step)
				if (err == nil) != (row.wrong == "") || err != nil && !strings.Contains(err.Error(), row.wrong) {
					t.Errorf("%s, %s: %v", backend, row.name, err)
				}
				absent(t, h)
			}
		}
	})
}

// A transaction that fails leaves everything as it was.
func TestFailedTransaction(t *testing.T) {
	inHypervisor(t, func(t *testing.T, w world) {
		for _, backend := range []string{NFT, Legacy} {
			h := opened(t, backend)
			converge(t, h, twoVMs())
			before := saved(t)
			err := h.Execute(t.Context(), Restore{Family: 4, Table: "mangle", Input: "*mangle\n:SESSIONDB-GUARD - [0:0]\n-D INPUT -p udp -j SESSIONDB-GUARD\nCOMMIT\n"})
			if err == nil || !strings.Contains(err.Error(), "table mangle: iptables") {
				t.Errorf("%s: %v", backend, err)
			}
			if saved(t) != before {
				t.Errorf("%s: half of a failed transaction stands", backend)
			}
		}
	})
}

// Whatever a configuration may ask for is spelt as iptables prints it, or each pass would write it anew.
func TestSpelling(t *testing.T) {
	inHypervisor(t, func(t *testing.T, w world) {
		spec := twoVMs()
		spec.Networks = append(spec.Networks,
			Network{Name: "six", Subnet: netip.MustParsePrefix("2001:db8::/64"), Gateway: netip.MustParseAddr("2001:db8::1")},
			Network{Name: "one", Subnet: netip.MustParsePrefix("10.8.0.2/32"), Gateway: netip.MustParseAddr("10.8.0.1"), Interface: "Tap-8.0_x"},
			Network{Name: "bits", Subnet: netip.MustParsePrefix("10.9.8.7/16"), Gateway: netip.MustParseAddr("10.9.0.1"), Interface: "br-+"})
		for _, p := range []string{
			"198.51.100.7/32", "100.64.0.0/10", "0.0.0.0/0", "10.1.2.3/8", "10.0.0.0/8", "::/0", "2001:db8:0:1::/64", "fd7a:115c:a1e0::/48",
			"2001:db8:0:0:1:0:0:1/128", "2001:db8:1:0:1:1:1:1/128",
		} {
			for _, iface := range []string{"", "tailscale0"} {
				if prefix := netip.MustParsePrefix(p); prefix.Bits() > 0 || iface != "" {
					spec.Allow = append(spec.Allow, Source{prefix, iface})
				}
			}
		}
		for _, backend := range []string{NFT, Legacy} {
			for _, port := range []uint16{1, 5433, 65535} {
				spec.Port = port
				h := opened(t, backend)
				converge(t, h, spec) // looks again, and fails if anything is left
			}
			absent(t, opened(t, backend))
		}
	})
}

// Who waits for the lock of xtables in vain is told to try again.
func TestBusy(t *testing.T) {
	inHypervisor(t, func(t *testing.T, w world) {
		path := filepath.Join(t.TempDir(), "lock")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		// Only this namespace sees this lock: the machine's own is for others to take.
		sh(t, "touch /run/xtables.lock; mount --bind "+path+" /run/xtables.lock")
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		h := opened(t, Legacy)
		r := newRestore(ipv4, mangle, Table{}, []string{"-j DROP"}, guardJump)
		if err := h.Execute(t.Context(), r); !errors.Is(err, ErrBusy) {
			t.Errorf("%v is not %v", err, ErrBusy)
		}
	})
}

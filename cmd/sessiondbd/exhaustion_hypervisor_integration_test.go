//go:build integration

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// halfOpen begins handshakes that it never ends: it sends the startup packet, which needs no password, and goes on as soon as
// one is ended. Bounded in time, in how many are held at once, and in how many it begins. It prints one line at the end.
const halfOpen = `
import selectors, socket, struct, sys, time
host, hold, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
body = struct.pack("!i", 196608) + b"user\0sessionuser\0database\0sessiondb\0\0"
packet = struct.pack("!i", len(body) + 4) + body
sel, held = selectors.DefaultSelector(), {}
begun = most = reset = full = asked = 0
oldest, end, down = 0.0, time.time() + seconds, time.time()
while time.time() < end:
    while len(held) < hold and begun < 4000 and time.time() >= down:
        begun += 1
        s = socket.socket()
        s.settimeout(0.5)
        try:
            s.connect((host, 5432))
            s.sendall(packet)
        except OSError:
            reset += 1
            down = time.time() + 0.1
            s.close()
            continue
        held[s] = time.time()
        sel.register(s, selectors.EVENT_READ)
    for key, _ in sel.select(0.05):
        s = key.fileobj
        try:
            data = s.recv(4096)
        except OSError:
            data = b""
        if data[:1] == b"R":
            asked += 1
            most = max(most, len(held))
            continue
        if data[:1] == b"E" and b"too many clients" in data:
            full += 1
            down = time.time() + 0.02
        oldest = max(oldest, time.time() - held.pop(s))
        sel.unregister(s)
        s.close()
print(f"begun {begun} asked {asked} most {most} reset {reset} full {full} oldest {oldest:.1f}")
`

type flood struct {
	begun, asked, most, reset, full int
	oldest                          float64 // seconds
}

// toll is who was kept out meanwhile, of how many tries.
type toll struct{ vms, vmsOut, admin, adminOut int }

// exhaust has VM 1 hold half-open handshakes while the others and the administrator go about their business.
func exhaust(t *testing.T, h *lab.Hypervisor, meanwhile func()) (flood, toll) {
	t.Helper()
	vm := h.VMs()[0]
	const seconds = 9
	attack, err := vm.StartCommand(t.Context(), lab.Command{Argv: []string{"python3", "-", vm.Gateway, "150", fmt.Sprint(seconds)}, Stdin: strings.NewReader(halfOpen)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = attack.Kill() })
	time.Sleep(1500 * time.Millisecond)
	var n toll
	for begin := time.Now(); time.Since(begin) < (seconds-3)*time.Second; time.Sleep(20 * time.Millisecond) {
		other := h.VMs()[1+n.vms%(len(h.VMs())-1)]
		n.vms++
		if _, err := asVM(t, other, documented, "SELECT 1"); err != nil {
			n.vmsOut++
		}
		n.admin++
		if _, err := h.PSQL(t.Context(), "postgres", "SELECT 1"); err != nil {
			n.adminOut++
		}
		if meanwhile != nil {
			meanwhile()
			meanwhile = nil
		}
	}
	select {
	case <-attack.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the attack does not end")
	}
	var f flood
	if _, err := fmt.Sscanf(lastLine(attack.Output()), "begun %d asked %d most %d reset %d full %d oldest %f", &f.begun, &f.asked, &f.most, &f.reset, &f.full, &f.oldest); err != nil {
		t.Fatalf("%v:\n%s", err, attack.Output())
	}
	t.Logf("%+v, kept out: %+v", f, n)
	return f, n
}

// One VM that holds handshakes without any password keeps nobody out but itself; without the limit per VM it keeps out all
// others, the administrator too.
func TestExhaustion(t *testing.T) {
	t.Parallel()
	h := boot(t, lab.Options{})
	configure := func(text string) {
		if err := h.WriteFile(t.Context(), "/etc/sessiondbd/config.yaml", []byte("reconcile: {interval: 1s}\n"+text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	configure("")
	must(t, h, "systemctl", "start", "sessiondbd")
	inSync(t, h)

	f, n := exhaust(t, h, func() { // the daemon sees and mends all the while
		psql(t, h, "REVOKE INSERT ON session FROM sessionuser")
		eventually(t, "repaired during the attack", 5*time.Second, func() bool {
			out, err := h.PSQL(t.Context(), "sessiondb", "SELECT has_table_privilege('sessionuser', 'session', 'INSERT')")
			return err == nil && out == "t"
		})
	})
	if f.most > 16 || f.asked < 16 || f.reset == 0 {
		t.Errorf("the limit of 16 did not hold, or nobody attacked: %+v", f)
	}
	if f.oldest > 7 {
		t.Errorf("a handshake was left open for %.1f s, although authentication_timeout is 5 s", f.oldest)
	}
	if n.vmsOut+n.adminOut > 0 || n.vms < 4 {
		t.Errorf("others were kept out: %+v", n)
	}

	configure("firewall: {max_connections_per_vm: 1000}\n")
	must(t, h, "systemctl", "reload", "sessiondbd", "sessiondbd-firewall")
	f, n = exhaust(t, h, func() {
		if out, _, code := run(t, h, "sessiondbd", "status"); code != exitOK { // its connection stands since before
			t.Errorf("the daemon lost its way: exit %d\n%s", code, out)
		}
	})
	if f.full == 0 || n.vmsOut == 0 || n.adminOut == 0 {
		t.Errorf("without the limit nobody was kept out, so the first half shows nothing: %+v, %+v", f, n)
	}
	begin := time.Now()
	eventually(t, "all are back", 10*time.Second, func() bool {
		_, err := asVM(t, h.VMs()[2], documented, "SELECT 1")
		_, adminErr := h.PSQL(t.Context(), "postgres", "SELECT 1")
		return err == nil && adminErr == nil
	})
	t.Logf("all are back %s after the attack", time.Since(begin).Round(time.Millisecond))
}

//go:build integration

package firewall

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The test binary plays five roles: it makes the namespaces, runs a test again inside the hypervisor's, connects
// from a VM or from outside, holds a connection there, and opens the firewall as another user.
const (
	worldEnv = "FIREWALL_TEST_WORLD"
	dialEnv  = "FIREWALL_TEST_DIAL" // "LOCAL REMOTE COUNT"
	userEnv  = "FIREWALL_TEST_USER"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(dialEnv) != "":
		os.Exit(dialer(os.Getenv(dialEnv)))
	case os.Getenv(holdEnv) != "":
		os.Exit(holder(os.Getenv(holdEnv)))
	case os.Getenv(userEnv) != "":
		os.Exit(asUser())
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-interrupted
		removeNamespaces(fmt.Sprintf("sfw%d-", os.Getpid()))
		os.Exit(130)
	}()
	code := m.Run()
	removeNamespaces(fmt.Sprintf("sfw%d-", os.Getpid()))
	os.Exit(code)
}

func removeNamespaces(prefix string) {
	out, _ := exec.Command("ip", "netns", "list").Output()
	for line := range strings.Lines(string(out)) {
		if name := strings.Fields(line)[0]; strings.HasPrefix(name, prefix) {
			_ = exec.Command("ip", "netns", "delete", name).Run()
		}
	}
}

// world is a hypervisor with two VMs and an outside, each a network namespace.
type world struct{ prefix string }

func (w world) ns(name string) string { return w.prefix + name }

var worlds atomic.Int32

// inHypervisor runs body inside the hypervisor's namespace of a new world: as a process of its own, since what runs
// iptables are other threads than the test's.
func inHypervisor(t *testing.T, body func(t *testing.T, w world)) {
	t.Helper()
	if prefix := os.Getenv(worldEnv); prefix != "" {
		body(t, world{prefix})
		return
	}
	w := world{fmt.Sprintf("sfw%d-%d-", os.Getpid(), worlds.Add(1))}
	t.Cleanup(func() { removeNamespaces(w.prefix) })
	w.make(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", w.ns("host"), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), worldEnv+"="+w.prefix)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("inside the hypervisor: %v\n%s", err, out)
	}
}

func (w world) make(t *testing.T) {
	t.Helper()
	for _, n := range []string{"host", "vm1", "vm2", "out"} {
		sh(t, "ip netns add "+w.ns(n)+" && ip -n "+w.ns(n)+" link set lo up")
	}
	h, o := w.ns("host"), w.ns("out")
	for _, n := range []string{"1", "2"} {
		sh(t, fmt.Sprintf(`
			ip -n %[1]s link add br-vm%[3]s type bridge
			ip -n %[1]s address add 10.%[3]s.0.1/24 dev br-vm%[3]s
			ip -n %[1]s link set br-vm%[3]s up
			ip -n %[1]s link add tap%[3]s type veth peer name eth0 netns %[2]s
			ip -n %[1]s link set tap%[3]s master br-vm%[3]s up
			ip -n %[2]s address add 10.%[3]s.0.2/24 dev eth0
			ip -n %[2]s link set eth0 up
			ip -n %[2]s route add default via 10.%[3]s.0.1`, h, w.ns("vm"+n), n))
	}
	// The way back to a spoofed source leads outside, so that without a firewall even that connects.
	sh(t, fmt.Sprintf(`
		ip -n %[1]s link add pub type veth peer name eth0 netns %[2]s
		ip -n %[1]s address add 192.0.2.1/24 dev pub
		ip -n %[1]s address add 2001:db8::1/64 dev pub nodad
		ip -n %[1]s link set pub up
		ip -n %[1]s route add 10.1.0.77/32 dev pub
		ip -n %[2]s address add 192.0.2.2/24 dev eth0
		ip -n %[2]s address add 2001:db8::2/64 dev eth0 nodad
		ip -n %[2]s address add 10.1.0.77/32 dev lo
		ip -n %[2]s link set eth0 up
		ip -n %[2]s route add 10.0.0.0/8 via 192.0.2.1
		ip -n %[1]s route add 10.1.0.66/32 via 10.2.0.2
		ip -n %[3]s address add 10.1.0.66/32 dev lo`, h, o, w.ns("vm2")))
}

func sh(t *testing.T, script string) string {
	t.Helper()
	out, err := exec.Command("sh", "-e", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// listen takes every connection to the port and holds it.
func listen(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", ":5432")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // until the peer closes
				_, _ = c.Read(make([]byte, 1))
				c.Close()
			}()
		}
	}()
}

// dial tries count connections at a time from a namespace and says how each ended.
func (w world) dial(t *testing.T, from, local, remote string, count int) []string {
	t.Helper()
	cmd := exec.Command("ip", "netns", "exec", w.ns(from), os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d", dialEnv, local, remote, count))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("dial from %s: %v\n%s", from, err, out)
	}
	return strings.Fields(string(out))
}

func dialer(spec string) int {
	var local, remote string
	var count int
	if _, err := fmt.Sscan(spec, &local, &remote, &count); err != nil {
		fmt.Println(err)
		return 1
	}
	d := net.Dialer{Timeout: 300 * time.Millisecond} // a SYN is not repeated before a second has gone
	if local != "-" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(local)}
	}
	for range count {
		_, err := d.Dial("tcp", remote) // stays open until all are tried
		var ne net.Error
		switch {
		case err == nil:
			fmt.Println("connected")
		case errors.As(err, &ne) && ne.Timeout():
			fmt.Println("dropped")
		case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
			fmt.Println("reset")
		default:
			fmt.Println(err)
			return 1
		}
	}
	return 0
}

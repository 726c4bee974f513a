//go:build integration

package firewall

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// holdEnv has the test binary hold one connection, "LOCAL REMOTE", and say how it ends.
const holdEnv = "FIREWALL_TEST_HOLD"

func holder(spec string) int {
	local, remote, _ := strings.Cut(spec, " ")
	d := net.Dialer{Timeout: time.Second}
	if local != "-" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(local)}
	}
	c, err := d.Dial("tcp", remote)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("connected")
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 1)
	for {
		_, err = c.Read(buf)
		switch {
		case errors.Is(err, syscall.ECONNRESET):
			fmt.Println("reset")
			return 0
		case err != nil:
			fmt.Println("ended:", err)
			return 0
		}
	}
}

// held is a connection from a namespace.
type held struct {
	name  string
	lines *bufio.Scanner
	cmd   *exec.Cmd
}

func (w world) hold(t *testing.T, p probe) *held {
	t.Helper()
	cmd := exec.Command("ip", "netns", "exec", w.ns(p.from), os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+p.local+" "+p.remote)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	h := &held{p.name, bufio.NewScanner(out), cmd}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if h.next(t) != "connected" {
		t.Fatalf("%s: %s", p.name, h.lines.Text())
	}
	return h
}

func (h *held) next(t *testing.T) string {
	t.Helper()
	if !h.lines.Scan() {
		t.Fatalf("%s: no more lines: %v", h.name, h.lines.Err())
	}
	return h.lines.Text()
}

// listenOn is listen at other addresses: one socket a family is PostgreSQL's way, one for both is Go's.
func listenOn(t *testing.T, networks ...string) {
	t.Helper()
	for _, n := range networks {
		l, err := net.Listen(n, ":5432")
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
				go func() { _, _ = c.Read(make([]byte, 1)) }() // and is never closed from here
			}
		}()
	}
}

// What was connected before the rules came, and is not allowed by them, is told of in the plan and cut by apply; whoever is
// allowed does not notice.
func TestForbiddenConnectionsAreCut(t *testing.T) {
	for _, c := range []struct {
		name     string
		networks []string
	}{{"one socket a family", []string{"tcp4", "tcp6"}}, {"one socket for both", []string{"tcp"}}} {
		t.Run(c.name, func(t *testing.T) {
			inHypervisor(t, func(t *testing.T, w world) {
				listenOn(t, c.networks...)
				var in, out []*held
				for _, p := range insiders {
					in = append(in, w.hold(t, p))
				}
				strangers := []probe{outsiders[0], outsiders[1], outsiders[0], outsiders[4]}
				for _, p := range strangers {
					out = append(out, w.hold(t, p))
				}
				h, spec := opened(t, Auto), twoVMs()
				first := Diff(spec, observed(t, h))
				want := []string{
					"delete peer 192.0.2.2: 3 connections", "connected to port 5432 without being a VM, and cut off from now on: 192.0.2.2",
					"delete peer 2001:db8::2: 1 connection", "connected to port 5432 without being a VM, and cut off from now on: 2001:db8::2",
				}
				var got []string
				for _, r := range first {
					for _, ch := range r.Changes {
						if strings.HasPrefix(ch.Field, "peer ") {
							got = append(got, fmt.Sprintf("%s %s: %s", ch.Action, ch.Field, ch.Have))
						}
					}
					for _, w := range r.Warnings {
						got = append(got, w.Summary)
					}
				}
				if strings.Join(got, "\n") != strings.Join(want, "\n") {
					t.Errorf("the plan says\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				begin := time.Now()
				converge(t, h, spec)
				for _, o := range out {
					if end := o.next(t); end != "reset" {
						t.Errorf("%s: %s", o.name, end)
					}
				}
				t.Logf("all cut %s after the apply began", time.Since(begin).Round(time.Millisecond))
				if left, err := connections(5432); err != nil || len(left) != len(in) {
					t.Errorf("the VMs lost connections: %v, %v", left, err)
				}
				if again := lines(Diff(spec, observed(t, h))); len(again) > 0 {
					t.Errorf("afterwards: %q", again)
				}
				// A network that leaves the config loses its connections with its rules.
				spec.Networks = spec.Networks[:1]
				converge(t, h, spec)
				if end := in[1].next(t); end != "reset" {
					t.Errorf("%s, no longer declared: %s", in[1].name, end)
				}
			})
		})
	}
}

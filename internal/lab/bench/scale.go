package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sessiondbd/internal/lab"
)

// sizes are how many networks the firewall is measured with. The loop that appends rule by rule is measured with the first
// and with the start of the second: it takes a minute for the second, and hours for the third.
var sizes = []int{5, 1000, 10000}

const (
	scalePort   = 5999 // the bench's own PostgreSQL has the other
	scaleRounds = 7
	looped      = 100 // rules that the loop appends beside those of the second size
)

// takeScale measures rules for many networks: writing them, finding nothing to do, and what a new connection pays.
func takeScale(ctx context.Context, o options, t *table) error {
	return with(ctx, o, "scale", func(h *host) error {
		for _, n := range sizes {
			if err := h.scale(ctx, n, min(o.pairs, scaleRounds), t); err != nil {
				return fmt.Errorf("%d networks: %w", n, err)
			}
		}
		return h.newConnections(ctx, t)
	})
}

// subnet is the i-th network, and its gateway.
func subnet(i int) (netip.Prefix, netip.Addr) {
	a := netip.AddrFrom4([4]byte{10, byte(64 + i>>8), byte(i), 0})
	return netip.PrefixFrom(a, 24), a.Next()
}

func (h *host) manyNetworks(n int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "firewall: {port: %d, max_connections_per_vm: 1000}\n", scalePort)
	b.WriteString("roles: [{name: sessionuser, networks: []}]\nnetworks:\n")
	for i := range n {
		p, gateway := subnet(i)
		fmt.Fprintf(&b, "  - {name: n%d, subnet: %s, gateway: %s, interface: br-vm1}\n", i, p, gateway)
	}
	return os.WriteFile(h.path("config.yaml"), []byte(b.String()), 0o644)
}

func (h *host) scale(ctx context.Context, n, rounded int, t *table) error {
	if err := h.manyNetworks(n); err != nil {
		return err
	}
	apply := func(ctx context.Context) *exec.Cmd { return h.ours(ctx, nil, "apply", "--only", "firewall") }
	if err := errors.Join(h.clear(ctx), h.run(apply(ctx))); err != nil {
		return err
	}
	saved, err := h.command(ctx, nil, "iptables-save").Output()
	if err != nil {
		return err
	}
	all, err := rounds(
		ctx, rounded,
		h.cleared(h.each(apply)),
		h.cleared(h.each(func(ctx context.Context) *exec.Cmd {
			cmd := h.command(ctx, nil, "iptables-restore", "--noflush")
			cmd.Stdin = strings.NewReader(string(saved))
			return cmd
		})),
		h.cleared(func(ctx context.Context) (time.Duration, error) { return h.appendUnique(ctx, min(n, looped)) }),
	)
	if err != nil {
		return err
	}
	if err := h.run(apply(ctx)); err != nil {
		return err
	}
	idle, err := rounds(
		ctx, rounded,
		h.each(func(ctx context.Context) *exec.Cmd { return h.ours(ctx, nil, "plan", "--only", "firewall") }),
		h.each(func(ctx context.Context) *exec.Cmd { return h.command(ctx, nil, "iptables-save") }),
	)
	if err != nil {
		return err
	}
	t.against(fmt.Sprintf("apply of the rules for %d networks", n), all[0], "one iptables-restore of IPv4's", all[1], 1.5)
	t.also("  the same", all[0], fmt.Sprintf("iptables -C or -A, %d rules", min(n, looped)), all[2])
	t.also("  nothing to do", idle[0], "one iptables-save", idle[1])
	return h.clear(ctx)
}

func (h *host) clear(ctx context.Context) error {
	return h.run(h.command(ctx, nil, "nft", "flush", "ruleset"))
}

// cleared takes all rules away before the clock runs.
func (h *host) cleared(s side) side {
	return func(ctx context.Context) (time.Duration, error) {
		if err := h.clear(ctx); err != nil {
			return 0, err
		}
		return s(ctx)
	}
}

// appendUnique is what a loop over a library without transactions does: look for each rule, append what is missing.
func (h *host) appendUnique(ctx context.Context, n int) (took time.Duration, err error) {
	begin := time.Now()
	for i := range n {
		p, _ := subnet(i)
		rule := []string{"INPUT", "-s", p.String(), "-p", "tcp", "-m", "tcp", "--dport", strconv.Itoa(scalePort), "-j", "ACCEPT"}
		if h.run(h.command(ctx, nil, append([]string{"iptables", "-C"}, rule...)...)) == nil {
			continue
		}
		if err := h.run(h.command(ctx, nil, append([]string{"iptables", "-A"}, rule...)...)); err != nil {
			return 0, err
		}
	}
	return time.Since(begin), nil
}

// connects are how often each set of rules is met.
const connects = 200

// newConnections measures connects from a namespace in the last of the networks, whose rule comes last.
func (h *host) newConnections(ctx context.Context, t *table) (err error) {
	vm, err := lab.NewNamespace(ctx, "scale-vm")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, vm.Close()) }()
	times := map[int]sample{}
	for _, n := range append([]int{0}, sizes...) {
		took, err := h.connecting(ctx, vm, n)
		if err != nil {
			return fmt.Errorf("connects through the rules for %d networks: %w", n, err)
		}
		times[n] = took
	}
	for _, n := range sizes {
		t.line(fmt.Sprintf("a new connection from the last of %d networks", n), fmt.Sprintf("%.0f µs", 1000*times[n].median()), "without rules",
			fmt.Sprintf("%.0f µs", 1000*times[0].median()), fmt.Sprintf("%+.0f µs", 1000*(times[n].median()-times[0].median())))
	}
	return nil
}

// connecting joins the namespace to the last of n networks, and connects from there.
func (h *host) connecting(ctx context.Context, vm *lab.Namespace, n int) (sample, error) {
	p, gateway := subnet(max(n, 1) - 1)
	peer := gateway.Next()
	if err := errors.Join(
		h.run(h.command(ctx, nil, "ip", "link", "add", "scale0", "type", "veth", "peer", "name", "scale1", "netns", vm.Name)),
		h.run(h.command(ctx, nil, "ip", "addr", "add", fmt.Sprintf("%s/%d", gateway, p.Bits()), "dev", "scale0")),
		h.run(h.command(ctx, nil, "ip", "link", "set", "scale0", "up")),
		vm.IP(ctx, fmt.Sprintf("addr add %s/%d dev scale1", peer, p.Bits()), "link set scale1 up"),
	); err != nil {
		return nil, err
	}
	defer func() { _ = h.run(h.command(context.WithoutCancel(ctx), nil, "ip", "link", "del", "scale0")) }()
	if err := h.clear(ctx); err != nil {
		return nil, err
	}
	if n > 0 {
		if err := h.manyNetworks(n); err != nil {
			return nil, err
		}
		text, err := os.ReadFile(h.path("config.yaml"))
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(h.path("config.yaml"), []byte(strings.ReplaceAll(string(text), "br-vm1", "scale0")), 0o644); err != nil {
			return nil, err
		}
		if err := h.run(h.ours(ctx, nil, "apply", "--only", "firewall")); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("tcp4", netip.AddrPortFrom(gateway, scalePort).String()) // in the namespace of this thread
	if err != nil {
		return nil, err
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			_ = c.Close()
		}
	}()
	return dials(vm, gateway)
}

// dials connects one time after the other from a namespace.
func dials(vm *lab.Namespace, to netip.Addr) (took sample, err error) {
	done := make(chan error)
	go func() { // on a thread of its own, which ends with it
		runtime.LockOSThread()
		done <- func() error {
			ns, err := os.Open("/run/netns/" + vm.Name)
			if err != nil {
				return err
			}
			defer func() { _ = ns.Close() }()
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			for range connects {
				d, err := dial(to)
				if err != nil {
					return err
				}
				took = append(took, milliseconds(d))
			}
			return nil
		}()
	}()
	err = <-done
	return took, err
}

// dial is one connection from the calling thread's namespace, without the runtime's poller, which would measure itself.
func dial(to netip.Addr) (time.Duration, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Close(fd) }()
	begin := time.Now()
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: scalePort, Addr: to.As4()})
	return time.Since(begin), err
}

package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// TopologyOptions says what networks to make.
type TopologyOptions struct {
	VMs       int  // how many; 0 means the documented five
	NoBridges bool // the VMs' cables hang loose until AddBridge, as on a host that starts its VMs late
}

// Topology is the documented hypervisor's network without the hypervisor: a router that holds the gateways, its VMs and
// an outside.
//
// VM N is 10.N.0.2 and fd10:N::2 behind the router's bridge br-vmN with 10.N.0.1 and fd10:N::1. The outside is
// 203.0.113.2 and 2001:db8::2 on the router's eth0, 203.0.113.1 and 2001:db8::1. All route by default through the router,
// which forwards, so the outside can try gateway addresses.
type Topology struct {
	Router  *Namespace
	Outside *Peer
	peers   []*Peer
	dir     string
	once    sync.Once
	err     error
}

// Peer is a namespace that talks to the router: a VM or the outside.
type Peer struct {
	*Namespace
	Number           int // of the VM; 0 is the outside
	Address, Gateway string
	Address6         string
	Gateway6         string
}

// NewTopology makes the namespaces and cables. It needs root.
func NewTopology(ctx context.Context, o TopologyOptions) (*Topology, error) {
	if err := Require(ctx, NeedNamespaces); err != nil {
		return nil, err
	}
	name, dir, err := acquire("net")
	if err != nil {
		return nil, err
	}
	t := &Topology{dir: dir}
	if err := t.build(ctx, name, o); err != nil {
		return nil, errors.Join(fmt.Errorf("topology: %w", err), t.Close())
	}
	return t, nil
}

func (t *Topology) build(ctx context.Context, name string, o TopologyOptions) error {
	var err error
	if t.Router, err = addNamespace(ctx, name+"-hv"); err != nil {
		return err
	}
	// Addresses must work at once, not after the second that duplicate detection takes.
	if err := t.Router.Sysctl(ctx, "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.default.accept_dad=0"); err != nil {
		return err
	}
	outside := &Peer{Address: "203.0.113.2", Gateway: "203.0.113.1", Address6: "2001:db8::2", Gateway6: "2001:db8::1"}
	if err := t.attach(ctx, name+"-out", "eth0", outside); err != nil {
		return err
	}
	t.Outside = outside
	if err := t.Router.IP(ctx, "addr add 203.0.113.1/24 dev eth0", "addr add 2001:db8::1/64 dev eth0 nodad"); err != nil {
		return err
	}
	if o.VMs == 0 {
		o.VMs = 5
	}
	for n := 1; n <= o.VMs; n++ {
		vm := &Peer{
			Number: n, Address: fmt.Sprintf("10.%d.0.2", n), Gateway: fmt.Sprintf("10.%d.0.1", n),
			Address6: fmt.Sprintf("fd10:%d::2", n), Gateway6: fmt.Sprintf("fd10:%d::1", n),
		}
		if err := t.attach(ctx, fmt.Sprintf("%s-vm%d", name, n), fmt.Sprintf("vm%d", n), vm); err != nil {
			return err
		}
		t.peers = append(t.peers, vm)
		if o.NoBridges {
			continue
		}
		if err := t.AddBridge(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// attach makes the peer's namespace and its cable to the router's device dev.
func (t *Topology) attach(ctx context.Context, name, dev string, p *Peer) error {
	var err error
	if p.Namespace, err = addNamespace(ctx, name); err != nil {
		return err
	}
	if err := t.Router.Veth(ctx, dev, p.Namespace, "eth0"); err != nil {
		return errors.Join(err, p.Close())
	}
	if err := t.Router.IP(ctx, "link set "+dev+" up"); err != nil {
		return errors.Join(err, p.Close())
	}
	err = p.IP(ctx,
		"addr add "+p.Address+"/24 dev eth0", "addr add "+p.Address6+"/64 dev eth0 nodad", "link set eth0 up",
		"route add default via "+p.Gateway, "route add ::/0 via "+p.Gateway6)
	if err != nil {
		return errors.Join(err, p.Close())
	}
	return nil
}

// VM returns VM n, counted from 1.
func (t *Topology) VM(n int) *Peer { return t.peers[n-1] }

// VMs returns all of them in order.
func (t *Topology) VMs() []*Peer { return t.peers }

// AddBridge makes br-vmN with its gateway addresses and plugs VM n into it; traffic passes when it returns.
func (t *Topology) AddBridge(ctx context.Context, n int) error {
	br := fmt.Sprintf("br-vm%d", n)
	err := t.Router.IP(ctx,
		"link add "+br+" type bridge",
		fmt.Sprintf("addr add 10.%d.0.1/24 dev %s", n, br), fmt.Sprintf("addr add fd10:%d::1/64 dev %s nodad", n, br),
		fmt.Sprintf("link set vm%d master %s", n, br), "link set "+br+" up")
	if err != nil {
		return err
	}
	err = poll(ctx, func() (bool, error) { // the kernel brings a link to life on its own time
		state, err := t.Router.Run(ctx, "ip", "-br", "link", "show", br, "up")
		return strings.Contains(state, " UP "), err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", br, err)
	}
	// What the VM asked for in vain while there was no bridge would be asked again only after a second.
	return t.VM(n).IP(ctx, "neigh flush dev eth0")
}

// RemoveBridge deletes br-vmN; the VM's cable hangs loose.
func (t *Topology) RemoveBridge(ctx context.Context, n int) error {
	return t.Router.IP(ctx, fmt.Sprintf("link del br-vm%d", n))
}

// Close kills what runs in the namespaces and removes them. Further calls do nothing.
func (t *Topology) Close() error {
	t.once.Do(func() {
		var errs []error
		for _, p := range t.peers {
			errs = append(errs, p.Close())
		}
		if t.Outside != nil {
			errs = append(errs, t.Outside.Close())
		}
		if t.Router != nil {
			errs = append(errs, t.Router.Close())
		}
		t.err = errors.Join(append(errs, release(t.dir))...)
	})
	return t.err
}

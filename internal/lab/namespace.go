package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace with its loopback up; commands that run in it see the machine's own files.
type Namespace struct {
	Place
	Name string
	dir  string // set if it stands alone
	once sync.Once
	err  error
}

// NewNamespace makes a network namespace with a unique name that ends in name. It needs root.
func NewNamespace(ctx context.Context, name string) (*Namespace, error) {
	if err := Require(ctx, NeedNamespaces); err != nil {
		return nil, err
	}
	unique, dir, err := acquire("ns")
	if err != nil {
		return nil, err
	}
	n, err := addNamespace(ctx, unique+"-"+name)
	if err != nil {
		return nil, errors.Join(err, release(dir))
	}
	n.dir = dir
	return n, nil
}

func addNamespace(ctx context.Context, name string) (*Namespace, error) {
	n := &Namespace{Name: name}
	n.enter = []string{"nsenter", "--net=/run/netns/" + name, "--"}
	var machine Place
	if _, err := machine.Run(ctx, "ip", "netns", "add", name); err != nil {
		return nil, err
	}
	if err := n.IP(ctx, "link set lo up"); err != nil {
		return nil, errors.Join(err, removeNamespace(name))
	}
	return n, nil
}

// IP runs ip(8) commands inside, one a line, as one batch that stops at the first error.
func (n *Namespace) IP(ctx context.Context, lines ...string) error {
	_, err := n.Exec(ctx, Command{Argv: []string{"ip", "-batch", "-"}, Stdin: strings.NewReader(strings.Join(lines, "\n") + "\n")})
	if err != nil {
		return fmt.Errorf("namespace %s: %w", n.Name, err)
	}
	return nil
}

// Veth lays a cable from dev here to peerDev in another namespace; both ends are down.
func (n *Namespace) Veth(ctx context.Context, dev string, peer *Namespace, peerDev string) error {
	return n.IP(ctx, fmt.Sprintf("link add %s type veth peer name %s netns %s", dev, peerDev, peer.Name))
}

// Sysctl sets kernel parameters of the namespace, each as key=value.
func (n *Namespace) Sysctl(ctx context.Context, settings ...string) error {
	_, err := n.Run(ctx, append([]string{"sysctl", "-qw"}, settings...)...)
	return err
}

// Close kills what runs inside and removes the namespace. Further calls do nothing.
func (n *Namespace) Close() error {
	n.once.Do(func() {
		n.err = removeNamespace(n.Name)
		if n.dir != "" {
			n.err = errors.Join(n.err, release(n.dir))
		}
	})
	return n.err
}

func removeNamespace(name string) error {
	if err := killAll(func() []int { return members(name) }); err != nil {
		return fmt.Errorf("namespace %s: %w", name, err)
	}
	path := "/run/netns/" + name
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && err != unix.EINVAL && err != unix.ENOENT {
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	if err := unix.Unlink(path); err != nil && err != unix.ENOENT {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

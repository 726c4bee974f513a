package firewall

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/coreos/go-iptables/iptables"
	"golang.org/x/sys/unix"
)

// Host is the firewall of this machine as its tools reach it.
type Host struct {
	// Writers is shared by those who write and who watch, so that a watcher knows whose events are ours. May be nil.
	Writers *Writers

	backend string // NFT, Legacy or Off
	left    *Host  // to look for rules from before, while it is Off; nil: they cannot be looked for
	other   *Host  // the back end that is not in use; nil: its tools are missing
	dirs    []string
	tools   map[family]tools
	seen    sight // of other people's rules, by the one observation that runs at a time

	mu      sync.Mutex
	readers map[family]*iptables.IPTables
}

// tools are the paths of one family's programs.
type tools struct {
	iptables, save, restore string
}

// Open finds the tools of the back end that the configuration names. It runs none where the links of the distribution
// tell which is which. Errors: ErrMissing, ErrNotPermitted.
func Open(ctx context.Context, backend string) (*Host, error) {
	return open(ctx, backend, searchPath())
}

func open(ctx context.Context, backend string, dirs []string) (*Host, error) {
	h := newHost(backend, dirs)
	if backend == Off {
		// Without tools or the permission nobody can tell, and nobody promised to.
		if left, err := open(ctx, Auto, dirs); err == nil {
			h.left = left
		}
		return h, nil
	}
	base, err := h.detect(ctx, backend)
	if err != nil {
		return nil, err
	}
	if err := permitted(); err != nil {
		return nil, err
	}
	if err := h.find(base); err != nil {
		return nil, err
	}
	h.other = newHost(opposite(h.backend), dirs)
	if h.other.find("iptables-"+h.other.backend) != nil {
		h.other = nil
	}
	return h, nil
}

// Found is the back end that Open would find, for whoever is to be given the rights that its tools want; Off: none.
func Found(ctx context.Context, backend string) string {
	if backend == Off { // and then it looks for what is left
		backend = Auto
	}
	h := newHost(backend, searchPath())
	if _, err := h.detect(ctx, backend); err != nil { // which Open tells
		return Off
	}
	return h.backend
}

func newHost(backend string, dirs []string) *Host {
	return &Host{backend: backend, dirs: dirs, tools: map[family]tools{}, readers: map[family]*iptables.IPTables{}}
}

// opposite is the other of the two back ends.
func opposite(backend string) string {
	if backend == NFT {
		return Legacy
	}
	return NFT
}

// find finds the programs of both families by the name of IPv4's.
func (h *Host) find(base string) error {
	for _, f := range []family{ipv4, ipv6} {
		name := base
		if f == ipv6 {
			name = strings.Replace(base, "iptables", "ip6tables", 1)
		}
		t := tools{lookPath(h.dirs, name), lookPath(h.dirs, name+"-save"), lookPath(h.dirs, name+"-restore")}
		for _, tool := range []struct{ path, name string }{{t.iptables, name}, {t.save, name + "-save"}, {t.restore, name + "-restore"}} {
			if tool.path == "" {
				return missing(tool.name, h.dirs)
			}
		}
		h.tools[f] = t
	}
	return nil
}

// Backend is the back end that was found: NFT, Legacy or Off.
func (h *Host) Backend() string { return h.backend }

// detect settles the back end and returns the name of its IPv4 program.
func (h *Host) detect(ctx context.Context, backend string) (base string, err error) {
	if backend == NFT || backend == Legacy {
		if base = "iptables-" + backend; lookPath(h.dirs, base) != "" {
			h.backend = backend
			return base, nil
		}
	}
	path := lookPath(h.dirs, "iptables")
	if path == "" {
		return "", missing("iptables", h.dirs)
	}
	kind, err := h.kind(ctx, path)
	if err != nil {
		return "", err
	}
	if (backend == NFT || backend == Legacy) && kind != backend {
		return "", fmt.Errorf("%w: firewall.backend is %s, but %s is %s and there is no iptables-%s: set firewall.backend: auto",
			ErrMissing, backend, path, kind, backend)
	}
	h.backend = kind
	return "iptables", nil
}

// kind says to which back end a program belongs: by the name of what it links to, else by asking it.
func (h *Host) kind(ctx context.Context, path string) (string, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		switch filepath.Base(real) {
		case "xtables-nft-multi":
			return NFT, nil
		case "xtables-legacy-multi":
			return Legacy, nil
		}
	}
	version, err := h.run(ctx, "", path, "--version")
	if err != nil {
		return "", err
	}
	if strings.Contains(version, "(nf_tables)") {
		return NFT, nil
	}
	return Legacy, nil // before 1.8 there was no other, and it did not say so
}

// reader is go-iptables on the same program. It is made when first needed: making one runs the program.
func (h *Host) reader(f family) (*iptables.IPTables, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.readers[f]; r != nil {
		return r, nil
	}
	proto := iptables.ProtocolIPv4
	if f == ipv6 {
		proto = iptables.ProtocolIPv6
	}
	r, err := iptables.New(iptables.IPFamily(proto), iptables.Path(h.tools[f].iptables), iptables.Timeout(lockSeconds))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.tools[f].iptables, err)
	}
	h.readers[f] = r
	return r, nil
}

func missing(tool string, dirs []string) error {
	return fmt.Errorf("%w: no %s in %s: install it (Debian: apt install iptables; NixOS: add pkgs.iptables to the path of the unit), or set firewall.backend: off",
		ErrMissing, tool, strings.Join(dirs, ":"))
}

// permitted asks for the one capability that reading and writing need, before a tool fails with less to say.
func permitted() error {
	var data [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	if data[0].Effective&(1<<unix.CAP_NET_ADMIN) == 0 {
		return fmt.Errorf("%w: CAP_NET_ADMIN is missing: run it as root", ErrNotPermitted)
	}
	return nil
}

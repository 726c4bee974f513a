package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Options say what hypervisor to boot. The zero value is Debian 12 with five VMs.
type Options struct {
	Suite    string   // Debian's: bookworm (default) or trixie
	Packages []string // beside systemd, PostgreSQL, iptables, nftables, iproute2
	TopologyOptions
	// Prepare changes the root before it boots: install, enable, configure.
	Prepare func(ctx context.Context, r *Root) error
	// BootTimeout bounds a boot; 0 means one minute.
	BootTimeout time.Duration
	// Progress is told in one line what takes long; nil for silence.
	Progress func(line string)
}

func (o Options) progress(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}

// Hypervisor is a booted Debian with systemd in a container, in the router's place of a Topology. Commands of its Place
// run inside it as root.
type Hypervisor struct {
	Place
	*Topology
	BootTime time.Duration // from starting the container to systemd's "running" or "degraded"

	options Options
	name    string
	dir     string
	root    string
	cgroups []string
	console *Process // systemd-nspawn
	init    int      // the container's process 1, as seen from here
	once    sync.Once
	err     error
}

// Boot makes networks and a system, and boots it. It needs root. The context bounds booting only: what is up stays
// until Close, or until this process ends.
func Boot(ctx context.Context, o Options) (*Hypervisor, error) {
	if err := Require(ctx, NeedHypervisor); err != nil {
		return nil, err
	}
	if o.Suite == "" {
		o.Suite = "bookworm"
	}
	if o.BootTimeout == 0 {
		o.BootTimeout = time.Minute
	}
	base, err := image(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	h := &Hypervisor{options: o}
	if h.name, h.dir, err = acquire("hv"); err != nil {
		return nil, err
	}
	if err := h.build(ctx, base); err != nil {
		return nil, errors.Join(fmt.Errorf("hypervisor: %w", err), h.Close())
	}
	return h, nil
}

func (h *Hypervisor) build(ctx context.Context, base string) error {
	var err error
	if h.Topology, err = NewTopology(ctx, h.options.TopologyOptions); err != nil {
		return err
	}
	if err := h.mount(base); err != nil {
		return err
	}
	if h.options.Prepare != nil {
		if err := h.options.Prepare(ctx, newRoot(h.root)); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
	}
	return h.PowerOn(ctx)
}

// mount lays a layer over the image.
func (h *Hypervisor) mount(base string) error {
	upper, work := filepath.Join(h.dir, "upper"), filepath.Join(h.dir, "work")
	h.root = filepath.Join(h.dir, "root")
	for _, d := range []string{upper, work, h.root} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", base, upper, work)
	if err := unix.Mount("overlay", h.root, "overlay", 0, layers); err != nil {
		return fmt.Errorf("mount overlay on %s: %w", h.root, err)
	}
	return nil
}

// PowerOn boots the system, again after Poweroff, and waits until systemd says "running" or "degraded".
func (h *Hypervisor) PowerOn(ctx context.Context) error {
	if h.console != nil {
		return errors.New("it is on; Poweroff first")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, h.options.BootTimeout, fmt.Errorf("not up after %s", h.options.BootTimeout))
	defer cancel()
	began := time.Now()
	var err error
	if h.cgroups, err = newCgroup(h.name); err != nil {
		return err
	}
	if h.console, err = h.container(closing(ctx)); err != nil {
		return err
	}
	if err := h.awaitInit(ctx); err != nil {
		return fmt.Errorf("%w; console:\n%s", err, lastLines(h.console.Output(), 20))
	}
	if err := h.awaitBoot(ctx); err != nil {
		return fmt.Errorf("%w; console:\n%s\njournal:\n%s", err, lastLines(h.console.Output(), 20), h.tail(40))
	}
	h.BootTime = time.Since(began).Round(time.Millisecond)
	return nil
}

func (h *Hypervisor) container(ctx context.Context) (*Process, error) {
	var join strings.Builder // a shell joins the groups, as exec can enter only one, and only of version 2
	for _, g := range h.cgroups {
		fmt.Fprintf(&join, "echo $$ >%s/cgroup.procs; ", g)
	}
	var machine Place
	return machine.Start(ctx, "sh", "-euc", join.String()+`exec "$@"`, "sh",
		"systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--directory="+h.root, "--hostname=hypervisor",
		"--network-namespace-path=/run/netns/"+h.Router.Name, "--capability=CAP_NET_ADMIN",
		"--resolv-conf=off", "--timezone=off", "--link-journal=no", "--boot", "--console=pipe")
}

// awaitInit waits until the container has its process 1. Before that, nspawn has other children.
func (h *Hypervisor) awaitInit(ctx context.Context) error {
	return poll(ctx, func() (bool, error) {
		select {
		case <-h.console.Done():
			return false, errors.New("systemd-nspawn ended")
		default:
		}
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", h.console.PID()))
		for _, list := range lists {
			children, _ := os.ReadFile(list)
			for _, child := range strings.Fields(string(children)) {
				status, _ := os.ReadFile("/proc/" + child + "/status")
				comm, _ := os.ReadFile("/proc/" + child + "/comm")
				if strings.Contains(string(status), "\nNSpid:\t"+child+"\t1\n") && string(comm) == "systemd\n" {
					h.init, _ = strconv.Atoi(child)
					h.enter = []string{"nsenter", "--target=" + child, "--all", "--"}
					return true, nil
				}
			}
		}
		return false, nil
	})
}

func (h *Hypervisor) awaitBoot(ctx context.Context) error {
	return poll(ctx, func() (bool, error) {
		select {
		case <-h.console.Done():
			return false, errors.New("systemd-nspawn ended")
		default:
		}
		state, _ := h.Run(ctx, "systemctl", "is-system-running", "--wait") // fails until systemd listens, and if degraded
		return state == "running" || state == "degraded", nil
	})
}

// Poweroff shuts the system down in order, as its power button would; one that takes longer than 30 s is killed.
func (h *Hypervisor) Poweroff(ctx context.Context) error {
	if h.console == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	const sigrtmin = 34
	var err error
	if h.init != 0 {
		err = syscall.Kill(h.init, syscall.Signal(sigrtmin+4))
	}
	select {
	case <-h.console.Done():
	case <-ctx.Done():
		err = errors.Join(err, fmt.Errorf("poweroff: %w", context.Cause(ctx)))
	}
	return errors.Join(err, h.off())
}

// off kills the container if it runs; its process 1, and with that all others, dies with nspawn.
func (h *Hypervisor) off() error {
	var errs []error
	if h.console != nil {
		errs = append(errs, h.console.Kill())
		errs = append(errs, killAll(func() []int { return h.inside() }))
	}
	for _, g := range h.cgroups {
		errs = append(errs, removeCgroup(g))
	}
	h.console, h.init, h.cgroups, h.enter = nil, 0, nil, []string{"false"}
	return errors.Join(errs...)
}

// inside lists what is left of the container's processes, ours in the router's namespace included.
func (h *Hypervisor) inside() []int { return members(h.Router.Name) }

// Close kills the system, without the ceremony of Poweroff, and removes all that Boot made. Further calls do nothing.
func (h *Hypervisor) Close() error {
	h.once.Do(func() {
		errs := []error{h.off()}
		if h.Topology != nil {
			errs = append(errs, h.Topology.Close())
		}
		errs = append(errs, unmountBelow(h.dir))
		h.err = errors.Join(append(errs, release(h.dir))...)
	})
	return h.err
}

// poll asks every 10 ms until the answer is yes, an error, or the context is done.
func poll(ctx context.Context, ask func() (bool, error)) error {
	for {
		if ok, err := ask(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

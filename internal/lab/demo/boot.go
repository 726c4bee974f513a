package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"sessiondbd/internal/lab"
)

// boot builds, prepares the clients and installs Debian at the same time: the first is the compiler's work, the others
// wait for the network.
func (d *demo) boot(ctx context.Context) error {
	if err := lab.Require(ctx, lab.NeedHypervisor, lab.NeedClients); err != nil {
		return err
	}
	top, err := lab.Checkout()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	built, clients := make(chan error, 1), make(chan error, 1)
	go func() {
		d.screen.line("building sessiondbd and the clients of the documentation: psql, psycopg2, node pg, pgx")
		built <- mk(ctx, top, "build")
		var err error
		d.clients, err = lab.Clients(ctx)
		clients <- err
	}()
	d.hv, err = lab.Boot(ctx, lab.Options{
		Progress: func(line string) { d.screen.line("%s", line) },
		Prepare: func(ctx context.Context, r *lab.Root) error {
			if err := <-built; err != nil {
				return err
			}
			d.screen.line("make install DESTDIR=its-root: one binary, units, config")
			if err := mk(ctx, top, "install", "DESTDIR="+r.Dir); err != nil {
				return err
			}
			_, err := r.Run(ctx, "systemd-sysusers", "sessiondbd.conf")
			return err
		},
	})
	if err != nil {
		cancel()
		<-clients
		return err
	}
	defer cancel()
	if err := <-clients; err != nil {
		return err
	}
	version, err := d.hv.Run(ctx, "sh", "-c", ". /etc/os-release; echo $PRETTY_NAME; psql --version | cut -d' ' -f1-3; systemctl --version | head -1 | cut -d' ' -f1-2")
	if err != nil {
		return err
	}
	d.screen.good("booted in %s: %s", ms(d.hv.BootTime), strings.ReplaceAll(version, "\n", ", "))
	d.screen.line("VM N is 10.N.0.2 behind the gateway 10.N.0.1; the outside is %s and routes everything through the hypervisor", d.hv.Outside.Address)
	return nil
}

// mk runs make in the checkout, in a group of its own so that Ctrl-C ends it through us.
func mk(ctx context.Context, top string, args ...string) error {
	cmd := exec.CommandContext(ctx, "make", append([]string{"--no-print-directory", "-C", top}, args...)...)
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("make %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// before shows the host as an administrator finds it who has installed sessiondbd and not started it yet.
func (d *demo) before(ctx context.Context) error {
	vm := d.hv.VM(1)
	err := way{from: vm, host: vm.Gateway}.try(ctx)
	if err == nil {
		return errors.New("VM 1 reaches PostgreSQL already")
	}
	d.screen.line("VM 1 to %s: %v, since a fresh PostgreSQL listens on localhost only", vm.Gateway, err)
	if _, err := d.hv.Run(ctx, "systemctl", "is-active", "sessiondbd-firewall"); err != nil {
		return fmt.Errorf("sessiondbd-firewall: %w", err)
	}
	d.screen.line("sessiondbd-firewall is up: at boot PostgreSQL's unit starts it first, so the port is never open to others")
	const pending = 2
	r, took, err := d.report(ctx, "plan", pending)
	if err != nil {
		return err
	}
	if r.InSync || len(r.Refusals) > 0 {
		return errors.New("plan finds nothing to do on a fresh host, or refuses it")
	}
	d.screen.line("sessiondbd plan, in %s: %d changes to make%s", ms(took), len(r.Changes), outline(r.Changes))
	return nil
}

// Package main shows sessiondbd at work on a hypervisor that it makes for the purpose.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"sessiondbd/internal/lab"
)

const (
	exitFailure     = 1
	exitNotAllowed  = 77
	exitInterrupted = 130
)

func main() {
	stay := flag.Bool("stay", false, "keep the hypervisor at the end, until Ctrl-C")
	flag.Parse()
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, `demo: needs root, for network namespaces and a container; run: sudo env PATH="$PATH" make demo`)
		os.Exit(exitNotAllowed)
	}
	os.Exit(run(*stay))
}

// run is main with defers that run. SIGPIPE is among the signals: somebody who pipes us into head must not get a
// hypervisor that stays.
func run(stay bool) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	s := newScreen(os.Stdout)
	go s.heartbeat(ctx)
	d := &demo{screen: s}
	err := d.run(ctx)
	if err == nil && stay {
		d.explain()
		<-ctx.Done()
		s.line("taking it down")
		return d.close(nil)
	}
	if ctx.Err() != nil {
		s.line("interrupted: taking everything down")
		d.close(nil)
		return exitInterrupted
	}
	return d.close(err)
}

// close removes the hypervisor and says how it all ended.
func (d *demo) close(err error) int {
	if err != nil {
		if d.hv != nil {
			d.screen.block(d.tail())
		}
		d.screen.fail("step %d, %s: %v", d.at+1, d.title, err)
	}
	if d.hv != nil {
		closing := d.hv.Close()
		if closing != nil {
			d.screen.fail("could not take everything down: %v", closing)
		}
		err = errors.Join(err, closing)
	}
	if err != nil {
		return exitFailure
	}
	d.screen.line("all taken down; nothing is left behind")
	return 0
}

// tail is the end of the hypervisor's journal, for a step that failed.
func (d *demo) tail() string {
	out, err := d.hv.Exec(context.Background(), lab.Command{Argv: []string{"journalctl", "--no-pager", "-n", "40", "-o", "short-precise"}})
	if err != nil {
		return "no journal: " + err.Error()
	}
	return "the journal's last lines:\n" + out.Stdout
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/plan"
)

// demo is one showing.
type demo struct {
	screen  *screen
	hv      *lab.Hypervisor
	clients []lab.Client
	at      int
	title   string
	seen    []string // for the summary
}

// step is one thing to show; it fails when what it says is not so.
type step struct {
	title string
	show  func(context.Context) error
}

func (d *demo) steps() []step {
	return []step{
		{"a Debian 12 hypervisor with five VMs and an outside", d.boot},
		{"before: PostgreSQL is there, but for no VM", d.before},
		{"systemctl start sessiondbd", d.start},
		{"every VM writes and reads a session", d.sessions},
		{"the outside is shut out", d.outside},
		{"somebody flushes the firewall", d.flush},
		{"somebody damages the schema", d.damage},
		{"once more: a second apply changes nothing", d.again},
		{"what the daemons say of it", d.status},
	}
}

func (d *demo) run(ctx context.Context) error {
	d.screen.line("sessiondbd's demo. It makes a hypervisor of its own and takes it away again; this machine's\nPostgreSQL, firewall and networks are not touched.")
	steps := d.steps()
	for i, s := range steps {
		d.at, d.title = i, s.title
		d.screen.heading("%d/%d  %s", i+1, len(steps), s.title)
		if err := s.show(ctx); err != nil {
			return err
		}
	}
	d.summary()
	return nil
}

// remember keeps a line for the summary.
func (d *demo) remember(format string, args ...any) {
	d.seen = append(d.seen, fmt.Sprintf(format, args...))
}

func (d *demo) summary() {
	d.screen.heading("what you have seen")
	for _, line := range d.seen {
		d.screen.good("%s", line)
	}
	d.screen.line("to look inside:    make demo STAY=1           the same, and it stays until Ctrl-C\n" +
		"on your own host:  sessiondbd plan            what would change and why; changes nothing\n" +
		"                   sessiondbd status          what the daemons last verified\n" +
		"                   journalctl -u sessiondbd   every change once, with its reason")
}

// explain says how to get into what was made.
func (d *demo) explain() {
	vm := d.hv.VM(1)
	d.screen.heading("it stays until Ctrl-C; from another terminal, as root")
	d.screen.line("the hypervisor:    %s", d.hv.Shell())
	d.screen.line("as VM 1:           PGPASSWORD=%s nsenter --net=/run/netns/%s psql -h %s -U sessionuser sessiondb", documented, vm.Name, vm.Gateway)
	d.screen.line("from the outside:  nsenter --net=/run/netns/%s psql -h %s -U sessionuser sessiondb   (hangs: it is shut out)", d.hv.Outside.Name, d.hv.Outside.Gateway)
}

// on runs a shell script on the hypervisor and returns its output.
func (d *demo) on(ctx context.Context, script string) (string, error) {
	return d.hv.Run(ctx, "sh", "-euc", script)
}

// report runs plan or apply; codes other than 0 that are allowed stand in also.
func (d *demo) report(ctx context.Context, command string, also ...int) (plan.Report, time.Duration, error) {
	begin := time.Now()
	r, err := d.hv.Exec(ctx, lab.Command{Argv: []string{"sessiondbd", command, "--json"}})
	took := time.Since(begin)
	var exit *lab.ExitError
	if errors.As(err, &exit) {
		for _, code := range also {
			if r.Code == code {
				err = nil
			}
		}
	}
	if err != nil {
		return plan.Report{}, took, err
	}
	var out plan.Report
	if err := json.Unmarshal([]byte(r.Stdout), &out); err != nil {
		return out, took, fmt.Errorf("sessiondbd %s --json: %w", command, err)
	}
	return out, took, nil
}

// outline lists changes by resource, one line each, with the first two of each in full.
func outline(changes []plan.Change) string {
	var b strings.Builder
	for len(changes) > 0 {
		n := 1
		for n < len(changes) && changes[n].Resource == changes[0].Resource {
			n++
		}
		fmt.Fprintf(&b, "\n%-34s %s", changes[0].Resource, changes[0].Field)
		if n > 1 {
			fmt.Fprintf(&b, ", %s", changes[1].Field)
		}
		if n > 2 {
			fmt.Fprintf(&b, " and %d more", n-2)
		}
		changes = changes[n:]
	}
	return b.String()
}

func ms(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

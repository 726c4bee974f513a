package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sessiondbd/internal/lab"
)

// documented is the password that the documentation tells the VMs.
const documented = "sessionpass123"

// start starts the service, which returns when the result is verified, and tells the journal's story.
func (d *demo) start(ctx context.Context) error {
	begin := time.Now()
	if _, err := d.hv.Run(ctx, "systemctl", "start", "sessiondbd"); err != nil {
		return err
	}
	took := time.Since(begin)
	changes, err := d.story(ctx)
	if err != nil {
		return err
	}
	if _, err := d.hv.Run(ctx, "sessiondbd", "status"); err != nil {
		return err
	}
	d.screen.good("returned after %s: verified, not only started", ms(took))
	d.remember("from nothing to a verified session database in %s, by `systemctl start sessiondbd`: %d changes, each logged with its reason", ms(took), changes)
	return nil
}

var told = regexp.MustCompile(`^(changed|warning) resource=(\S+) (?:.*?field=("[^"]*"|\S+) )?.*?summary="([^"]*)"`)

// story shows what the journal says, one line a resource, and counts the changes.
func (d *demo) story(ctx context.Context) (int, error) {
	out, err := d.hv.Run(ctx, "journalctl", "-o", "json", "-u", "sessiondbd")
	if err != nil {
		return 0, err
	}
	var b strings.Builder
	changes, resource := 0, ""
	for line := range strings.Lines(out) {
		var e struct {
			Message string `json:"MESSAGE"`
			Time    string `json:"__REALTIME_TIMESTAMP"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return 0, fmt.Errorf("journal: %w", err)
		}
		m := told.FindStringSubmatch(e.Message)
		if m == nil {
			continue
		}
		if m[1] == "changed" {
			changes++
		}
		if m[2] == resource && m[1] == "changed" {
			continue // the first of a resource is enough here
		}
		resource = m[2]
		us, _ := strconv.ParseInt(e.Time, 10, 64)
		fmt.Fprintf(&b, "%s %-7s %-34s %s\n", time.UnixMicro(us).UTC().Format("15:04:05.000"), m[1], resource, m[4])
	}
	if changes == 0 {
		return 0, fmt.Errorf("the journal tells of no change")
	}
	d.screen.line("journalctl -u sessiondbd, in short: the first change of each resource")
	d.screen.block(b.String())
	return changes, nil
}

// sessions lets each VM use the database with one of the documented clients.
func (d *demo) sessions(ctx context.Context) error {
	for i, vm := range d.hv.VMs() {
		c := d.clients[i%len(d.clients)]
		begin := time.Now()
		out, err := c.Run(ctx, vm)
		if err != nil {
			return fmt.Errorf("VM %d: %w", vm.Number, err)
		}
		words := strings.Fields(out)
		d.screen.good("VM %d → %s  %-8s  wrote and read session %s in %s", vm.Number, vm.Gateway, c.Name, words[len(words)-1], ms(time.Since(begin)))
	}
	wrong, err := d.ask(ctx, d.hv.VM(2), "wrong", "SELECT 1")
	if err == nil {
		return fmt.Errorf("a wrong password opens the database: %s", wrong)
	}
	d.screen.good("VM 2 with a wrong password: %v", err)
	n, err := d.hv.PSQL(ctx, "sessiondb", "SELECT count(*) FROM session")
	if err != nil {
		return err
	}
	d.screen.line("the hypervisor counts %s sessions", n)
	d.remember("five VMs wrote and read sessions with psql, psycopg2, node pg and pgx, just as the documentation says")
	return nil
}

// ask runs SQL as sessionuser from a VM; the error is what psql says.
func (d *demo) ask(ctx context.Context, vm *lab.Peer, password, sql string) (string, error) {
	r, err := vm.Exec(ctx, lab.Command{
		Argv: []string{"psql", "-XAtq", "-h", vm.Gateway, "-U", "sessionuser", "-d", "sessiondb", "-c", sql},
		Env:  []string{"PGPASSWORD=" + password, "PGCONNECT_TIMEOUT=3"},
	})
	if err != nil {
		said := strings.TrimSpace(r.Stderr)
		if _, after, ok := strings.Cut(said, "FATAL:  "); ok {
			said = after
		}
		if said != "" {
			return "", errors.New(firstLine(said))
		}
	}
	return strings.TrimSpace(r.Stdout), err
}

package lab

import (
	"context"
	"slices"
	"strings"
	"time"
)

// PSQL runs SQL as the administrator with the hypervisor's psql and returns unaligned rows.
func (h *Hypervisor) PSQL(ctx context.Context, db, sql string) (string, error) {
	r, err := h.Exec(ctx, Command{
		Argv:  append([]string{"runuser", "-u", "postgres", "--", "psql", "-d", db}, psqlFlags...),
		Stdin: strings.NewReader(sql),
	})
	return strings.TrimSuffix(r.Stdout, "\n"), err
}

// Journal returns what a unit logged, with the time in front; further arguments go to journalctl.
func (h *Hypervisor) Journal(ctx context.Context, unit string, args ...string) (string, error) {
	return h.Run(ctx, append([]string{"journalctl", "--no-pager", "-o", "short-iso-precise", "-u", unit}, args...)...)
}

// Shell is the command line with which root on the machine gets a shell in the hypervisor.
func (h *Hypervisor) Shell() string {
	return strings.Join(append(slices.Clone(h.enter), "bash", "-l"), " ")
}

// Failed lists the units that systemd counts as failed.
func (h *Hypervisor) Failed(ctx context.Context) ([]string, error) {
	out, err := h.Run(ctx, "systemctl", "list-units", "--failed", "--plain", "--no-legend")
	var units []string
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 0 {
			units = append(units, f[0])
		}
	}
	return units, err
}

// tail is the end of the journal, for reports of failures.
func (h *Hypervisor) tail(lines int) string {
	if h.init == 0 {
		return "(it is off)"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := h.Run(ctx, "journalctl", "--no-pager", "-o", "short-monotonic")
	if err != nil {
		return err.Error()
	}
	return lastLines(out, lines)
}

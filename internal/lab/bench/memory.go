package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// memoryGoals are in MiB; nearly all of a resident set is text of the program in the page cache.
var memoryGoals = []struct {
	part                string
	resident, anonymous float64
}{
	{"database", 16, 3},
	{"firewall", 13, 3},
}

// takeMemory reads what two daemons hold that have had nothing to do for a while.
func takeMemory(ctx context.Context, o options, t *table) error {
	return with(ctx, o, "memory", func(h *host) error {
		if err := h.run(h.ours(ctx, nil, "apply")); err != nil {
			return err
		}
		return h.running(ctx, "database", func(db *service) error {
			return h.running(ctx, "firewall", func(fire *service) error {
				progress("both daemons idle for %s", o.idle)
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(o.idle):
				}
				for i, s := range []*service{db, fire} {
					m, err := memory(s.cmd.Process.Pid)
					if err != nil {
						return err
					}
					g := memoryGoals[i]
					what := fmt.Sprintf("%s daemon after %s: ", g.part, o.idle)
					t.atMost(what+"resident", m["Rss"], "%.1f MiB", g.resident)
					t.atMost(what+"anonymous", m["Anonymous"], "%.1f MiB", g.anonymous)
				}
				return nil
			})
		})
	})
}

// memory is what the kernel counts of a process, in MiB (proc_pid_smaps_rollup(5)).
func memory(pid int) (map[string]float64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	m := map[string]float64{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, rest, ok := strings.Cut(lines.Text(), ":")
		var kib float64
		if _, err := fmt.Sscan(rest, &kib); ok && err == nil {
			m[name] = kib / 1024
		}
	}
	return m, lines.Err()
}

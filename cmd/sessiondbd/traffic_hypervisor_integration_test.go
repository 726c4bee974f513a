//go:build integration

package main

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// traffic is what the VMs do while something happens to the hypervisor: one connection each that is held and used, and one
// after the other that is opened.
type traffic struct {
	held, fresh []*lab.Process
	guard       *lab.Process
}

func startTraffic(t *testing.T, h *lab.Hypervisor) traffic {
	t.Helper()
	psql := realPSQL(t)
	var tr traffic
	for _, vm := range h.VMs() {
		env := []string{"PGHOST=" + vm.Gateway, "PGUSER=sessionuser", "PGDATABASE=sessiondb", "PGPASSWORD=" + documented, "PGCONNECT_TIMEOUT=5"}
		held, err := vm.StartCommand(t.Context(), lab.Command{Argv: []string{psql, "-XAt", "-v", "ON_ERROR_STOP=1", "-f", "-"}, Env: env, Stdin: strings.NewReader("SELECT 'held' \\watch 0.05\n")})
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := vm.StartCommand(t.Context(), lab.Command{Env: env, Argv: []string{"sh", "-c", `while :; do
			if out=$("$0" -XAtqc "INSERT INTO session DEFAULT VALUES RETURNING 'fine'" 2>&1) && [ "$out" = fine ]; then echo "ok $(date +%s%N)"; else echo "FAIL $out"; fi
			sleep 0.02; done`, psql}})
		if err != nil {
			t.Fatal(err)
		}
		tr.held, tr.fresh = append(tr.held, held), append(tr.fresh, fresh)
	}
	var err error
	tr.guard, err = h.Start(t.Context(), "sh", "-c", `while :; do
		iptables -w -t mangle -S SESSIONDB-GUARD >/dev/null && ip6tables -w -t mangle -S SESSIONDB-GUARD >/dev/null && echo there || echo GONE
		sleep 0.02; done`)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	return tr
}

// end stops the traffic and judges it: what was held and what was opened, before begin and since.
func (tr traffic) end(t *testing.T, begin time.Time) {
	t.Helper()
	time.Sleep(500 * time.Millisecond)
	for i, p := range tr.held {
		select {
		case <-p.Done():
			t.Errorf("the held connection of VM %d broke:\n%s", i+1, lastLine(p.Output()))
		default:
		}
		before := len(p.Output())
		time.Sleep(150 * time.Millisecond)
		if len(p.Output()) == before {
			t.Errorf("the held connection of VM %d gets no answers any more", i+1)
		}
	}
	count := 0
	var before, since time.Duration // longest between two connections of one VM
	for i, p := range tr.fresh {
		_ = p.Kill()
		var last int64
		for line := range strings.Lines(p.Output()) {
			stamp, ok := strings.CutPrefix(strings.TrimSpace(line), "ok ")
			at, err := strconv.ParseInt(stamp, 10, 64)
			if !ok || err != nil {
				t.Errorf("a new connection of VM %d: %s", i+1, line)
				continue
			}
			if gap := time.Duration(at - last); last > 0 && at < begin.UnixNano() {
				before = max(before, gap)
			} else if last > 0 {
				since = max(since, gap)
			}
			last = at
			count++
		}
	}
	for _, p := range append(slices.Clone(tr.held), tr.guard) {
		_ = p.Kill()
	}
	if out := tr.guard.Output(); strings.Contains(out, "GONE") || !strings.Contains(out, "there") {
		t.Errorf("the rules were gone meanwhile:\n%s", out)
	}
	t.Logf("%d new connections; at most %s between two of a VM, %s before", count, since.Round(time.Millisecond), before.Round(time.Millisecond))
	if count < 50 {
		t.Errorf("only %d new connections: that proves nothing", count)
	}
}

// realPSQL is the program behind Debian's wrapper, which takes a tenth of a second.
func realPSQL(t *testing.T) string {
	t.Helper()
	all, err := filepath.Glob("/usr/lib/postgresql/*/bin/psql")
	if err != nil || len(all) == 0 {
		t.Fatalf("no psql below /usr/lib/postgresql: %v; run: make setup", err)
	}
	return all[len(all)-1]
}

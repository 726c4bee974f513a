//go:build integration

package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// The daemon through its commands: it tells what it verified, lets an apply beside it, says when PostgreSQL is away, and
// ends with 0.
func TestRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.want(3, []string{"status"}, "not running")
	p, err := s.ns.StartCommand(t.Context(), s.command("--log-format", "text", "run"))
	s.must(err)
	t.Cleanup(func() { _ = p.Kill() })
	status := func(code int) func() bool { return func() bool { return s.run("status").code == code } }
	eventually(t, "converged", 10*time.Second, status(0))
	s.want(0, []string{"status"}, "converged", "schema 0004", "1/1 roles", "2/2 networks", "documented initial password")
	rows := s.insert()
	if !s.guarded() {
		t.Error("the firewall is not there")
	}
	for _, only := range [][]string{{"status", "--json"}, {"status", "--json", "--only", "database"}} {
		r := s.want(0, only)
		if doc, err := onlyDocument(r.stdout); err != nil || doc["state"] != "converged" || r.stderr != "" {
			t.Errorf("%v: %v %v %s", only, doc, err, r.stderr)
		}
	}
	facts := strings.Join(strings.Fields(s.run("status", "--json").stdout), "")
	for _, want := range []string{`"facts":{"initial_passwords":1,"networks":2,"networks_admitted":2,"schema_version":4}`, `"facts":{"networks":2,"networks_admitted":2}`, `"migration":{"run":4}`} {
		if !strings.Contains(facts, want) {
			t.Errorf("no %s: %s", want, facts)
		}
	}
	s.sql("sessiondb", "DROP INDEX idx_session_parent")
	s.apply() // whoever is first
	s.must(s.Stop(t.Context()))
	eventually(t, "said to be away", 15*time.Second, func() bool { // at first the server itself says that it is shutting down
		r := s.run("status")
		return r.code == 1 && strings.Contains(r.stdout, "PostgreSQL is not running")
	})
	s.must(s.Start(t.Context()))
	eventually(t, "converged again", 15*time.Second, status(0))
	s.must(syscall.Kill(p.PID(), syscall.SIGTERM))
	if err := p.Wait(t.Context()); err != nil {
		t.Errorf("run after SIGTERM: %v", err)
	}
	s.want(3, []string{"status"}, "not running")
	s.noSecret("run", p.Output())
	if got := s.rows(); got != rows {
		t.Errorf("the rows changed: %s, were %s", got, rows)
	}
	if !s.guarded() {
		t.Error("stopping opened the door")
	}
	s.want(0, []string{"remove"}, "removed")
	s.want(0, []string{"remove"}, "in sync")
	if rules, err := s.ns.Run(t.Context(), "nft", "list", "ruleset"); err != nil || strings.Contains(rules, "SESSIONDB") {
		t.Errorf("left behind: %v\n%s", err, rules)
	}
}

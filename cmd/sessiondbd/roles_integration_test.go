//go:build integration

package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/plan"
)

const moreRoles = `  - {name: reporting, password: {initial: r3port}, access: readonly, connection_limit: 3, temp_file_limit: 1MB, statement_timeout: 1500ms, networks: [vm2]}
  - {name: retired, password: {initial: r3tired}, access: none, temp_file_limit: -1, networks: []}
`

// One role an application, with no more than it needs: each from its own networks, within its own limits. One that leaves
// the config is reported, and keeps what it has.
func TestMoreRoles(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	one := fmt.Sprintf(siteConfig, s.connection(), "postgres")
	s.configure(strings.Replace(one, "networks:\n", moreRoles+"networks:\n", 1))
	s.apply()
	text := strings.Join(strings.Fields(s.read(filepath.Join(s.DataDir, "pg_hba.conf"))), " ")
	for line, there := range map[string]bool{
		"sessionuser 10.1.0.0/24": true, "sessionuser 10.2.0.0/24": true, "reporting 10.2.0.0/24": true, "reporting 10.1.0.0/24": false, "retired 10.": false,
	} {
		if strings.Contains(text, "host sessiondb "+line) != there {
			t.Errorf("pg_hba.conf: %s: want %t in\n%s", line, there, text)
		}
	}
	login := func(role, password, gateway, sql, says string) {
		t.Helper()
		r, err := s.ns.Exec(t.Context(), lab.Command{
			Env:  []string{"PGPASSWORD=" + password},
			Argv: []string{"psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql, "host=" + gateway + " dbname=sessiondb user=" + role},
		})
		if got := r.Stdout + r.Stderr; !strings.Contains(got, says) || (err == nil) != (r.Stderr == "") {
			t.Errorf("%s at %s: %s: %s, %v; want %s", role, gateway, sql, got, err, says)
		}
	}
	const limits = "SELECT current_setting('temp_file_limit'), current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')"
	login("sessionuser", documentedPassword, "10.1.0.1", limits, "256MB|0|0")
	login("reporting", "r3port", "10.2.0.1", limits, "1MB|1500ms|0")
	login("reporting", "r3port", "10.1.0.1", limits, "pg_hba.conf rejects")
	login("reporting", "r3port", "10.2.0.1", "SELECT count(*) FROM session", "0")
	login("reporting", "r3port", "10.2.0.1", "DELETE FROM session", "permission denied for table session")
	login("retired", "r3tired", "10.2.0.1", limits, "pg_hba.conf rejects")

	s.configure(one)
	rep, r := s.report("apply")
	r.check(t, "apply", exitOK)
	if !rep.InSync || slices.ContainsFunc(rep.Changes, func(c plan.Change) bool { return c.Resource != "hba" }) {
		t.Errorf("without them: %+v", rep)
	}
	for _, name := range []string{"reporting", "retired"} {
		if !slices.ContainsFunc(rep.Warnings, func(w plan.Warning) bool {
			return w.Resource == "role/"+name && strings.Contains(w.Summary, "no longer declares it")
		}) {
			t.Errorf("%s is not reported: %+v", name, rep.Warnings)
		}
	}
	if got := s.sql("sessiondb", "SELECT count(*), has_table_privilege('reporting', 'session', 'SELECT') FROM pg_roles WHERE rolname IN ('reporting', 'retired') AND rolcanlogin"); got != "2|t" {
		t.Errorf("the roles: %s", got)
	}
	s.configure(strings.Replace(one, "networks:\n", moreRoles+"networks:\n", 1))
	s.apply()
}

//go:build integration

package main

import (
	"os"
	"strings"
	"testing"

	"sessiondbd/internal/lab"
)

// On another cluster than the remembered one nothing is touched, neither a file nor a role: database.url may lead to
// somebody else's server.
func TestAnotherCluster(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	identity := s.read("state/identity.json")
	s.sql("postgres", "DROP DATABASE sessiondb")
	s.sql("postgres", "DROP ROLE sessionuser; DROP ROLE sessiondb_owner")
	s.must(os.Remove(s.path("conf.d/sessiondbd.conf")))
	s.write("state/identity.json", replaceCluster(identity, "7000000000000000001"))
	before := s.files()
	for _, command := range []string{"plan", "apply"} {
		rep, r := s.report(command)
		r.check(t, command, exitRefused, "another cluster", "--accept-new-database")
		for _, c := range rep.Changes {
			if !strings.HasPrefix(c.Resource, "firewall/") {
				t.Errorf("%s changes %s", command, c.Resource)
			}
		}
		if !blocked(rep, "server/settings") || !blocked(rep, "role/sessiondb_owner") {
			t.Errorf("%s: blocked %+v", command, rep.Blocked)
		}
	}
	if roles := s.sql("postgres", "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'session%'"); roles != "0" || s.files() != before {
		t.Errorf("%s roles were made, files changed: %v", roles, s.files() != before)
	}
	s.want(exitOK, []string{"apply", "--accept-new-database"}, "in sync")
	s.inSync()
}

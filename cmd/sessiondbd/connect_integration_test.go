//go:build integration

package main

import (
	"strings"
	"testing"

	"sessiondbd/internal/lab"
)

// plainRun runs the binary where a password may be printed.
func (s *site) plainRun(args ...string) result {
	s.t.Helper()
	r, err := s.ns.Exec(s.t.Context(), s.command(args...))
	if lab.ExitCode(err) < 0 {
		s.t.Fatal(err)
	}
	return result{r.Stdout, r.Stderr, r.Code}
}

// Where a password is known it is shown on demand; where only its verifier is, nothing pretends otherwise.
func TestConnectInfoPasswords(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	show := []string{"connect-info", "vm2", "--format", "url", "--show-password"}
	check := func(what, stdout string, says ...string) {
		t.Helper()
		r := s.plainRun(show...)
		r.check(t, what, exitOK, says...)
		if strings.TrimSpace(r.stdout) != stdout {
			t.Errorf("%s: %s, want %s", what, r.stdout, stdout)
		}
	}
	const unknown = "postgres://sessionuser:PASSWORD@10.2.0.1:5432/sessiondb"
	check("before the first apply", unknown, "not known")
	s.apply()
	check("the initial one", "postgres://sessionuser:"+documentedPassword+"@10.2.0.1:5432/sessiondb")
	s.want(exitOK, show[:len(show)-1], "initial one of the config", "--show-password prints it", "PASSWORD")
	s.sql("postgres", "ALTER ROLE sessionuser PASSWORD 'somebody''s'")
	check("somebody's own", unknown, "PASSWORD stands for the password, which is not known", "somebody has set one")

	s.write("password", "from a file")
	config := strings.Replace(s.read("config.yaml"), "credential: none-such", "file: password", 1)
	s.configure(config)
	check("a file's that is not in force yet", "postgres://sessionuser:from%20a%20file@10.2.0.1:5432/sessiondb", "sudo sessiondbd apply --only database")
	s.apply()
	check("a file's", "postgres://sessionuser:from%20a%20file@10.2.0.1:5432/sessiondb")
	if r := s.plainRun(show...); r.stderr != "" {
		t.Errorf("notes on what is all right: %s", r.stderr)
	}
	s.must(s.Stop(t.Context()))
	check("PostgreSQL is down, the file is not", "postgres://sessionuser:from%20a%20file@10.2.0.1:5432/sessiondb")
	s.configure(strings.Replace(config, "file: password", "credential: none-such", 1))
	check("PostgreSQL is down, and only it could tell", unknown, "cannot be asked")

	s.want(exitUsage, []string{"connect-info", "vm9"}, `no network "vm9"; it has vm1, vm2`)
	s.want(exitUsage, []string{"connect-info"}, "accepts 1 arg")
	s.want(exitUsage, []string{"connect-info", "vm1", "--format", "jdbc"}, "must be one of psql, url, env, psycopg2, node, go")
	s.want(exitUsage, []string{"connect-info", "vm1", "--role", "nobody"}, "the config has no such role")
	s.configure(strings.Replace(config, "networks:", "  - {name: reporting, networks: [vm1], access: readonly}\n  - {name: shut, access: none}\nnetworks:", 1))
	s.want(exitOK, []string{"connect-info", "vm1", "--role", "reporting"}, "-U reporting")
	s.want(exitRefused, []string{"connect-info", "vm2", "--role", "reporting"}, "reporting may not come from vm2")
	s.want(exitRefused, []string{"connect-info", "vm2", "--role", "shut"}, "roles[].access")
}

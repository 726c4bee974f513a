//go:build integration

package main

import (
	"fmt"
	"maps"
	"strings"
	"syscall"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// talkative is a server that writes down whatever it can.
var talkative = map[string]string{
	"log_statement": "all", "log_min_duration_statement": "0", "log_min_duration_sample": "0", "log_statement_sample_rate": "1",
	"log_transaction_sample_rate": "1", "log_duration": "on", "log_min_error_statement": "debug5", "log_min_messages": "debug1",
	"log_parameter_max_length": "-1", "log_parameter_max_length_on_error": "-1", "log_lock_waits": "on", "deadlock_timeout": "10ms",
	"log_parser_stats": "on", "log_planner_stats": "on", "log_executor_stats": "on",
	"debug_print_parse": "on", "debug_print_rewritten": "on", "debug_print_plan": "on",
	"shared_preload_libraries": "pg_stat_statements,auto_explain", "pg_stat_statements.track": "all", "pg_stat_statements.track_utility": "on",
	"auto_explain.log_min_duration": "0", "auto_explain.log_nested_statements": "on", "track_activity_query_size": "16384",
}

// No password, no verifier and no part of one comes to light anywhere while passwords are set, fail to be set, and are
// rotated; and what sends the same statement without our care is caught in every one of these places.
func TestNobodyTalks(t *testing.T) {
	for _, major := range lab.Majors() {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			t.Parallel()
			bin := lab.BindirT(t, major)
			s := newSite(t, lab.ClusterOptions{Bindir: bin, Settings: talkative})
			s.sql("postgres", "CREATE EXTENSION pg_stat_statements")
			l := &leakTest{site: s, secrets: map[string]string{"the prefix": "SCRAM-SHA-256$4096"}}
			l.watch(t, s.URL("postgres"), func(cmdline string) bool {
				return strings.Contains(cmdline, s.path("config.yaml")) || strings.Contains(cmdline, s.path("leak-twin"))
			})
			l.set()
			l.fail()
			l.rotate()
			l.collect()
			if found := l.find(l.secrets); len(found) > 0 {
				t.Errorf("secrets came to light: %v", found)
			}
			if log := s.Log(); !strings.Contains(log, "CREATE TABLE") || !strings.Contains(log, "canceling statement due to lock timeout") {
				t.Error("the server does not log what is asked of it")
			}
			l.twin()
		})
	}
}

type leakTest struct {
	*site
	sinks
	secrets map[string]string
}

// run executes a command with its most talkative log and keeps what it says.
func (l *leakTest) run(code int, args ...string) {
	l.t.Helper()
	for _, format := range []string{"text", "json"} {
		r := l.site.run(append(args, "--log-level", "debug", "--log-format", format)...)
		if format == "text" {
			r.check(l.t, strings.Join(args, " "), code)
		}
		l.add("our output", r.stdout, r.stderr)
	}
}

// stored notes the verifier that is in force.
func (l *leakTest) stored(name string) {
	l.t.Helper()
	maps.Copy(l.secrets, verifierParts(l.t, name, l.sql("postgres", "SELECT rolpassword FROM pg_authid WHERE rolname = 'sessionuser'")))
}

// set sets the initial password, then the one of a file.
func (l *leakTest) set() {
	l.configure(strings.Replace(l.read("config.yaml"), documentedPassword, "initial-of-the-test", 1))
	l.run(exitPending, "plan", "--json")
	l.run(exitOK, "apply", "--json")
	l.stored("initial")
	l.write("password", "first of the file\n")
	l.configure(strings.Replace(l.read("config.yaml"), "credential: none-such", "file: password", 1))
	l.run(exitPending, "plan", "--json", "--only", "database")
	l.run(exitOK, "apply", "--json")
	l.stored("first")
	l.secrets["initial password"], l.secrets["first password"] = "initial-of-the-test", "first of the file"
	l.run(exitOK, "config", "show")
	l.run(exitOK, "config", "check")
}

// fail has an error in the transaction of the ALTER: somebody holds the role's row for longer than we wait.
func (l *leakTest) fail() {
	l.write("password", "second of the file")
	l.secrets["second password"] = "second of the file"
	conn := l.dial("postgres")
	_, err := conn.Exec(l.t.Context(), "BEGIN; UPDATE pg_authid SET rolconnlimit = rolconnlimit WHERE rolname = 'sessionuser'").ReadAll()
	l.must(err)
	p, err := l.ns.StartCommand(l.t.Context(), l.command("apply", "--log-level", "debug", "--log-format", "text"))
	l.must(err)
	eventually(l.t, "an error in its transaction", 20*time.Second, func() bool { return strings.Contains(l.Log(), "canceling statement due to lock timeout") })
	_, err = conn.Exec(l.t.Context(), "ROLLBACK").ReadAll()
	l.must(err)
	l.must(p.Wait(l.t.Context()))
	l.add("our output", p.Output())
	l.stored("second")
}

// rotate has the daemon do it, on a reload.
func (l *leakTest) rotate() {
	c := l.command("run", "--only", "database", "--log-level", "debug", "--log-format", "text")
	c.Argv = append([]string{"setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"}, c.Argv...)
	p, err := l.ns.StartCommand(l.t.Context(), c)
	l.must(err)
	l.t.Cleanup(func() { _ = p.Kill() })
	eventually(l.t, "converged", 20*time.Second, func() bool { return l.site.run("status", "--only", "database").code == exitOK })
	l.write("password", "third of the file")
	l.secrets["third password"] = "third of the file"
	l.want(exitOK, []string{"internal-reload", "--only", "database", "--pid", fmt.Sprint(p.PID())})
	l.stored("third")
	l.run(exitOK, "status", "--json", "--only", "database")
	l.collectFiles()
	l.must(syscall.Kill(p.PID(), syscall.SIGTERM))
	l.must(p.Wait(l.t.Context()))
	l.add("our output", p.Output())
}

func (l *leakTest) collectFiles() {
	l.below(l.t, "state files", l.path("state"))
	l.below(l.t, "state files", l.path("run"))
}

func (l *leakTest) collect() {
	l.collectFiles()
	l.add("server log", l.Log())
	l.add("pg_stat_statements", strings.Split(l.sql("postgres", "SELECT query FROM pg_stat_statements"), "\n")...)
}

// twin leaves another verifier in each place, in the way in which ours would be without care.
func (l *leakTest) twin() {
	secrets := map[string]string{}
	const twin = "SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$a3xxLjWZ3ChkPyGf1DWIVU7XN9Tn5VbTuTkkOnQ4g4o=:G1ikSzJtDkZ0vIKZrWgBVGnZ8GbhHdmSWLB4FSZkQwQ="
	maps.Copy(secrets, verifierParts(l.t, "twin", twin))
	conn := l.dial("postgres")
	_, err := conn.Exec(l.t.Context(), "ALTER ROLE sessionuser PASSWORD '"+twin+"'").ReadAll()
	l.must(err)
	// The watchers have their turns when the machine is busy, too.
	eventually(l.t, "the twin's statement is seen", 20*time.Second, func() bool {
		_, err = conn.Exec(l.t.Context(), "ALTER ROLE sessionuser PASSWORD '"+twin+"'; SELECT pg_sleep(0.5)").ReadAll()
		l.must(err)
		return l.find(secrets)["pg_stat_activity"] != ""
	})
	p, err := l.ns.StartCommand(l.t.Context(), lab.Command{Argv: []string{"sh", "-c", "sleep 30; :", l.path("leak-twin"), twin}, Env: []string{"TWIN=" + twin}})
	l.must(err)
	eventually(l.t, "the twin's process is seen", 20*time.Second, func() bool {
		found := l.find(secrets)
		return found["cmdline"] != "" && found["environ"] != ""
	})
	l.must(p.Kill())
	l.write("state/twin", twin)
	l.add("our output", "twin: "+twin)
	l.collect()
	found := l.find(secrets)
	for _, place := range l.places() {
		if found[place] == "" {
			l.t.Errorf("%s: what leaks is not caught there", place)
		}
	}
	if len(found) != 7 {
		l.t.Errorf("only these places were looked at: %v", l.places())
	}
}

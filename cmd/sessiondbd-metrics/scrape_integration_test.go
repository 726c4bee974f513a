//go:build integration

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"sessiondbd/internal/daemon"
	"sessiondbd/internal/lab"
)

// stand is a server with the legacy database, state files of daemons that run, and the metrics of both.
type stand struct {
	*testing.T
	*lab.Cluster
	run, url string
}

func newStand(t *testing.T) *stand {
	t.Helper()
	s := &stand{T: t, Cluster: lab.ClusterT(t, lab.ClusterOptions{LegacyRows: true}), run: t.TempDir()}
	t.Setenv("SESSIONDBD_RUN_DIR", s.run)
	config := filepath.Join(t.TempDir(), "config.yaml")
	s.must(os.WriteFile(config, fmt.Appendf(nil, "database: {url: %q}\n", s.URL("postgres")), 0o644))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.url = "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- serve(ctx, []net.Listener{l}, options{config: config, configSet: true}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

func (s *stand) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *stand) sql(text string) string {
	s.Helper()
	out, err := s.PSQL(s.Context(), "sessiondb", text)
	s.must(err)
	return strings.TrimSpace(out)
}

// daemon writes the state of a part as one that runs does; this test is the process.
func (s *stand) daemon(part string, edit func(*daemon.State)) {
	s.Helper()
	st := daemon.State{
		Part: part, PID: os.Getpid(), Started: time.Now(), State: daemon.Converged, LastPass: daemon.Pass{At: time.Now(), Seconds: 0.25},
		Counts: daemon.Counts{Passes: 7, Failed: 2, Changes: map[string]map[string]int{"role": {"update": 3}}, Repairs: 4, Opponents: map[string]int{"nft": 4}},
		Facts: map[string]int{
			"networks": 5, "networks_admitted": 4, "schema_version": 4, "initial_passwords": 1,
			"backup_failed": 0, "backup_unfit": 0, "backups_kept": 14, "backup_time": 1795400000, "backup_bytes": 123456, "backup_sessions": 1204, "backup_verified_time": 1795300000,
		},
		Items: []daemon.Resource{{Name: "hba", State: "refused"}},
	}
	edit(&st)
	b, err := json.Marshal(st)
	s.must(err)
	s.must(os.MkdirAll(filepath.Join(s.run, part), 0o755))
	s.must(os.WriteFile(filepath.Join(s.run, part, "status.json"), b, 0o644))
}

// scrape asks once, and is answered in time whatever is the matter.
func (s *stand) scrape() string {
	s.Helper()
	began := time.Now()
	r, err := http.Get(s.url + "/metrics")
	s.must(err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	s.must(err)
	if r.StatusCode != http.StatusOK {
		s.Fatalf("%s\n%s", r.Status, b)
	}
	if took := time.Since(began); took > answerTime {
		s.Errorf("answered after %s", took)
	}
	return string(b)
}

// says requires lines in a scrape, and others not to be there.
func (s *stand) says(text string, lines ...string) {
	s.Helper()
	for _, line := range lines {
		line, not := strings.CutPrefix(line, "!")
		if strings.Contains("\n"+text, "\n"+line) == not {
			s.Errorf("%q: want it %v\n%s", line, !not, text)
		}
	}
}

// holds has a client run statements and then stay connected.
func (s *stand) holds(sql string) *lab.Process {
	s.Helper()
	var machine lab.Place
	p, err := machine.StartCommand(s.Context(), lab.Command{
		Argv:  []string{filepath.Join(s.Bindir, "psql"), "-XAtq", s.URL("sessiondb")},
		Stdin: strings.NewReader(sql + "\n\\! sleep 600\n"),
	})
	s.must(err)
	s.Cleanup(func() { _ = p.Kill() })
	return p
}

// until scrapes until the lines are there: an answer may be a second old, a count 15.
func (s *stand) until(line string) string {
	s.Helper()
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if text := s.scrape(); strings.Contains("\n"+text, "\n"+line) {
			return text
		} else if time.Now().After(deadline) {
			s.Fatalf("no %s\n%s", line, text)
		}
	}
}

func TestScrape(t *testing.T) {
	s := newStand(t)
	same := func(*daemon.State) {}
	s.daemon("database", same)
	s.daemon("firewall", same)
	text := s.scrape()
	for _, m := range all {
		if !strings.Contains(text, "\n"+m.name) {
			t.Errorf("%s is not among what is answered", m.name)
		}
	}
	for name := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' }) {
		if name = regexp.MustCompile(`^[a-z_]*`).FindString(name); name != "" && !strings.Contains(read(t, deploy+"doc/metrics.md"), "| `"+name+"` |") {
			t.Errorf("%s is not documented", name)
		}
	}
	s.says(text, `sessiondbd_build_info{commit="unknown",goversion="go`, `sessiondbd_up{part="database"} 1`, `sessiondbd_up{part="table"} 1`,
		`sessiondbd_changes_total{action="update",part="database",resource="role"} 3`, `sessiondbd_drift_total{part="firewall",resource="firewall"} 0`,
		`sessiondbd_opponent_repairs_total{part="firewall",program="nft"} 4`, `sessiondbd_resources{part="database",state="refused"} 1`,
		`sessiondbd_state{part="database",state="converged"} 1`, `sessiondbd_state{part="database",state="paused"} 0`,
		`sessiondbd_schema_version 4`, `sessiondbd_initial_passwords 1`, `sessiondbd_network_connections_limit 16`, `sessiondbd_connections{network="vm5"} 0`)
	rows := s.sql("SELECT string_agg(format('sessiondbd_sessions{status=\"%s\"} %s', coalesce(st, 'none'), n), E'\n') FROM (SELECT inbox_status::text AS st, count(*) AS n FROM session GROUP BY 1) x")
	s.says(text, strings.Split(rows, "\n")...)
	s.says(text, "sessiondbd_server_connections_limit "+s.sql("SHOW max_connections"), "sessiondbd_child_sessions "+s.sql("SELECT count(*) FROM session WHERE parent IS NOT NULL"))
	if !strings.Contains(rows, `"pending"`) {
		t.Errorf("a database without rows proves nothing: %s", rows)
	}
	// Who is there, by where from and what they do.
	s.holds("BEGIN;\nSELECT 1;")
	text = s.until(`sessiondbd_connections_by_state{state="idle_in_transaction"} 1`)
	s.says(text, `sessiondbd_connections{network="host"} 1`, `sessiondbd_slow_queries 0`, `sessiondbd_long_transactions 0`)
}

// Nobody who can put something in the place of the table has it run with a superuser's rights; and nothing is written.
func TestScrapeGivesUpItsRights(t *testing.T) {
	s := newStand(t)
	s.sql("ALTER TABLE session ENABLE ROW LEVEL SECURITY") // which hides nothing from an administrator
	s.says(s.until(`sessiondbd_up{part="table"} 1`), "sessiondbd_child_sessions 0", `sessiondbd_sessions{status="completed"} 0`)
}

// What is called session and executes something is not counted: rights that were given up can be taken back by what is executed.
func TestScrapeExecutesNothing(t *testing.T) {
	for _, sql := range []string{
		"CREATE POLICY p ON session USING (evil()); ALTER TABLE session ENABLE ROW LEVEL SECURITY",
		"ALTER TABLE session RENAME TO other; CREATE VIEW public.session AS SELECT * FROM other WHERE evil()",
	} {
		s := newStand(t)
		s.sql("CREATE FUNCTION evil() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE LOG 'evil is executed by %', current_user; RETURN true; END $$; " + sql)
		s.says(s.until(`sessiondbd_up{part="postgresql"} 1`), `sessiondbd_up{part="table"} 0`)
		if strings.Contains(s.Log(), "evil is executed") {
			t.Error("what hangs on the table was executed")
		}
	}
}

// Whatever is the matter with PostgreSQL or the daemons, there is an answer in time with what is known.
func TestScrapeWithoutHelp(t *testing.T) {
	s := newStand(t)
	s.says(s.until(`sessiondbd_up{part="postgresql"} 1`), `sessiondbd_up{part="database"} 0`, `sessiondbd_up{part="firewall"} 0`, "!sessiondbd_converged", "!sessiondbd_passes_total")
	s.daemon("firewall", func(st *daemon.State) { st.State = daemon.Degraded })
	s.daemon("database", func(st *daemon.State) { st.BootID = strings.Repeat("0", 32) }) // of another boot
	s.says(s.scrape(), `sessiondbd_up{part="database"} 0`, `sessiondbd_up{part="firewall"} 1`, `sessiondbd_converged{part="firewall"} 0`, `!sessiondbd_converged{part="database"}`)

	s.must(syscall.Kill(s.PID(), syscall.SIGSTOP))
	hung := s.until(`sessiondbd_up{part="postgresql"} 0`)
	s.must(syscall.Kill(s.PID(), syscall.SIGCONT))
	s.says(hung, `sessiondbd_up{part="table"} 0`, `sessiondbd_up{part="firewall"} 1`, "!sessiondbd_sessions", "!sessiondbd_connections", "!sessiondbd_database_size_bytes")
	s.until(`sessiondbd_up{part="table"} 1`)

	s.must(s.Stop(t.Context()))
	s.says(s.until(`sessiondbd_up{part="postgresql"} 0`), "!sessiondbd_sessions")
	s.must(s.Start(t.Context()))

	// Locked: who is there is known all the same.
	p := s.holds("BEGIN;\nLOCK TABLE session;")
	for s.sql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'session'::regclass AND granted") != "1" {
		time.Sleep(10 * time.Millisecond)
	}
	s.says(s.until(`sessiondbd_up{part="postgresql"} 1`), `sessiondbd_up{part="table"} 0`, `sessiondbd_connections{network="host"} 1`, "!sessiondbd_sessions")
	s.must(p.Kill())

	// Paused: PostgreSQL is not asked.
	s.daemon("database", func(st *daemon.State) { st.State = daemon.Paused })
	s.says(s.scrape(), `sessiondbd_state{part="database",state="paused"} 1`, `!sessiondbd_up{part="postgresql"}`, "!sessiondbd_connections")
}

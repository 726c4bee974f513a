//go:build integration

package schema

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// A pass is killed at every boundary between two of its messages to the server; the next one converges unaided.
//
// The process that dies is this test binary, started again with the environment below.
const (
	crashURL    = "SESSIONDBD_TEST_CRASH_URL"
	crashMemory = "SESSIONDBD_TEST_CRASH_MEMORY"
	crashAt     = "SESSIONDBD_TEST_CRASH_AT"  // the boundary, from 0
	crashWhom   = "SESSIONDBD_TEST_CRASH_WHO" // process or backend; empty: nobody, count the boundaries
)

func TestMain(m *testing.M) {
	if os.Getenv(crashURL) != "" {
		os.Exit(crashChild())
	}
	os.Exit(m.Run())
}

// crashChild runs one pass and dies, or ends its backend, at a boundary. It prints how many boundaries it saw.
func crashChild() int {
	at, _ := strconv.Atoi(os.Getenv(crashAt))
	who := os.Getenv(crashWhom)
	want, err := Embedded()
	if err != nil {
		return 2
	}
	target, err := postgres.NewTarget(os.Getenv(crashURL), "sessiondb")
	if err != nil {
		return 2
	}
	h := &host{target: target, goal: Goal{Expected: want, Database: "sessiondb", Owner: "sessiondb_owner", Roles: []string{"sessionuser"}}, memory: Memory{os.Getenv(crashMemory)}}
	n := 0
	h.boundary = func(pid uint32) {
		if n == at && who == "process" {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		if n == at && who == "backend" {
			_ = syscall.Kill(int(pid), syscall.SIGKILL)
		}
		n++
	}
	out := plan.Converge(context.Background(), h, func(plan.Change) {})
	_ = json.NewEncoder(os.Stdout).Encode(n)
	if out.Err() != nil {
		return 1
	}
	return 0
}

func (h *host) crash(t *testing.T, url, who string, at int) (boundaries int, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashURL+"="+url, crashMemory+"="+h.memory.Path, crashAt+"="+strconv.Itoa(at), crashWhom+"="+who)
	out, err := cmd.Output()
	_ = json.Unmarshal(out, &boundaries)
	return boundaries, err
}

// worlds are the starting points: a cold server, the oneshot's database, and one with each repair that there is.
var worlds = []struct{ name, sql string }{
	{"cold", ""},
	{"oneshot", "SELECT"},
	{"every repair", `ALTER TABLE session ALTER id DROP DEFAULT, ALTER messages SET NOT NULL, DROP COLUMN sbx_config, DROP CONSTRAINT session_parent_fkey;
		DROP INDEX idx_session_inbox_status; ALTER INDEX idx_session_parent RENAME TO other;
		DROP FUNCTION update_updated_at_column() CASCADE; ALTER TABLE session OWNER TO sessionuser`},
}

func crashWorld(t *testing.T, sql string) (*lab.Cluster, *host) {
	t.Helper()
	c := lab.ClusterT(t, lab.ClusterOptions{LegacyRows: sql != "", Settings: map[string]string{"synchronous_commit": "on"}}) // a crash must not take the fixture along
	h := newHost(t, c)
	if sql != "" {
		psql(t, c, "UPDATE session SET messages = '{}' WHERE messages IS NULL; "+sql)
	}
	return c, h
}

// sample is how many boundaries a world is killed at for each victim; 0: all of them, as `make soak` does.
func sample(t *testing.T) int {
	if os.Getenv("SESSIONDBD_SOAK") != "" {
		return 0
	}
	return 7 // 3 worlds × 2 victims × 7 = 42
}

func TestKilledAnywhere(t *testing.T) {
	tried := 0
	for _, w := range worlds {
		_, h := crashWorld(t, w.sql)
		all, err := h.crash(t, h.url, "", -1)
		if err != nil || all < 8 {
			t.Fatalf("%s: %d boundaries, %v", w.name, all, err)
		}
		want := h.catalogue(t)
		points := spread(all, sample(t))
		t.Logf("%s: %d boundaries, killed at %d of them, process and backend", w.name, all, len(points))
		for _, who := range []string{"process", "backend"} {
			for _, at := range points {
				tried++
				t.Run(fmt.Sprintf("%s/%s/%d", w.name, who, at), func(t *testing.T) {
					t.Parallel()
					killed(t, w.sql, who, at, want)
				})
			}
		}
	}
	t.Logf("%d kills", tried)
}

func killed(t *testing.T, sql, who string, at int, want string) {
	c, h := crashWorld(t, sql)
	var rows string
	if sql != "" {
		psql(t, c, "CREATE SCHEMA kept; CREATE TABLE kept.session AS TABLE public.session")
		rows = psql(t, c, keptRows)
	}
	_, err := h.crash(t, h.url, who, at)
	var exit *exec.ExitError
	if who == "process" && (!errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
		t.Fatalf("nobody died: %v", err)
	}
	// A server that lost a backend so brutally restarts by itself.
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if _, err := c.PSQL(t.Context(), "postgres", "SELECT 1"); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	began := time.Now()
	h.must()
	t.Logf("the next pass took %s", time.Since(began).Round(time.Millisecond))
	if have := h.catalogue(t); have != want {
		t.Errorf("another catalogue than without the kill:\n%s\nwant\n%s", have, want)
	}
	if got := strings.TrimSpace(psql(t, c, "SELECT string_agg(number::text, ',' ORDER BY number) FROM sessiondbd.migrations")); got != "1,2,3,4" {
		t.Errorf("history: %s", got)
	}
	if rows != "" {
		if got := psql(t, c, keptRows); got != rows {
			t.Error("rows changed")
		}
	}
}

const keptRows = `SELECT md5(string_agg(ROW(s.id, s.messages, s.inbox_status, s.parent,
	CASE WHEN w.created_at IS NULL THEN NULL ELSE s.created_at END, CASE WHEN w.updated_at IS NULL THEN NULL ELSE s.updated_at END)::text, '' ORDER BY s.id))
	FROM public.session s JOIN kept.session w USING (id)`

// catalogue is what is there in the end, in an order that does not depend on the way.
func (h *host) catalogue(t *testing.T) string {
	t.Helper()
	have, err := h.observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(have.Catalogue.Columns, func(a, b Column) int { return strings.Compare(a.Name, b.Name) })
	data, err := json.Marshal(have.Catalogue)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// spread picks n of all points, the first and the last among them; n 0 picks all.
func spread(all, n int) []int {
	if n == 0 || n > all {
		n = all
	}
	var points []int
	for i := range n {
		points = append(points, i*(all-1)/max(n-1, 1))
	}
	return slices.Compact(points)
}

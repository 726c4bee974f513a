//go:build integration

package lab_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sessiondbd/internal/lab"
)

func TestClusterLives(t *testing.T) {
	first := lab.ClusterT(t, lab.ClusterOptions{}) // fills the template
	began := time.Now()
	c := lab.ClusterT(t, lab.ClusterOptions{Settings: map[string]string{"max_connections": "17"}})
	t.Logf("started in %s", time.Since(began).Round(time.Millisecond))
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("start took %s", took)
	}
	psql(t, c, "CREATE TABLE kept(n int); INSERT INTO kept VALUES (42)")
	conn, err := pgx.Connect(t.Context(), c.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(t.Context())
	if err := c.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := psql(t, c, "SELECT n FROM kept; SHOW max_connections; SHOW listen_addresses"); got != "42\n17\n" {
		t.Errorf("after restart: %q", got)
	}
	if err := c.Crash(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PSQL(t.Context(), "postgres", "SELECT 1"); lab.ExitCode(err) != 2 {
		t.Errorf("stopped server: exit code %d, want psql's 2: %v", lab.ExitCode(err), err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.Log(), "was interrupted") {
		t.Errorf("no recovery in the log:\n%s", c.Log())
	}
	if _, err := c.PSQL(t.Context(), "postgres", "SELECT 1/0; SELECT 2"); lab.ExitCode(err) != 3 {
		t.Errorf("wrong SQL: exit code %d, want psql's 3: %v", lab.ExitCode(err), err)
	}
	const id = "SELECT system_identifier FROM pg_control_system()"
	if psql(t, c, id) != psql(t, first, id) {
		t.Error("two from the template differ in identity")
	}
	if psql(t, lab.ClusterT(t, lab.ClusterOptions{FreshIdentity: true}), id) == psql(t, first, id) {
		t.Error("FreshIdentity has the template's")
	}
}

func TestClusterStartErrorShowsLog(t *testing.T) {
	_, err := lab.StartCluster(t.Context(), lab.ClusterOptions{Settings: map[string]string{"no_such": "1"}})
	if err == nil || !strings.Contains(err.Error(), `unrecognized configuration parameter "no_such"`) {
		t.Errorf("got %v", err)
	}
}

func TestLegacy(t *testing.T) {
	c := lab.ClusterT(t, lab.ClusterOptions{LegacyRows: true})
	const facts = `
SELECT count(*), count(parent) > 50, count(*) FILTER (WHERE created_at IS NULL), count(*) FILTER (WHERE updated_at IS NULL) FROM session;
SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'sessiondb';
SELECT tableowner FROM pg_tables WHERE tablename = 'session';
SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'session';
SELECT bool_or(attnotnull) FROM pg_attribute WHERE attrelid = 'session'::regclass AND attname LIKE '%ed_at';
SELECT tgname FROM pg_trigger WHERE NOT tgisinternal;
SELECT has_table_privilege('sessionuser', 'session', 'TRUNCATE');`
	want := "300|t|6|13\nsessionuser\npostgres\nidx_session_inbox_status idx_session_parent session_pkey\nf\nupdate_session_updated_at\nt"
	if got, err := c.PSQL(t.Context(), "sessiondb", facts); got != want || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func psql(t *testing.T, c *lab.Cluster, sql string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := c.PSQL(ctx, "postgres", sql)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

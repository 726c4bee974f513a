//go:build integration

package server

import (
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// What a VM was at when it died ends with our settings, and without the one for it goes on.
func TestAbandonedStatement(t *testing.T) {
	h := newHost(t)
	h.oneshot(h.Restart)
	h.settle()
	if !h.abandon() {
		t.Error("the statement goes on, although client_connection_check_interval is 5 s")
	}
	_, err := h.PSQL(t.Context(), "postgres", "ALTER ROLE sessionuser SET client_connection_check_interval = 0")
	h.must(err)
	if h.abandon() {
		t.Error("without the setting it ends, too, so the first half shows nothing")
	}
}

// abandon has sessionuser's client die in a statement, and says whether that ends within the interval and a little more.
func (h *host) abandon() bool {
	h.t.Helper()
	running := func() string {
		out, err := h.PSQL(h.t.Context(), "postgres", "SELECT count(*) FROM pg_stat_activity WHERE usename = 'sessionuser' AND state = 'active'")
		h.must(err)
		return out
	}
	await := func(want string, within time.Duration) bool {
		for deadline := time.Now().Add(within); running() != want; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				return false
			}
		}
		return true
	}
	client, err := h.ns.StartCommand(h.t.Context(), lab.Command{
		Argv: []string{"psql", "-Xw", "-d", "host=10.1.0.1 user=sessionuser dbname=sessiondb sslmode=disable", "-c", "SELECT pg_sleep(40)"},
		Env:  []string{"PGPASSWORD=x"},
	})
	h.must(err)
	if !await("1", 5*time.Second) {
		h.t.Fatalf("it does not run: %s", client.Output())
	}
	h.must(client.Kill())
	return await("0", 8*time.Second)
}

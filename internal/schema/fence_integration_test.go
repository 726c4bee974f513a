//go:build integration

package schema

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// A writer that has lost its lock and does not know yet meets the other one inside the migration's transaction: it waits for
// the row of the first, and fails on it.
func TestTwoWritersAreFenced(t *testing.T) {
	c := lab.ClusterT(t, lab.ClusterOptions{})
	h := newHost(t, c)
	h.must()
	psql(t, c, "DELETE FROM sessiondbd.migrations WHERE number = 4")
	other, err := h.target.ConnectSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.CloseSoon()
	last := h.goal.Migrations[3]
	if _, err := other.Exec(t.Context(), "BEGIN; "+strings.Join(fence(Observation{}), ";")+"; "+last.record(true)).ReadAll(); err != nil {
		t.Fatal(err)
	}
	committed := make(chan error, 1)
	time.AfterFunc(300*time.Millisecond, func() {
		_, err := other.Exec(t.Context(), "COMMIT").ReadAll()
		committed <- err
	})
	out := h.converge()
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	if err := fmt.Sprint(out.Err()); !strings.Contains(err, "23505") || !strings.Contains(err, last.ID()) {
		t.Errorf("the second writer: %s", err)
	}
	h.must()
	if got := strings.TrimSpace(psql(t, c, "SELECT string_agg(number::text, ',' ORDER BY number) FROM sessiondbd.migrations")); got != "1,2,3,4" {
		t.Errorf("history: %s", got)
	}
}

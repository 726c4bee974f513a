//go:build integration

package schema

import (
	"os"
	"strings"
	"sync"
	"testing"

	"sessiondbd/internal/lab"
)

// 32 processes start at once on a server that has nothing; none fails, and each migration runs once.
func TestManyColdStarters(t *testing.T) {
	const starters = 32
	rounds := 3
	if os.Getenv("SESSIONDBD_SOAK") != "" {
		rounds = 50
	}
	for round := range rounds {
		c := lab.ClusterT(t, lab.ClusterOptions{Settings: map[string]string{"synchronous_commit": "on"}})
		h := newHost(t, c)
		errs := make([]error, starters)
		var all sync.WaitGroup
		for i := range starters {
			all.Go(func() { _, errs[i] = h.crash(t, h.url, "", -1) })
		}
		all.Wait()
		for i, err := range errs {
			if err != nil {
				t.Errorf("round %d, starter %d: %v", round, i, err)
			}
		}
		if got := strings.TrimSpace(psql(t, c, "SELECT string_agg(number || ' ' || adopted, ',' ORDER BY number) FROM sessiondbd.migrations")); got != "1 false,2 false,3 false,4 false" {
			t.Errorf("round %d: history: %s", round, got)
		}
		if n := strings.Count(c.Log(), "ERROR:"); n > 0 {
			t.Errorf("round %d: the server's log has %d errors", round, n)
		}
		h.must()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d starts, none failed", starters*rounds)
}

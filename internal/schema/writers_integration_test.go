//go:build integration

package schema

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"sessiondbd/internal/lab"
)

// Clients that write rows which still lack their timestamps go on while the table is adopted: none of their statements fails.
func TestWritersGoOnDuringAdoption(t *testing.T) {
	c := lab.ClusterT(t, lab.ClusterOptions{LegacyRows: true})
	h := newHost(t, c)
	psql(t, c, `ALTER TABLE session DISABLE TRIGGER update_session_updated_at;
		INSERT INTO session (id, created_at) SELECT md5('n' || n)::uuid, NULL FROM generate_series(1, 20000) n;
		ALTER TABLE session ENABLE TRIGGER update_session_updated_at; DROP INDEX idx_session_parent`)
	stop := make(chan struct{})
	var all sync.WaitGroup
	errs := make([]error, 3)
	writes := make([]int, 3)
	for i := range errs {
		all.Go(func() {
			conn, err := h.target.ConnectSession(t.Context())
			if err != nil {
				errs[i] = err
				return
			}
			defer conn.CloseSoon()
			for n := i; ; n += 3 {
				select {
				case <-stop:
					return
				default:
				}
				// The end of the table first, where the repair comes last.
				sql := fmt.Sprintf("UPDATE public.session SET messages = '{}' WHERE id = md5('n' || %d)::uuid", 20000-n%20000)
				if _, err := conn.Exec(t.Context(), sql).ReadAll(); err != nil {
					errs[i] = fmt.Errorf("write %d: %w", writes[i], err)
					return
				}
				writes[i]++
			}
		})
	}
	h.must()
	close(stop)
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	t.Logf("writes beside the adoption: %v", writes)
	for i, n := range writes {
		if n < 10 {
			t.Errorf("writer %d wrote only %d times", i, n)
		}
	}
	if n := strings.TrimSpace(psql(t, c, "SELECT count(*) FROM session WHERE created_at IS NULL")); n != "0" {
		t.Errorf("%s rows lack their timestamp", n)
	}
}

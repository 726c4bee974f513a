//go:build integration

package role

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// dial opens a session of a role over the socket, which trusts everybody.
func dial(t *testing.T, c *lab.Cluster, role, db string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), c.URLAs(role, db))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func lives(t *testing.T, conn *pgconn.PgConn) bool {
	t.Helper()
	_, err := conn.Exec(t.Context(), "SELECT 1").ReadAll()
	return err == nil
}

func exec(t *testing.T, conn *pgconn.PgConn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// Of all that is open, only what is too old, of a declared role and in the session database is ended, also while it is
// busy; what it holds then keeps no pass from its work. One that has failed holds nothing any more.
func TestOldTransactionsAreEnded(t *testing.T) {
	for _, major := range lab.Majors() {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			t.Parallel()
			bindir := lab.BindirT(t, major)
			c := lab.ClusterT(t, lab.ClusterOptions{Bindir: bindir})
			h := newHost(t, c, declared())
			h.converge()
			var gone, stay []*pgconn.PgConn
			session := func(list *[]*pgconn.PgConn, role, db, sql string) *pgconn.PgConn {
				conn := dial(t, c, role, db)
				exec(t, conn, sql)
				*list = append(*list, conn)
				return conn
			}
			session(&gone, "sessionuser", "sessiondb", "BEGIN; LOCK TABLE session IN ACCESS EXCLUSIVE MODE")
			failed := dial(t, c, "sessionuser", "sessiondb")
			exec(t, failed, "BEGIN")
			_, _ = failed.Exec(t.Context(), "SELECT 1 / 0").ReadAll()
			busy := session(&gone, "sessionuser", "sessiondb", "BEGIN")
			over := make(chan error, 1)
			go func() { // ends with the session
				_, err := busy.Exec(context.Background(), "SELECT pg_sleep(60)").ReadAll()
				over <- err
			}()
			session(&stay, "postgres", "sessiondb", "BEGIN; SELECT 1")
			session(&stay, "sessionuser", "postgres", "BEGIN; SELECT 1")
			session(&stay, "sessionuser", "sessiondb", "SELECT 1")
			time.Sleep(3100 * time.Millisecond)
			young := session(&stay, "sessionuser", "sessiondb", "BEGIN; SELECT 1")

			h.want.TransactionAge = 3 * time.Second
			exec(t, dial(t, c, "postgres", "postgres"), "ALTER ROLE sessionuser CONNECTION LIMIT 7")
			if _, err := c.PSQL(t.Context(), "sessiondb", "SET lock_timeout = '50ms'; SELECT FROM session"); err == nil {
				t.Fatal("the table is not locked: this proves nothing")
			}
			h.converge()
			if n := len(slices.DeleteFunc(h.fields(), func(f string) bool { return !strings.Contains(f, "transaction of process ") })); n != 2 {
				t.Errorf("ended %d, want 2: %q", n, h.fields())
			}
			if err := <-over; err == nil || !strings.Contains(err.Error(), "57P01") {
				t.Errorf("the busy one ended with %v", err)
			}
			for i, conn := range gone {
				if lives(t, conn) {
					t.Errorf("the old transaction %d lives", i)
				}
			}
			for i, conn := range stay {
				if !lives(t, conn) {
					t.Errorf("the session %d is gone", i)
				}
			}
			exec(t, failed, "ROLLBACK")
			outlived(t, h, young)
		})
	}
}

// outlived holds that a step hits nobody else: neither the session's next transaction nor the process's next session.
func outlived(t *testing.T, h *host, conn *pgconn.PgConn) {
	t.Helper()
	time.Sleep(h.want.TransactionAge + 100*time.Millisecond)
	p := h.Plan(t.Context())
	changes := p.Changes()
	if len(changes) != 1 {
		t.Fatalf("%v, want the one that has become old", changes)
	}
	step := changes[0].Step.(postgres.SQL)
	execute := func(s postgres.SQL) {
		t.Helper()
		x, end, err := h.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer end()
		if err := x.Execute(t.Context(), plan.Step(s)); err != nil {
			t.Fatal(err)
		}
	}
	other := step
	other.Statements = []string{strings.Replace(step.Statements[0], "backend_start) = 1", "backend_start) = 2", 1)}
	execute(other)
	if !lives(t, conn) {
		t.Fatal("the session of another start was ended")
	}
	exec(t, conn, "COMMIT; BEGIN; SELECT 1")
	execute(step)
	if !lives(t, conn) {
		t.Fatal("the next transaction was ended")
	}
}

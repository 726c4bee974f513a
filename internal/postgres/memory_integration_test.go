//go:build integration

package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"sessiondbd/internal/lab"
)

// looked is what the durable query of TestDurableAnswers says, and when it was really asked.
type looked struct {
	Row   string `json:"row"`
	Role  string `json:"role"`
	Asked string `json:"asked"`
}

// A durable answer is asked for again when, and only when, a transaction that may have changed it has ended.
func TestDurableAnswers(t *testing.T) {
	c, tg := withDatabase(t, lab.ClusterOptions{Settings: map[string]string{"max_prepared_transactions": "2"}})
	sql(t, c, "sessiondb", "CREATE ROLE r; CREATE TABLE big (n int); CREATE INDEX i ON big (n)")
	o := NewObserver(tg)
	o.Standing = true
	t.Cleanup(o.Close)
	look := func() looked {
		t.Helper()
		var rows []looked
		var volatile []number
		if _, err := o.Ask(t.Context(), func(int) []Query {
			return []Query{
				{Name: "durable", Durable: true, Into: &rows, SQL: `SELECT n AS row, (SELECT rolconnlimit || rolcanlogin::text FROM pg_authid WHERE rolname = 'r') AS role,
					clock_timestamp() AS asked FROM public.v`},
				{Name: "volatile", Into: &volatile, SQL: "SELECT 1 AS n"},
			}
		}); err != nil {
			t.Fatal(err)
		}
		if len(rows) != 1 || len(volatile) != 1 {
			t.Fatalf("%v, %v", rows, volatile)
		}
		return rows[0]
	}
	rest := func() looked {
		t.Helper()
		var last looked
		for range 5 {
			last = look()
		}
		if again := look(); again != last {
			t.Errorf("asked again although nothing was written: %v, then %v", last, again)
		}
		return last
	}
	session := func() *pgconn.PgConn {
		conn, err := pgconn.Connect(t.Context(), c.URL("sessiondb"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(t.Context()) })
		return conn
	}
	other := session()
	run := func(text string) {
		t.Helper()
		if _, err := other.Exec(t.Context(), text).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	rest()
	for _, tt := range []struct {
		name, before, change string // before: a transaction that is open when it is looked
		want                 looked
	}{
		{"a row", "", "UPDATE v SET n = 1", looked{Row: "1", Role: "-1false"}},
		{"a role, by another session of another database", "", "", looked{Row: "1", Role: "3false"}},
		{"a transaction that began before", "BEGIN; UPDATE v SET n = 2", "COMMIT", looked{Row: "2", Role: "3false"}},
		{"part of one", "BEGIN; SAVEPOINT s; ALTER ROLE r CONNECTION LIMIT 4; SAVEPOINT u; UPDATE v SET n = 9; ROLLBACK TO u", "COMMIT", looked{Row: "2", Role: "4false"}},
		{"a prepared one", "BEGIN; UPDATE v SET n = 3; PREPARE TRANSACTION 'p'", "COMMIT PREPARED 'p'", looked{Row: "3", Role: "4false"}},
		{"one that was rolled back", "BEGIN; UPDATE v SET n = 9", "ROLLBACK", looked{Row: "3", Role: "4false"}},
	} {
		run(tt.before)
		before := rest()
		if tt.change == "" {
			sql(t, c, "postgres", "ALTER ROLE r CONNECTION LIMIT 3")
		}
		run(tt.change)
		got := look()
		if got.Asked == before.Asked {
			t.Errorf("%s: not asked again", tt.name)
		}
		if got.Asked = ""; got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	// What a writer does on the connection is not in its own snapshot.
	kept := rest()
	o.Give(o.Take())
	if got := look(); got.Asked == kept.Asked {
		t.Error("remembered across a writer")
	}
}

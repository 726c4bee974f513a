package role

import (
	"testing"
	"time"
)

// A transaction is ended by what tells it from every other, and one that is a moment younger is not.
func TestOldTransactions(t *testing.T) {
	old := Transaction{Role: "sessionuser", PID: 4711, Client: "10.1.0.7", Backend: "1700000000.000001", Start: "1700000001.5", Since: "2023-11-14 22:13:21 UTC", Age: 900001}
	const line = `role/sessionuser run transaction of process 4711 from 10.1.0.7 [open since 2023-11-14 22:13:21 UTC→at most 15m old]: (maintenance) ` +
		"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_get_activity(4711)\n\tWHERE extract(epoch FROM backend_start) = 1700000000.000001 AND extract(epoch FROM xact_start) = 1700000001.5"
	for _, tt := range []struct {
		name  string
		drift func(*Want, *Transaction)
		want  []string
	}{
		{"too old", func(*Want, *Transaction) {}, []string{line}},
		{"just not", func(_ *Want, t *Transaction) { t.Age = 900000 }, nil},
		{"no limit", func(w *Want, _ *Transaction) { w.TransactionAge = 0 }, nil},
		{"of a role that nobody declared", func(_ *Want, t *Transaction) { t.Role = "dba" }, nil},
		{"of the owner", func(_ *Want, t *Transaction) { t.Role = own }, nil},
		{"as whom we are connected", func(w *Want, t *Transaction) { w.Roles[0].Name, t.Role = "postgres", "postgres" }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, o, x := declared(), converged(), old
			w.TransactionAge = 15 * time.Minute
			tt.drift(&w, &x)
			o.Transactions = []Transaction{x}
			check(t, Limits(w, o), tt.want...)
		})
	}
	if list := Limits(declared(), Observation{Transactions: []Transaction{old}}); list != nil {
		t.Errorf("not observed: %v", lines(list))
	}
}

// The oldest goes first; of the same age, in a fixed order.
func TestOldTransactionsInOrder(t *testing.T) {
	w, o := declared(), converged()
	w.TransactionAge = time.Minute
	for _, x := range []Transaction{{PID: 3, Since: "2026-01-02"}, {PID: 2, Since: "2026-01-02"}, {PID: 9, Since: "2026-01-01"}} {
		x.Role, x.Age = "sessionuser", 60001
		o.Transactions = append(o.Transactions, x)
	}
	var have []string
	for _, c := range Limits(w, o)[0].Changes {
		have = append(have, c.Field)
	}
	want := []string{"transaction of process 9 from the Unix socket", "transaction of process 2 from the Unix socket", "transaction of process 3 from the Unix socket"}
	for i := range want {
		if have[i] != want[i] {
			t.Errorf("%d: %s, want %s", i, have[i], want[i])
		}
	}
}

func TestBrief(t *testing.T) {
	for d, want := range map[time.Duration]string{
		15 * time.Minute: "15m", time.Hour: "1h", 90 * time.Minute: "1h30m", 90 * time.Second: "1m30s", 720 * time.Hour: "720h", 10 * time.Minute: "10m",
		20 * time.Hour: "20h", 30 * time.Second: "30s", time.Hour + time.Second: "1h0m1s",
	} {
		if have := brief(d); have != want {
			t.Errorf("%s: %s, want %s", d, have, want)
		}
	}
}

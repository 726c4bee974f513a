package schema

import "testing"

// A table whose definition could not be read is not judged; one with the same differences that could be, is.
func TestLocked(t *testing.T) {
	for _, tt := range []struct {
		name   string
		have   func(*Observation)
		locked string
	}{
		{"free", func(*Observation) {}, ""},
		{"held", func(o *Observation) { o.Lockers = []locker{{7, "sessionuser", "00:00:05"}} }, "process 7 of sessionuser, in a transaction for 00:00:05"},
		{"prepared", func(o *Observation) { o.Lockers = []locker{{}} }, "a prepared transaction (see pg_prepared_xacts)"},
		{"let go while we looked", func(o *Observation) { o.Catalogue.Indexes[1].Definition = "" }, "somebody who has just let it go"},
		{"let go, a check", func(o *Observation) {
			o.Catalogue.Constraints = append(o.Catalogue.Constraints, Constraint{Name: "positive"})
		}, "somebody who has just let it go"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			have := converged(t)
			have.Catalogue.Triggers = nil
			tt.have(&have)
			if got := have.Locked(); got != tt.locked {
				t.Errorf("locked by %q, want %q", got, tt.locked)
			}
			if n := len(Diff(goal(t), have)); (n == 0) != (tt.locked != "") {
				t.Errorf("%d resources are judged", n)
			}
		})
	}
}

package daemon

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/plan"
)

// Waiting would not help: a person has to settle it.
func TestStartThatCannotServe(t *testing.T) {
	w := &world{refused: []string{"the table was dropped"}}
	m := &manager{began: time.Now()}
	err := Run(t.Context(), Part{Name: "database", Host: w}, Options{Notify: m})
	if !errors.Is(err, ErrUnserved) || !strings.Contains(err.Error(), "schema/session: the table was dropped: sessiondbd apply --accept-new-database") {
		t.Errorf("%v", err)
	}
	if heard := strings.Join(m.take(), "\n"); strings.Contains(heard, "READY") || !strings.Contains(heard, "STATUS degraded: schema/session refused") {
		t.Errorf("told: %s", heard)
	}
}

func TestUnserved(t *testing.T) {
	for name, tt := range map[string]struct {
		out  plan.Outcome
		want bool
	}{
		"nothing":                        {plan.Outcome{}, false},
		"refused":                        {plan.Outcome{Report: plan.Report{Refusals: []plan.Refusal{{Resource: "hba"}}}}, true},
		"refused, and an error that may": {plan.Outcome{Report: plan.Report{Refusals: []plan.Refusal{{Resource: "hba"}}}, Failures: []plan.Failure{{Resource: "hba", Err: errAway}}}, false},
		"waits for open sessions to end": {plan.Outcome{Report: plan.Report{Refusals: []plan.Refusal{{Resource: "server/settings"}}}}, false},
	} {
		if err := unserved(result{outcome: tt.out}); (err != nil) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

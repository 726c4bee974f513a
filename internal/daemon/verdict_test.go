package daemon

import (
	"errors"
	"testing"

	"sessiondbd/internal/plan"
)

func TestJudge(t *testing.T) {
	change := plan.Change{Resource: "role/x", Action: plan.Update, Field: "login", Have: "no", Want: "yes"}
	refusal := plan.Refusal{Resource: "schema/session", Summary: "column\nmessages is text"}
	fault := errors.New("disk full")
	away := plan.Failure{Resource: "database/x", Err: errAway}
	tests := []struct {
		name   string
		r      result
		serves bool
		reload error
		want   verdict
	}{
		{"in sync", outcome(true), false, nil, verdict{Converged, "schema 0004, 0 drift", true, false, ""}},
		{"in sync after a change", outcome(true, change), false, nil, verdict{Converged, "schema 0004, 0 drift", true, false, ""}},
		{"in sync, warned", with(outcome(true), plan.Warning{}), false, nil, verdict{Converged, "schema 0004, 0 drift, 1 warning", true, false, ""}},
		{"in sync, and VMs cut off by others", with(outcome(true), plan.Warning{Resource: "firewall/ipv4", Summary: "chain drops vm1", Impairs: true}), true, nil, verdict{Degraded, "degraded: firewall/ipv4: chain drops vm1; schema 0004", true, false, ""}},
		{"in sync, bad config", outcome(true), false, fault, verdict{Degraded, "degraded: config not reloaded: disk full; schema 0004", true, false, ""}},
		{"refused", with(outcome(false), refusal), false, nil, verdict{Degraded, "degraded: schema/session refused: column messages is text; schema 0004", false, false, ""}},
		{"refused, serving", with(outcome(false), refusal), true, nil, verdict{Degraded, "degraded: schema/session refused: column messages is text; schema 0004", true, false, ""}},
		{"refused after a change: what was done is no drift", with(outcome(false, change), refusal), true, nil, verdict{Degraded, "degraded: schema/session refused: column messages is text; schema 0004", true, false, ""}},
		{"drift looked at", looked(outcome(false, change)), true, nil, verdict{Degraded, "degraded: 1 drift: role/x login; schema 0004", true, false, ""}},
		{
			"two problems", with(outcome(false), refusal, plan.Blocked{Resource: "hba", By: "schema/session"}), true, nil,
			verdict{Degraded, "degraded: schema/session refused: column messages is text (and 1 more, see `sessiondbd status`); schema 0004", true, false, ""},
		},
		{"failed", with(outcome(false), plan.Failure{Resource: "hba", Err: fault}), true, nil, verdict{Degraded, "degraded: hba: disk full; schema 0004", true, true, ""}},
		{"waiting", with(outcome(false), away), false, nil, verdict{Waiting, "waiting: database/x: " + errAway.Error(), false, true, "database/x: " + errAway.Error()}},
		{"waiting before all else", with(outcome(false), refusal, away), true, fault, verdict{Waiting, "waiting: database/x: " + errAway.Error(), true, true, "database/x: " + errAway.Error()}},
		{"not in sync without a word", outcome(false), false, nil, verdict{Degraded, "degraded: not verified; schema 0004", false, false, ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Part{
				Describe: func(plan.Report) string { return "schema 0004" },
				Serving:  func(plan.Outcome) bool { return tt.serves },
				Retry:    func(err error) bool { return errors.Is(err, errAway) },
			}
			if got := judge(p, tt.r, tt.reload); got != tt.want {
				t.Errorf("have %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func outcome(inSync bool, changes ...plan.Change) result {
	return result{outcome: plan.Outcome{Report: plan.Report{InSync: inSync, Changes: changes}}, wrote: true}
}

func looked(r result) result {
	r.wrote = false
	return r
}

func with(r result, all ...any) result {
	o := &r.outcome
	for _, a := range all {
		switch a := a.(type) {
		case plan.Refusal:
			o.Refusals = append(o.Refusals, a)
		case plan.Warning:
			o.Warnings = append(o.Warnings, a)
		case plan.Blocked:
			o.Blocked = append(o.Blocked, a)
		case plan.Failure:
			o.Failures = append(o.Failures, a)
			o.Blocked = append(o.Blocked, plan.Blocked{Resource: a.Resource, By: a.Err.Error()})
		}
	}
	return r
}

func TestResourcesKeepTheTimeOfTheirLastVerification(t *testing.T) {
	now := fixedTime
	before := now.Add(-3600e9)
	old := []Resource{{"a", "in_sync", before}, {"b", "in_sync", before}, {"c", "in_sync", before}, {"d", "in_sync", before}, {"gone", "in_sync", before}}
	r := result{
		last: plan.Plan{Resources: []plan.Resource{
			{Name: "a"}, {Name: "b"}, {Name: "b", Changes: []plan.Change{{}}}, {Name: "b"}, // in turns
			{Name: "c", Refusals: []plan.Refusal{{}}}, {Name: "e", Changes: []plan.Change{{}}},
		}},
		outcome: plan.Outcome{Report: plan.Report{Blocked: []plan.Blocked{{Resource: "e"}, {Resource: "d"}}}},
	}
	want := []Resource{{"a", "in_sync", now}, {"b", "drift", before}, {"c", "refused", before}, {Name: "e", State: "blocked"}, {"d", "blocked", before}}
	got := itemsOf(old, r, now)
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("have %+v, want %+v", got[i], want[i])
		}
	}
}

package daemon

import (
	"context"
	"log/slog"
	"slices"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/systemd"
)

// notice is something to tell once when it appears and once when it is gone.
type notice struct {
	kind, resource, summary, remedy string

	about *systemd.Message // of a particular warning
}

// level says who should read it: what needs a person is an error.
func (n notice) level() slog.Level {
	if n.kind == "refused" || n.kind == "failed" {
		return slog.LevelError
	}
	return slog.LevelWarn
}

// noticesOf lists what a pass has to tell beside its changes.
func noticesOf(r result) []notice {
	var all []notice
	own := map[plan.Blocked]bool{}
	for _, f := range r.outcome.Failures {
		own[plan.Blocked{Resource: f.Resource, By: f.Err.Error()}] = true
		all = append(all, notice{kind: "failed", resource: f.Resource, summary: f.Err.Error()})
	}
	for _, f := range r.outcome.Refusals {
		all = append(all, notice{kind: "refused", resource: f.Resource, summary: f.Summary, remedy: f.Remedy})
	}
	for _, b := range r.outcome.Blocked {
		if !own[b] {
			all = append(all, notice{kind: "blocked", resource: b.Resource, summary: b.By})
		}
	}
	for _, w := range r.outcome.Warnings {
		all = append(all, notice{"warning", w.Resource, w.Summary, w.Remedy, about(w)})
	}
	if r.wrote {
		return all
	}
	for _, c := range r.outcome.Changes {
		all = append(all, notice{kind: "drift", resource: c.Resource, summary: c.String(), remedy: "`sessiondbd apply` mends it"})
	}
	return all
}

// noticeSet is what has been told and still holds.
type noticeSet []notice

// tell logs the difference between what held and what holds.
func (s *noticeSet) tell(log *slog.Logger, now []notice) {
	for i, n := range now {
		if !slices.Contains(*s, n) && !slices.Contains(now[:i], n) {
			log.Log(context.Background(), n.level(), n.kind, n.message().Attr(), "resource", n.resource, "summary", n.summary, "remedy", n.remedy)
		}
	}
	for _, n := range *s {
		if !slices.Contains(now, n) {
			log.Info("settled", systemd.Settled.Attr(), "was", n.kind, "resource", n.resource, "summary", n.summary)
		}
	}
	*s = now
}

package daemon

import (
	"errors"
	"fmt"
	"strings"
)

// Kind is the state that a part is in.
type Kind string

// The states. Starting is before the first pass has ended.
const (
	Starting  Kind = "starting"
	Waiting   Kind = "waiting"
	Degraded  Kind = "degraded"
	Converged Kind = "converged"
	Paused    Kind = "paused"
)

// verdict is what a pass means.
type verdict struct {
	kind   Kind
	status string
	ready  bool   // verified, or the VMs are served all the same
	failed bool   // ended in an error that is worth another try soon
	wait   string // what is waited for
}

// judge is pure: from an outcome to the state of the part. reload is why the config on disk is not in force, or nil.
func judge(p Part, r result, reload error) verdict {
	out := r.outcome
	v := verdict{kind: Converged, ready: out.InSync || p.Serving(out)}
	for _, f := range out.Failures {
		v.failed = true
		if v.wait == "" && p.Retry(f.Err) {
			v.wait = oneLine(f.Error())
		}
	}
	described := p.Describe(out.Report)
	switch problems := problemsOf(r, reload); {
	case v.wait != "":
		v.kind = Waiting
		v.status = "waiting: " + v.wait
	case len(problems) > 0:
		v.kind = Degraded
		v.status = "degraded: " + summarize(problems)
		if described != "" {
			v.status += "; " + described
		}
	default:
		v.status = join(described, "0 drift")
		if n := len(out.Warnings); n > 0 {
			v.status += ", " + count(n, "warning")
		}
	}
	return v
}

// failure is why a pass did not get on, or nil; a refusal is none.
func (v verdict) failure(r result) error {
	if !v.failed || len(r.outcome.Failures) == 0 {
		return nil
	}
	return r.outcome.Failures[0]
}

// ErrUnserved says that a refusal keeps the VMs out.
var ErrUnserved = errors.New("refused, and the VMs are not served")

// unserved is why a start cannot succeed by waiting, or nil. What the server's settings are refused for, sessions that keep
// PostgreSQL from a restart, ends by itself.
func unserved(r result) error {
	if len(r.outcome.Failures) > 0 {
		return nil
	}
	for _, x := range r.outcome.Refusals {
		if x.Resource != "server/settings" {
			return fmt.Errorf("%w: %s: %s: %s", ErrUnserved, x.Resource, oneLine(x.Summary), x.Remedy)
		}
	}
	return nil
}

// problemsOf lists what keeps the part from being converged, the gravest first.
func problemsOf(r result, reload error) []string {
	var all []string
	out := r.outcome
	if reload != nil {
		all = append(all, "config not reloaded: "+oneLine(reload.Error()))
	}
	for _, r := range out.Refusals {
		all = append(all, r.Resource+" refused: "+oneLine(r.Summary))
	}
	for _, b := range out.Blocked {
		all = append(all, b.Resource+": "+oneLine(b.By))
	}
	if n := len(out.Changes); n > 0 && !r.wrote {
		all = append(all, fmt.Sprintf("%d drift: %s %s", n, out.Changes[0].Resource, out.Changes[0].Field))
	}
	for _, w := range out.Warnings {
		if w.Impairs {
			all = append(all, w.Resource+": "+oneLine(w.Summary))
		}
	}
	if r.contested != "" {
		all = append(all, oneLine(r.contested))
	}
	if len(all) == 0 && !out.InSync {
		all = append(all, "not verified")
	}
	return all
}

// summarize is the first problem and how many there are beside it.
func summarize(problems []string) string {
	if len(problems) == 1 {
		return problems[0]
	}
	return fmt.Sprintf("%s (and %d more, see `sessiondbd status`)", problems[0], len(problems)-1)
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// oneLine cuts what a status line cannot hold.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 300 {
		return string(r[:299]) + "…"
	}
	return s
}

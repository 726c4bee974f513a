package plan

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Report is what plan and apply print; its JSON form is fixed by the contract.
type Report struct {
	InSync   bool      `json:"in_sync"`
	Changes  []Change  `json:"changes"`
	Refusals []Refusal `json:"refusals"`
	Blocked  []Blocked `json:"blocked"`
	Warnings []Warning `json:"warnings"`
}

// finish adds what a plan says beside its changes.
func (r *Report) finish(p Plan, g *gate) {
	for _, res := range p.Resources {
		r.Refusals = append(r.Refusals, res.Refusals...)
		r.Warnings = append(r.Warnings, res.Warnings...)
	}
	r.Blocked = g.blocked
	r.InSync = len(r.Changes)+len(r.Refusals)+len(r.Blocked) == 0
}

// JSON writes the report as one indented document; lists are never null.
func (r Report) JSON(w io.Writer) error {
	r.Changes, r.Refusals = orEmpty(r.Changes), orEmpty(r.Refusals)
	r.Blocked, r.Warnings = orEmpty(r.Blocked), orEmpty(r.Warnings)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// tally is the last line.
func (r Report) tally(verb string) string {
	var parts []string
	switch {
	case len(r.Changes) > 0:
		parts = append(parts, verb+" "+count(len(r.Changes), "thing"))
	case !r.InSync:
		parts = append(parts, "nothing to change")
	}
	if len(r.Refusals) > 0 {
		parts = append(parts, fmt.Sprintf("%d refused", len(r.Refusals)))
	}
	if len(r.Blocked) > 0 {
		parts = append(parts, fmt.Sprintf("%d blocked", len(r.Blocked)))
	}
	if r.InSync {
		parts = append(parts, "in sync")
	}
	if len(r.Warnings) > 0 {
		parts = append(parts, count(len(r.Warnings), "warning"))
	}
	return strings.Join(parts, ", ") + "\n"
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

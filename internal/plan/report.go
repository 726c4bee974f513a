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

// Text writes the report for a person: what changes, by resource and with its reason; then what needs a person; last, how
// much of what. The verb is "would change", "changed" or "removed".
func (r Report) Text(w io.Writer, verb string) error {
	var b strings.Builder
	for i, c := range r.Changes {
		if i == 0 || c.Resource != r.Changes[i-1].Resource {
			fmt.Fprintf(&b, "%s\n", c.Resource)
		}
		fmt.Fprintf(&b, "  %s %-*s  %s\n", sign(c.Action), r.width(i), c.Field, transition(c))
		if c.Summary != "" {
			fmt.Fprintf(&b, "      %s\n", c.Summary)
		}
	}
	for _, f := range r.Refusals {
		fmt.Fprintf(&b, "refused: %s\n      %s\n    → %s\n", f.Resource, f.Summary, indent(f.Remedy))
	}
	for _, f := range r.Blocked {
		fmt.Fprintf(&b, "blocked: %s\n      by %s\n", f.Resource, indent(f.By))
	}
	for _, f := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s\n      %s\n    → %s\n", f.Resource, f.Summary, indent(f.Remedy))
	}
	b.WriteString(r.tally(verb))
	_, err := io.WriteString(w, b.String())
	return err
}

// width is that of the field column in the block of changes around the i-th.
func (r Report) width(i int) int {
	width := 18
	for j := i; j >= 0 && r.Changes[j].Resource == r.Changes[i].Resource; j-- {
		width = max(width, len(r.Changes[j].Field))
	}
	for j := i; j < len(r.Changes) && r.Changes[j].Resource == r.Changes[i].Resource; j++ {
		width = max(width, len(r.Changes[j].Field))
	}
	return width
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

func sign(a Action) string {
	switch a {
	case Create:
		return "+"
	case Delete:
		return "-"
	case Run:
		return "»"
	}
	return "~"
}

func transition(c Change) string {
	switch {
	case c.Have == "" && c.Want == "":
		return string(c.Action)
	case c.Have == "":
		return oneLine(c.Want)
	case c.Want == "":
		return oneLine(c.Have) + " → (gone)"
	}
	return oneLine(c.Have) + " → " + oneLine(c.Want)
}

// oneLine keeps function bodies and rule lists from breaking the columns.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 100 {
		return string(r[:99]) + "…"
	}
	return s
}

// indent sets the further lines of a remedy below the first.
func indent(s string) string { return strings.ReplaceAll(s, "\n", "\n        ") }

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

// Text writes the report for a person: what changes, by resource and with its reason; then what needs a person. The verb
// is "would change" or "changed".
func (r Report) Text(w io.Writer, verb string) error {
	var b strings.Builder
	last := ""
	for _, c := range r.Changes {
		if c.Resource != last {
			fmt.Fprintf(&b, "%s\n", c.Resource)
			last = c.Resource
		}
		fmt.Fprintf(&b, "  %s %-22s %s\n", sign(c.Action), c.Field, transition(c))
		if c.Summary != "" {
			fmt.Fprintf(&b, "      %s\n", c.Summary)
		}
	}
	for _, f := range r.Refusals {
		fmt.Fprintf(&b, "refused: %s\n      %s\n      → %s\n", f.Resource, f.Summary, indent(f.Remedy))
	}
	for _, f := range r.Blocked {
		fmt.Fprintf(&b, "blocked: %s\n      by %s\n", f.Resource, indent(f.By))
	}
	for _, f := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s\n      %s\n      → %s\n", f.Resource, f.Summary, indent(f.Remedy))
	}
	b.WriteString(r.tally(verb))
	_, err := io.WriteString(w, b.String())
	return err
}

// tally is the last line: in sync, or how much of what.
func (r Report) tally(verb string) string {
	if r.InSync && len(r.Warnings) == 0 {
		return "in sync: nothing to change\n"
	}
	if r.InSync {
		return fmt.Sprintf("in sync: nothing to change, %s\n", count(len(r.Warnings), "warning"))
	}
	return fmt.Sprintf("%s %s, %d refused, %d blocked, %s\n", verb, count(len(r.Changes), "thing"), len(r.Refusals), len(r.Blocked), count(len(r.Warnings), "warning"))
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

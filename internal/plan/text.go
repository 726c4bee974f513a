package plan

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// columns is what lines are wrapped to. Remedies are not: they are there to be copied.
const columns = 118

// Text writes the report for a person: what changes, by resource and with its reason; then what needs a person; last, how
// much of what. The verb is "would change", "changed" or "removed".
func (r Report) Text(w io.Writer, verb string) error {
	var b strings.Builder
	for i, c := range r.Changes {
		if i == 0 || c.Resource != r.Changes[i-1].Resource {
			fmt.Fprintf(&b, "%s\n", c.Resource)
		}
		c.text(&b, r.width(i))
	}
	for _, f := range r.Refusals {
		person(&b, "refused: "+f.Resource, f.Summary, f.Remedy)
	}
	for _, f := range r.Blocked {
		person(&b, "blocked: "+f.Resource, "by "+f.By, "")
	}
	for _, f := range r.Warnings {
		person(&b, "warning: "+f.Resource, f.Summary, f.Remedy)
	}
	b.WriteString(r.tally(verb))
	_, err := io.WriteString(w, b.String())
	return err
}

// text is one change: its field and how it changes, then why. A reason that the next change shares is said each time:
// either may be read alone.
func (c Change) text(b *strings.Builder, width int) {
	head := fmt.Sprintf("  %s %-*s  ", sign(c.Action), width, c.Field)
	if strings.Contains(c.Have+c.Want, "\n") {
		b.WriteString(strings.TrimRight(head, " ") + "\n")
		for _, line := range lineDiff(c.Have, c.Want) {
			b.WriteString(strings.TrimRight("      "+line, " ") + "\n")
		}
	} else {
		wrap(b, head, strings.Repeat(" ", 8), transition(c))
	}
	if c.Summary != "" {
		wrap(b, "      ", "      ", c.Summary)
	}
}

// person is something for somebody to read and act on.
func person(b *strings.Builder, head, summary, remedy string) {
	b.WriteString(head + "\n")
	for line := range strings.Lines(summary) {
		wrap(b, "      ", "      ", line)
	}
	if remedy != "" {
		b.WriteString("    → " + indent(remedy) + "\n")
	}
}

// wrap writes text behind first, further lines behind rest. Words are never broken.
func wrap(b *strings.Builder, first, rest, text string) {
	line, fresh := first, true
	for _, word := range strings.Fields(text) {
		if !fresh && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns {
			b.WriteString(line + "\n")
			line, fresh = rest, true
		}
		if !fresh {
			line += " "
		}
		line, fresh = line+word, false
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

// Brief is have and want for a log: of several lines only those that differ, in one.
func (c Change) Brief() (have, want string) {
	if !strings.Contains(c.Have+c.Want, "\n") {
		return c.Have, c.Want
	}
	var gone, come []string
	for _, line := range lineDiff(c.Have, c.Want) {
		switch text := strings.TrimSpace(line[1:]); line[0] {
		case '-':
			gone = append(gone, text)
		case '+':
			come = append(come, text)
		}
	}
	return strings.Join(gone, "; "), strings.Join(come, "; ")
}

// maxLines bounds the table that lineDiff fills, which grows with the square of it.
const maxLines = 400

// lineDiff lists the lines of both texts, those that go with a minus, those that come with a plus.
func lineDiff(have, want string) []string {
	a, b := split(have), split(want)
	common := make([][]int, len(a)+1) // common[i][j]: how many lines a[i:] and b[j:] share in order
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, "  "+a[i])
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			out = append(out, "- "+a[i])
			i++
		default:
			out = append(out, "+ "+b[j])
			j++
		}
	}
	return out
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	if len(lines) > maxLines {
		lines = append(lines[:maxLines:maxLines], "…")
	}
	return lines
}

// width is that of the field column in the block of changes around the i-th.
func (r Report) width(i int) int {
	from, to := i, i
	for from > 0 && r.Changes[from-1].Resource == r.Changes[i].Resource {
		from--
	}
	for to < len(r.Changes) && r.Changes[to].Resource == r.Changes[i].Resource {
		to++
	}
	width := 18
	for _, c := range r.Changes[from:to] {
		width = max(width, utf8.RuneCountInString(c.Field))
	}
	return width
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
		return c.Want
	case c.Want == "":
		return c.Have + " → (gone)"
	}
	return c.Have + " → " + c.Want
}

// indent sets the further lines of a remedy below the first.
func indent(s string) string { return strings.ReplaceAll(s, "\n", "\n        ") }

package operate

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// columns is what lines are wrapped to. Remedies are not: they are there to be copied.
const columns = 110

// paint is colour for a terminal (ECMA-48); the zero value paints nothing.
type paint bool

func (p paint) in(code, text string) string {
	if !p {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

const (
	red    = "31"
	yellow = "33"
	green  = "32"
	bold   = "1"
)

var colourOf = map[string]string{
	string(Broken): red, string(Risk): yellow, string(Unseen): yellow,
	string(Passes): green, string(Ends): red, string(Doubt): yellow, // NotSeen is spelt as Unseen
}

// mark is a word in its colour, padded to a width.
func (p paint) mark(word string, width int) string {
	return p.in(colourOf[word], word) + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(word)))
}

// JSON writes the diagnosis as one document; lists are never null.
func (d Diagnosis) JSON(w io.Writer) error { return writeJSON(w, d) }

// Text writes the diagnosis for a person: what was looked at, the way of the VM that was asked for, then each finding with its
// reason and its remedy.
func (d Diagnosis) Text(w io.Writer, colour bool) error {
	var b strings.Builder
	p := paint(colour)
	width := 0
	for _, l := range d.Looked {
		width = max(width, utf8.RuneCountInString(l.Area))
	}
	for _, l := range d.Looked {
		wrap(&b, fmt.Sprintf("%-*s  ", width, l.Area), strings.Repeat(" ", width+2), l.Saw)
	}
	if d.Way != nil {
		b.WriteString("\n")
		d.Way.text(&b, p)
	}
	for _, f := range d.Findings {
		fmt.Fprintf(&b, "\n%s  %s\n", p.mark(string(f.Severity), 6), p.in(bold, f.Area))
		for line := range strings.Lines(f.What) {
			wrap(&b, "    ", "    ", line)
		}
		wrap(&b, "    why: ", "         ", f.Why)
		b.WriteString("    → " + strings.ReplaceAll(f.Remedy, "\n", "\n      ") + "\n")
	}
	b.WriteString("\n" + d.tally() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (w Way) text(b *strings.Builder, p paint) {
	fmt.Fprintf(b, "The way of %s:\n", w.VM)
	width := 0
	for _, h := range w.Hops {
		width = max(width, utf8.RuneCountInString(h.Name))
	}
	for _, h := range w.Hops {
		head := fmt.Sprintf("  %s  %-*s  ", p.mark(string(h.Pass), 6), width, h.Name)
		rest := strings.Repeat(" ", 12+width)
		wrap(b, head, rest, h.Saw)
		if h.Remedy != "" {
			b.WriteString(rest + "→ " + strings.ReplaceAll(h.Remedy, "\n", "\n  "+rest) + "\n")
		}
	}
	switch {
	case w.Ends != "":
		fmt.Fprintf(b, "%s at: %s\n", p.in(red, "ends"), w.Ends)
	case slices.ContainsFunc(w.Hops, func(h Hop) bool { return h.Pass == NotSeen }):
		fmt.Fprintf(b, "%s: whether it is open; it may end where nobody could look\n", p.in(yellow, "unknown"))
	default:
		fmt.Fprintf(b, "%s: nothing ends it here. What is left is in the VM: sudo sessiondbd connect-info %s\n", p.in(green, "open"), w.VM)
	}
}

func (d Diagnosis) tally() string {
	if len(d.Findings) == 0 {
		return fmt.Sprintf("nothing found in %d areas", len(d.Looked))
	}
	n := map[Severity]int{}
	for _, f := range d.Findings {
		n[f.Severity]++
	}
	var parts []string
	for _, s := range []Severity{Broken, Unseen, Risk} {
		if n[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[s], s))
		}
	}
	word := "findings"
	if len(d.Findings) == 1 {
		word = "finding"
	}
	return fmt.Sprintf("%d %s: %s", len(d.Findings), word, strings.Join(parts, ", "))
}

// wrap writes text behind first, further lines behind rest. Words are never broken.
func wrap(b *strings.Builder, first, rest, text string) {
	used, fresh := utf8.RuneCountInString(rest), true
	b.WriteString(first)
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case !fresh && used+1+n > columns:
			b.WriteString("\n" + rest)
			used = utf8.RuneCountInString(rest)
		case !fresh:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used, fresh = used+n, false
	}
	b.WriteByte('\n')
}

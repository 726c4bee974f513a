package operate

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"
)

// writeJSON writes one indented document.
func writeJSON(w io.Writer, doc any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}

// JSON writes the answer as one document; lists are never null.
func (s Sessions) JSON(w io.Writer) error { return writeJSON(w, s) }

// Text writes the answer for a person.
func (s Sessions) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "database %s  %s\n", s.Database, Size(s.DatabaseBytes))
	if s.Table != nil {
		s.Table.text(&b)
	}
	fmt.Fprintf(&b, "\nconnections (the server takes %d)\n", s.MaxConnections)
	table(&b, func(row func(...any)) {
		for _, c := range s.Connections {
			row(c.From, c.Role, c.Total, fmt.Sprintf("%d active, %d idle in transaction", c.Active, c.Waiting))
		}
	})
	sessionsText(&b, fmt.Sprintf("queries over %s", brief(SlowQuery)), s.Slow, func(x Session) int { return x.QueryAge })
	sessionsText(&b, fmt.Sprintf("transactions over %s", brief(OldTransaction)), s.Old, func(x Session) int { return x.Transaction })
	_, err := io.WriteString(w, b.String())
	return err
}

func (t Table) text(b *strings.Builder) {
	fmt.Fprintf(b, "table session   %s, indexes %s\n\n", Size(t.Bytes), Size(t.IndexesBytes))
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, s := range t.Statuses {
		name := s.Status
		if name == "" {
			name = "(no status)"
		}
		fmt.Fprintf(tw, "%s\t%d\t\n", name, s.Rows)
	}
	orphans := "impossible: the foreign key on parent is validated and enforced"
	switch {
	case !t.Guarded:
		orphans = "possible: the foreign key on parent is missing, not validated or disabled; see sudo sessiondbd plan"
	case t.Orphans > 0:
		orphans = "from while the foreign key on parent was switched off: no dump of them can be restored; give them a parent, or none"
	}
	fmt.Fprintf(tw, "sessions\t%d\t\nof them children\t%d\t\norphans\t%d\t  %s\n", t.Rows, t.Children, t.Orphans, orphans)
	_ = tw.Flush() // into memory
}

func sessionsText(b *strings.Builder, title string, list []Session, age func(Session) int) {
	if len(list) == 0 {
		fmt.Fprintf(b, "\n%s: none\n", title)
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	table(b, func(row func(...any)) {
		for _, s := range list {
			row(fmt.Sprintf("process %d", s.PID), s.From, s.Role, brief(time.Duration(age(s))*time.Millisecond), s.State, shorten(s.Query, 60))
		}
	})
}

// table writes rows with two spaces of indentation and aligned columns.
func table(b *strings.Builder, fill func(row func(...any))) {
	var text strings.Builder
	tw := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fill(func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(tw, "\t")
			}
			fmt.Fprint(tw, c)
		}
		fmt.Fprint(tw, "\n")
	})
	_ = tw.Flush() // into memory
	for line := range strings.Lines(text.String()) {
		b.WriteString("  " + strings.TrimRight(line, " \n") + "\n")
	}
}

// Size is a number of bytes as a person says it, in binary units as PostgreSQL does.
func Size(n int64) string {
	const unit = 1024
	names := []string{"bytes", "kB", "MB", "GB", "TB"}
	at := 0
	for n >= 10*unit && at < len(names)-1 {
		n, at = (n+unit/2)/unit, at+1
	}
	return fmt.Sprintf("%d %s", n, names[at])
}

// brief is a duration in the largest unit that fits twice.
func brief(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

func shorten(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

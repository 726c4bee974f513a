package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// Exit codes of `sessiondbd status`, fixed by the contract.
const (
	codeConverged  = 0
	codeDegraded   = 1
	codeNotRunning = 3
)

// Seen is one daemon as `sessiondbd status` sees it. State is what it, or the one before it, last wrote.
type Seen struct {
	Part    string `json:"part"`
	Running bool   `json:"running"`
	State   *State `json:"last,omitempty"`
}

// See reads the state of one part. A file that cannot be read for another reason than being absent is an error.
func See(part, path string) (Seen, error) {
	s, err := ReadState(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Seen{Part: part}, nil
	}
	if err != nil {
		return Seen{Part: part}, err
	}
	return Seen{Part: part, Running: !s.Stale(), State: &s}, nil
}

// StatusCode is the exit code of `sessiondbd status`: 0 all converged, 1 one degraded or waiting, 3 one not running.
func StatusCode(parts []Seen) int {
	code := codeConverged
	for _, p := range parts {
		switch {
		case !p.Running || p.State == nil:
			return codeNotRunning
		case p.State.State != Converged:
			code = codeDegraded
		}
	}
	if len(parts) == 0 {
		return codeNotRunning
	}
	return code
}

// colours are the escapes of a terminal (ECMA-48, SGR) for what is well, what wants a look, and what wants a person.
type colours struct{ well, look, bad, end string }

var (
	plainText = colours{}
	coloured  = colours{"\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[0m"}
)

// of is a text in the colour of a state, a daemon's, a resource's or a notice's.
func (c colours) of(state, text string) string {
	colour := c.bad
	switch state {
	case "in_sync":
		return text
	case string(Converged):
		colour = c.well
	case string(Starting), string(Waiting), string(Degraded), string(Paused), "drift", "warning":
		colour = c.look
	}
	if colour == "" {
		return text
	}
	return colour + text + c.end
}

// PrintStatus writes the parts for a person, ages relative to now; in colour for who reads it on a terminal.
func PrintStatus(w io.Writer, parts []Seen, now time.Time, colour bool) error {
	c := plainText
	if colour {
		c = coloured
	}
	width := 0
	for _, p := range parts {
		width = max(width, len(p.Part))
	}
	var b strings.Builder
	for _, p := range parts {
		state := "not running"
		if p.Running && p.State != nil {
			state = string(p.State.State)
		}
		fmt.Fprintf(&b, "%-*s  %s\n", width, p.Part, c.of(state, headline(p)))
		if p.Running && p.State != nil {
			detail(&b, *p.State, now, c)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func headline(p Seen) string {
	switch {
	case p.State == nil:
		return "not running"
	case !p.Running:
		return "not running (process " + fmt.Sprint(p.State.PID) + " ended unexpectedly; last: " + p.State.Status + ")"
	case p.State.State == Converged:
		return "converged: " + p.State.Status
	}
	return p.State.Status // says its state itself
}

func detail(b *strings.Builder, s State, now time.Time, c colours) {
	if !s.LastPass.At.IsZero() {
		fmt.Fprintf(b, "  last pass  %s ago, %.0f ms, %s\n", age(s.LastPass.At, now), s.LastPass.Seconds*1000, s.LastPass.Reason)
	}
	fmt.Fprintf(b, "  running    %s, process %d, %s\n", age(s.Started, now), s.PID, count(s.Changes, "change"))
	if s.Reload.Error != "" {
		fmt.Fprintf(b, "  reload     %s\n", c.of("refused", "refused: "+s.Reload.Error))
	}
	width := 0
	for _, r := range s.Items {
		width = max(width, len(r.Name))
	}
	for _, r := range s.Items {
		seen := "never verified"
		if !r.Verified.IsZero() {
			seen = "verified " + age(r.Verified, now) + " ago"
		}
		fmt.Fprintf(b, "  %-*s  %s  %s\n", width, r.Name, c.of(r.State, fmt.Sprintf("%-8s", r.State)), seen)
	}
	for _, r := range s.Report.Refusals {
		person(b, c, "refused", r.Resource, r.Summary, r.Remedy)
	}
	for _, r := range s.Report.Blocked {
		person(b, c, "blocked", r.Resource, r.By, "")
	}
	for _, r := range s.Report.Warnings {
		person(b, c, "warning", r.Resource, r.Summary, r.Remedy)
	}
}

// person writes what somebody has to read, with the remedy below it.
func person(b *strings.Builder, c colours, kind, resource, text, remedy string) {
	fmt.Fprintf(b, "  %s  %s: %s\n", c.of(kind, kind), resource, text)
	if remedy != "" {
		fmt.Fprintf(b, "           → %s\n", strings.ReplaceAll(remedy, "\n", "\n             "))
	}
}

// PrintStatusJSON writes the parts as one document, under what the exit code says; beside them what is known of backups, or
// nil.
func PrintStatusJSON(w io.Writer, parts []Seen, code int, backup any) error {
	state := map[int]string{codeConverged: "converged", codeDegraded: "degraded", codeNotRunning: "not running"}[code]
	if parts == nil {
		parts = []Seen{}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		State  string `json:"state"`
		Parts  []Seen `json:"parts"`
		Backup any    `json:"backup,omitempty"`
	}{state, parts, backup})
}

// age is a duration as a person says it, in the largest unit that fits twice. A clock set back shows as 0s.
func age(t, now time.Time) string {
	d := max(now.Sub(t), 0)
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0fm", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0fh", d.Hours())
	}
	return fmt.Sprintf("%.0fd", d.Hours()/24)
}

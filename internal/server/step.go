package server

import "sessiondbd/internal/plan"

// Step is a step of this room, which Files executes.
type Step interface {
	plan.Step
	server()
}

// Check says what PostgreSQL is asked about a file before it loads it.
type Check int

// The two kinds of file.
const (
	CheckSettings Check = iota
	CheckHBA
)

// WriteFile replaces a file of the server atomically, lets the server check it, then reloads. A file that the server
// cannot take is put back.
type WriteFile struct {
	Path   string
	Exists bool
	// Old is what the file held when it was looked at; one that has changed since is not written.
	Old     string
	Content string
	Check   Check
}

// Reload makes the server load its files, and returns once it has.
type Reload struct{}

// RequestRestart asks root's oneshot for a restart of the server, and returns once the server is back.
type RequestRestart struct {
	Unit string
	// Force restarts although sessions are open.
	Force bool
	// Undo is our file as PostgreSQL runs with it now; nil: what waits for the restart is not ours.
	Undo *Undo
}

// Undo is a file that is put back when the server does not come up.
type Undo struct{ Path, Content string }

func (WriteFile) server()      {}
func (Reload) server()         {}
func (RequestRestart) server() {}

func (s WriteFile) String() string      { return "write " + s.Path }
func (Reload) String() string           { return "reload PostgreSQL" }
func (s RequestRestart) String() string { return "restart " + s.Unit }

// Join makes one of several changes that the same text brings about.
func (s WriteFile) Join(next plan.Step) (plan.Step, bool) {
	n, ok := next.(WriteFile)
	return s, ok && n == s
}

// Join makes one of several reloads.
func (s Reload) Join(next plan.Step) (plan.Step, bool) {
	_, ok := next.(Reload)
	return s, ok
}

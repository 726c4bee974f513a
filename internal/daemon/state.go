package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/systemd"
)

// State is what a daemon last verified, as its state file holds it.
type State struct {
	Part     string     `json:"part"`
	PID      int        `json:"pid"`
	PIDStart uint64     `json:"pid_start"` // clock ticks from boot to the start of that process, 0: unknown
	BootID   string     `json:"boot_id"`   // without dashes, "": unknown
	Started  time.Time  `json:"started"`
	State    Kind       `json:"state"`
	Status   string     `json:"status"`
	Ready    bool       `json:"ready"`
	LastPass Pass       `json:"last_pass"`
	Changes  int        `json:"changes_total"`
	Prompts  bool       `json:"prompts,omitempty"` // heeds SIGUSR1, which would end a process that does not
	Reload   Reload     `json:"reload"`
	Items    []Resource `json:"resources"`
	// Report is that of the last pass. Its changes were made by it, unless the state says drift.
	Report plan.Report `json:"report"`
	Counts Counts      `json:"counts"`
	// Facts are numbers of the last look, see Part.
	Facts map[string]int `json:"facts"`
}

// Pass is one look at the host.
type Pass struct {
	At      time.Time `json:"at"`
	Reason  string    `json:"reason"`
	Seconds float64   `json:"seconds"`
}

// Reload is how the last reload ended. Seq counts the reloads that have ended.
type Reload struct {
	Seq     int    `json:"seq"`
	Running bool   `json:"running"`
	OK      bool   `json:"ok"`
	Error   string `json:"error"`
	// Loaded says that the config was good and is in force, and that the pass with it failed.
	Loaded bool `json:"loaded,omitempty"`
}

// Resource is one managed thing: in_sync, drift, refused or blocked, and when it was last seen in sync.
type Resource struct {
	Name     string    `json:"name"`
	State    string    `json:"state"`
	Verified time.Time `json:"verified,omitzero"`
}

func newState(part string) State {
	start, err := pidStart(os.Getpid())
	if err != nil {
		start = 0
	}
	return State{
		Part: part, PID: os.Getpid(), PIDStart: start, BootID: bootID(), Started: time.Now(),
		State: Starting, Status: "starting", Items: []Resource{}, Report: lists(plan.Report{}),
		Counts: newCounts(), Facts: map[string]int{},
	}
}

func passOf(reason string, began time.Time) Pass {
	return Pass{began, reason, time.Since(began).Seconds()}
}

// record takes over what a pass found.
func (s *State) record(v verdict, r result, p Pass) {
	s.State, s.Status, s.LastPass, s.Report = v.kind, v.status, p, lists(r.outcome.Report)
	s.Items = itemsOf(s.Items, r, p.At)
}

// gravity orders the states of a resource: the gravest of its turns is its state.
var gravity = map[string]int{"in_sync": 0, "drift": 1, "blocked": 2, "refused": 3}

// itemsOf says of each resource how it was last seen. Those that the pass did not get to see keep their time.
func itemsOf(old []Resource, r result, now time.Time) []Resource {
	before := map[string]time.Time{}
	for _, o := range old {
		before[o.Name] = o.Verified
	}
	blocked := map[string]bool{}
	for _, b := range r.outcome.Blocked {
		blocked[b.Resource] = true
	}
	items := []Resource{}
	at := map[string]int{} // a resource may have its turn more than once in a pass; here it is one
	for _, res := range r.last.Resources {
		it := Resource{res.Name, "in_sync", now}
		switch {
		case len(res.Refusals) > 0:
			it = Resource{res.Name, "refused", before[res.Name]}
		case blocked[res.Name]:
			it = Resource{res.Name, "blocked", before[res.Name]}
		case len(res.Changes) > 0:
			it = Resource{res.Name, "drift", before[res.Name]}
		}
		if i, again := at[res.Name]; !again {
			at[res.Name] = len(items)
			items = append(items, it)
		} else if gravity[it.State] > gravity[items[i].State] {
			items[i] = it
		}
	}
	for name := range at {
		delete(blocked, name)
	}
	for _, b := range r.outcome.Blocked {
		if blocked[b.Resource] {
			items = append(items, Resource{b.Resource, "blocked", before[b.Resource]})
			delete(blocked, b.Resource)
		}
	}
	return items
}

// lists makes empty what would be null in JSON.
func lists(r plan.Report) plan.Report {
	if r.Changes == nil {
		r.Changes = []plan.Change{}
	}
	if r.Refusals == nil {
		r.Refusals = []plan.Refusal{}
	}
	if r.Blocked == nil {
		r.Blocked = []plan.Blocked{}
	}
	if r.Warnings == nil {
		r.Warnings = []plan.Warning{}
	}
	return r
}

// ReadState reads a state file. The error is fs.ErrNotExist when no daemon has written one since boot.
func ReadState(path string) (State, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return State{}, fmt.Errorf("state: %w", err)
	}
	var s State
	if err := json.Unmarshal(b, &s); err != nil {
		return State{}, fmt.Errorf("state: %s: %w", path, err)
	}
	return s, nil
}

// stateFile writes states so that a reader sees the old or the new one whole.
type stateFile struct {
	path   string
	log    *slog.Logger
	broken bool
}

// write is not worth ending a daemon for: that it does not work is told once, and `status` then sees an old file.
func (f *stateFile) write(s State) {
	if f.path == "" {
		return
	}
	err := writeState(f.path, s)
	if err != nil && !f.broken {
		f.log.Error("the state file cannot be written: `sessiondbd status` does not see this daemon", systemd.StateUnwritten.Attr(), "error", err)
	}
	f.broken = err != nil
}

func (f *stateFile) remove() {
	if f.path != "" {
		_ = os.Remove(f.path) // one that stays is seen to be stale
	}
}

func writeState(path string, s State) (err error) {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	// One writer a file, so the name can be fixed, and a killed daemon leaves at most one of them.
	tmp := path + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o644); err != nil {
		return errors.Join(fmt.Errorf("state: %w", err), os.Remove(tmp))
	}
	if err := os.Chmod(tmp, 0o644); err != nil { // the unit's UMask is 0077, and status is for everybody
		return fmt.Errorf("state: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

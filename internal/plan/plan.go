// Package plan is the language in which the rooms say what differs, by resource, in the order of mending.
package plan

import (
	"errors"
	"fmt"
)

// Action says what a change does to its resource.
type Action string

// The four actions of the contract.
const (
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
	Run    Action = "run"
)

// Step is one piece of work as data. Diffs make steps, an Executor carries them out, and nothing else does either.
// String is shown in debug logs and errors and must hold no secret.
type Step interface{ String() string }

// Joiner is a step that may share one atomic execution with the step after it. Join returns the two as one, or false.
// A joined step either happens as a whole or not at all: Apply relies on that when it takes one apart after a failure.
type Joiner interface {
	Step
	Join(next Step) (Step, bool)
}

// Change is one difference that we mend. It is data: shown by plan, counted by metrics, logged once when it is done.
type Change struct {
	Resource string `json:"resource"`
	Action   Action `json:"action"`
	Field    string `json:"field"`
	Have     string `json:"have"`
	Want     string `json:"want"`
	Summary  string `json:"summary"`
	Step     Step   `json:"-"`
}

// Refusal is a difference that could lose data or meaning, or that we cannot explain. Remedy is the command that settles it.
type Refusal struct {
	Resource string `json:"resource"`
	Summary  string `json:"summary"`
	Remedy   string `json:"remedy"`
}

// Warning is something that is other people's business, or that an administrator should know.
type Warning struct {
	Resource string `json:"resource"`
	Summary  string `json:"summary"`
	Remedy   string `json:"remedy"`
	// Impairs says that the VMs are cut off by it, all or some: a daemon that sees it is degraded, whatever it verified.
	Impairs bool `json:"-"`
	// Oneshot says that it is about a shell oneshot that we replace, Fight that it is about a program that undoes our repairs.
	Oneshot bool `json:"-"`
	Fight   bool `json:"-"`
	// Initial says that it is about an initial password that is in use.
	Initial bool `json:"-"`
}

// Blocked is a resource that could not be brought to its goal, and what stood in the way: an error of its own or another resource.
type Blocked struct {
	Resource string `json:"resource"`
	By       string `json:"by"`
}

// Resource is what one diff says of one managed thing.
type Resource struct {
	Name string
	// Needs names the resources that must not have failed or been refused before this one is touched. A name that ends
	// in a slash means every resource below it; `schema/session` does not mean `schema/session.id`.
	Needs    []string
	Changes  []Change
	Refusals []Refusal
	Warnings []Warning
}

// Add appends a change to the resource.
func (r *Resource) Add(a Action, field, have, want, summary string, s Step) {
	r.Changes = append(r.Changes, Change{r.Name, a, field, have, want, summary, s})
}

// Refuse appends a refusal to the resource.
func (r *Resource) Refuse(summary, remedy string) {
	r.Refusals = append(r.Refusals, Refusal{r.Name, summary, remedy})
}

// Warn appends a warning to the resource.
func (r *Resource) Warn(summary, remedy string) {
	r.Warnings = append(r.Warnings, Warning{Resource: r.Name, Summary: summary, Remedy: remedy})
}

// Plan is what one pass found, in the order in which it is to be mended.
type Plan struct {
	Resources []Resource
	// Unobserved holds the resources that could not be looked at, with the reason.
	Unobserved []Failure
}

// Failure is a resource that could not be observed, or whose step failed.
type Failure struct {
	Resource string
	Err      error
}

func (f Failure) Error() string { return f.Resource + ": " + f.Err.Error() }

// Unwrap lets errors.Is and errors.As see the cause.
func (f Failure) Unwrap() error { return f.Err }

// Err joins what could not be observed, or is nil.
func (p Plan) Err() error { return joinFailures(p.Unobserved) }

func joinFailures(list []Failure) error {
	errs := make([]error, len(list))
	for i, f := range list {
		errs[i] = f
	}
	return errors.Join(errs...)
}

// Changes lists every change in order.
func (p Plan) Changes() []Change {
	var all []Change
	for _, r := range p.Resources {
		all = append(all, r.Changes...)
	}
	return all
}

// Report is the plan as a dry run shows it.
func (p Plan) Report() Report {
	rep := Report{}
	g := newGate(p.Unobserved)
	for _, r := range p.Resources {
		if g.admit(r) {
			rep.Changes = append(rep.Changes, r.Changes...)
		}
	}
	rep.finish(p, g)
	return rep
}

// String is the change as one line for errors and debug logs.
func (c Change) String() string {
	have, want := c.Brief()
	return fmt.Sprintf("%s: %s %s: %q -> %q", c.Resource, c.Action, c.Field, have, want)
}

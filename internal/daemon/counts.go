package daemon

import (
	"slices"
	"strings"

	"sessiondbd/internal/plan"
)

// Counts is what a daemon has seen and done since it started. They only grow.
type Counts struct {
	Passes      int     `json:"passes"`
	Failed      int     `json:"failed"`  // passes that ended in an error, waiting included
	PassSeconds float64 `json:"seconds"` // of all passes together
	// Changes that were made, by kind of resource (what stands before the slash of its name), then by action.
	Changes map[string]map[string]int `json:"changes"`
	// Drift is differences that were found after the part had converged with its config, by kind of resource; one that is
	// only reported counts when it appears.
	Drift map[string]int `json:"drift"`
	// Repairs are passes that mended drift.
	Repairs int `json:"repairs"`
	// Opponents are the programs whose changes were undone, with how often; "somebody" where an event names none.
	Opponents map[string]int `json:"opponents"`
}

// opponentsMost bounds the names that are kept: whoever starts programs chooses how they are called.
const opponentsMost = 16

func newCounts() Counts {
	return Counts{Changes: map[string]map[string]int{}, Drift: map[string]int{}, Opponents: map[string]int{}}
}

// kindOf is the kind of a resource: firewall, server, database, role, migration, schema, grants or hba.
func kindOf(resource string) string {
	kind, _, _ := strings.Cut(resource, "/")
	return kind
}

func (c *Counts) changed(x plan.Change) {
	kind := kindOf(x.Resource)
	if c.Changes[kind] == nil {
		c.Changes[kind] = map[string]int{}
	}
	c.Changes[kind][string(x.Action)]++
}

func (c *Counts) undone(by string) {
	if _, known := c.Opponents[by]; !known && len(c.Opponents) >= opponentsMost {
		by = "others"
	}
	c.Opponents[by]++
}

// passed takes over a pass. converged says that the part had been brought to its config before it; told is what was known.
func (c *Counts) passed(v verdict, r result, p Pass, converged bool, told noticeSet) {
	c.Passes++
	c.PassSeconds += p.Seconds
	if v.failed {
		c.Failed++
	}
	switch changes := r.outcome.Changes; {
	case r.wrote && converged && len(changes) > 0:
		c.Repairs++
		for _, x := range changes {
			c.Drift[kindOf(x.Resource)]++
		}
	case !r.wrote:
		for _, n := range noticesOf(r) {
			if n.kind == "drift" && !slices.Contains(told, n) {
				c.Drift[kindOf(n.resource)]++
			}
		}
	}
}

package plan

import "strings"

// gate knows which resources went bad during a pass, and so which of the others may be touched.
type gate struct {
	failed  map[string]bool   // an own step failed, or it could not be observed
	bad     map[string]string // failed, refused or blocked -> whom to blame
	blocked []Blocked
}

func newGate(unobserved []Failure) *gate {
	g := &gate{failed: map[string]bool{}, bad: map[string]string{}}
	for _, u := range unobserved {
		g.fail(u.Resource, u.Err.Error())
	}
	return g
}

// admit says whether r may be touched and records why not. A refusal inside r blocks those that need r, not r's own
// changes: the diff that refused decides which of them are still safe.
func (g *gate) admit(r Resource) bool {
	if g.failed[r.Name] {
		return false
	}
	if by, ok := g.needs(r); !ok {
		// What has nothing to do is not listed: a report names the work that waits, not the whole catalogue.
		if g.bad[r.Name] == "" && len(r.Changes) > 0 {
			g.blocked = append(g.blocked, Blocked{r.Name, by})
		}
		g.bad[r.Name] = by
		return false
	}
	if len(r.Refusals) > 0 {
		g.bad[r.Name] = r.Name
	}
	return true
}

func (g *gate) needs(r Resource) (by string, ok bool) {
	for _, need := range r.Needs {
		if by, bad := g.bad[need]; bad && need != r.Name {
			return by, false
		}
		if !strings.HasSuffix(need, "/") {
			continue
		}
		for name, by := range g.bad {
			if strings.HasPrefix(name, need) && name != r.Name {
				return by, false
			}
		}
	}
	return "", true
}

func (g *gate) fail(resource, by string) {
	g.failed[resource] = true
	g.bad[resource] = resource
	g.blocked = append(g.blocked, Blocked{resource, by})
}

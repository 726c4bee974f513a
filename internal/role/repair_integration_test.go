//go:build integration

package role

import (
	"slices"
	"strings"
	"testing"
)

// provocations are those that this server's version has.
func (h *host) provocations() []provocation {
	return slices.DeleteFunc(slices.Clone(provocations), func(p provocation) bool { return h.have.Version < p.since*10000 })
}

// A role that is dropped, or that a drift touched, serves its VMs again after one pass.
func TestRepairedRoleServes(t *testing.T) {
	s := start(t, false)
	w := declared()
	w.Roles = append(w.Roles, Spec{Name: "reader", Access: ReadOnly, ConnectionLimit: 5})
	h := newHost(t, s.Cluster, w)
	h.converge()
	s.sql("sessiondb", "CREATE ROLE dba; CREATE ROLE guest; CREATE ROLE team; CREATE SCHEMA sessiondbd AUTHORIZATION sessiondb_owner; "+others)
	var script []string
	for _, p := range h.provocations() {
		script = append(script, p.sql)
	}
	s.sql("sessiondb", strings.Join(script, ";\n"))
	h.converge()
	s.may("sessionuser", "s3cret", insert)
	s.sql("sessiondb", "DROP OWNED BY sessionuser; DROP ROLE sessionuser")
	h.converge()
	if fields := h.fields(); fields[len(fields)-1] != "role/sessionuser LOGIN" {
		t.Errorf("the role was dropped: changed %q", fields)
	}
	s.may("sessionuser", "s3cret", insert)
}

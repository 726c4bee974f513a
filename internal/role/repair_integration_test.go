//go:build integration

package role

import (
	"slices"
	"testing"
)

// provocations are those that this server's version has.
func (h *host) provocations() []provocation {
	return slices.DeleteFunc(slices.Clone(provocations), func(p provocation) bool { return h.have.Version < p.since*10000 })
}

func TestEachDriftIsRepaired(t *testing.T) {
	s := start(t, false)
	w := declared()
	w.Roles = append(w.Roles, Spec{Name: "reader", Access: ReadOnly, ConnectionLimit: 5})
	h := newHost(t, s.Cluster, w)
	h.converge()
	s.sql("sessiondb", "CREATE ROLE dba; CREATE SCHEMA sessiondbd AUTHORIZATION sessiondb_owner")
	for _, p := range h.provocations() {
		s.sql("sessiondb", p.sql)
		h.converge()
		if !slices.Contains(h.fields(), p.field) {
			t.Errorf("%s: changed %q, not %s", p.sql, h.fields(), p.field)
		}
	}
	for _, p := range h.provocations() {
		s.sql("sessiondb", p.sql)
	}
	h.converge()
	s.sql("sessiondb", "DROP OWNED BY sessionuser; DROP ROLE sessionuser")
	h.converge()
	if fields := h.fields(); fields[len(fields)-1] != "role/sessionuser LOGIN" {
		t.Errorf("the role was dropped: changed %q", fields)
	}
	s.may("sessionuser", "s3cret", insert)
}

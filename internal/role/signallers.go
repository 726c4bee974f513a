package role

import (
	"slices"

	"sessiondbd/internal/plan"
)

// signals are the functions that end a session or its query.
var signals = []string{"pg_cancel_backend", "pg_terminate_backend"}

// signallers are PostgreSQL's own roles whose members end others' sessions by calling one of them.
func signallers(version int) []string {
	if version >= 180000 {
		return []string{"pg_signal_backend", "pg_signal_autovacuum_worker"}
	}
	return []string{"pg_signal_backend"}
}

// keepSignallers lets PostgreSQL's own roles go on with what PUBLIC loses in the same transaction.
func (d *differ) keepSignallers() []plan.Resource {
	h := Hardenings[slices.IndexFunc(Hardenings, func(h Hardening) bool { return slices.Equal(h.names(), signals) })]
	entries := d.builtIn(h)
	var list []plan.Resource
	for _, role := range signallers(d.have.Version) {
		var lacking []Entry
		for _, e := range entries {
			has := func(o Entry) bool { return o.Name == e.Name && o.Grantee == role && o.Grantor == e.Owner }
			seen := func(o Entry) bool { return o.Name == e.Name }
			if slices.Contains(signals, bare(e.Name)) && !slices.ContainsFunc(entries, has) && !slices.ContainsFunc(lacking, seen) {
				lacking = append(lacking, e)
			}
		}
		if len(lacking) == 0 {
			continue
		}
		r := plan.Resource{Name: "grants/" + role, Needs: d.needs()}
		field, _ := h.field(lacking)
		r.Add(plan.Create, field, "", "granted", "its members go on ending sessions when PUBLIC no longer may", access("GRANT EXECUTE ON FUNCTION "+join(lacking)+" TO "+role))
		list = append(list, r)
	}
	return list
}

package role

import (
	"fmt"
	"slices"
	"strings"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// everybody compares the rights of PUBLIC, which every role has that may connect.
func (d *differ) everybody() plan.Resource {
	r := plan.Resource{Name: "grants/PUBLIC", Needs: d.needs()}
	for _, e := range d.entries {
		if why := d.unwantedOfPublic(e); e.Grantee == "" && why != "" {
			have := "granted" + by(e)
			if len(d.have.Database) == 0 && e.Kind == "schema" {
				have = unseen
			}
			r.Add(plan.Delete, e.field(), have, "", why, access(e.revoke()...))
		}
	}
	for _, h := range Hardenings {
		switch {
		case h.kind != "function" && h.kind != "language":
		case d.want.inForce(h):
			d.harden(&r, h)
		default:
			d.softened(&r, h)
		}
	}
	d.cutOff(&r)
	return r
}

// unwantedOfPublic says why PUBLIC should not have a right; empty: it may.
func (d *differ) unwantedOfPublic(e Entry) string {
	if h, ok := hardened(e); ok && d.want.inForce(h) {
		return h.Why
	}
	switch {
	case strings.HasPrefix(e.Kind, future):
		return "what " + e.Owner + " makes from now on would be open to everybody who can connect"
	case e.Kind == "schema" && e.Name == "sessiondbd":
		return "the diary of migrations is nobody's business but the owner's"
	case e.Kind == "table":
		return "sessions are for the declared roles, not for everybody who can connect"
	}
	return ""
}

// harden takes functions or a language of PostgreSQL's own from PUBLIC, in this database only.
func (d *differ) harden(r *plan.Resource, h Hardening) {
	var open []Entry
	for _, e := range d.builtIn(h) {
		switch {
		case !h.covers(e) || e.Grantee != "":
		case e.Kind == "function" && e.Grantor == e.Owner:
			open = append(open, e)
		default:
			r.Add(plan.Delete, e.field(), "granted"+by(e), "", h.Why, access(e.revoke()...))
		}
	}
	if len(open) > 0 {
		field, why := h.field(open)
		r.Add(plan.Delete, field, "granted", "", why, access("REVOKE EXECUTE ON FUNCTION "+join(open)+" FROM PUBLIC"))
	}
}

// builtIn are the rights of everybody on what comes with PostgreSQL: its defaults while there is no database yet.
func (d *differ) builtIn(h Hardening) []Entry {
	if len(d.have.Database) > 0 {
		return d.have.Hardened
	}
	e := Entry{Kind: h.kind, Name: "plpgsql", Privilege: h.privilege}
	if h.kind == "language" {
		return []Entry{e}
	}
	var all []Entry
	for _, e.Name = range h.signatures(d.have.Version) {
		all = append(all, e)
	}
	return all
}

// field names one function, or counts several, which the reason names then.
func (h Hardening) field(list []Entry) (field, why string) {
	var names []string
	for _, e := range list {
		names = append(names, bare(e.Name))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 1 {
		return "EXECUTE on " + names[0], h.Why
	}
	return fmt.Sprintf("EXECUTE on %d functions for %s", len(list), h.Name), h.Why + " (" + strings.Join(names, ", ") + ")"
}

func join(list []Entry) string {
	var names []string
	for _, e := range list {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// softened warns that PUBLIC lacks what only strict would take. Nothing tells whether we took it when the config said strict
// or an administrator did on his own account, so it is not ours to give back.
func (d *differ) softened(r *plan.Resource, h Hardening) {
	closed := d.have.closed(h)
	if len(closed) == 0 {
		return
	}
	what := strings.Join(closed, ", ")
	if h.kind == "function" { // one stands for all of them
		what = strings.Join(h.signatures(d.have.Version), ", ")
	}
	r.Warn("PUBLIC may not use "+h.Name+", which hardening: standard leaves open: strict took it before, or an administrator did; that is left alone",
		d.psql("GRANT "+h.privilege+" ON "+strings.ToUpper(h.kind)+" "+what+" TO PUBLIC"))
}

// cutOff warns of those who connect by PUBLIC's right alone while it is about to be taken away.
func (d *differ) cutOff(r *plan.Resource) {
	if len(d.have.Guests) == 0 {
		return
	}
	var names, quoted []string
	for _, g := range d.have.Guests {
		names, quoted = append(names, g.Name), append(quoted, postgres.QuoteIdent(g.Name))
	}
	r.Warn("by no other right than PUBLIC's, which hardening: strict takes away, these roles may connect to the database: "+strings.Join(names, ", "),
		d.psql("GRANT CONNECT ON DATABASE "+postgres.QuoteIdent(d.want.Database)+" TO "+strings.Join(quoted, ", ")))
}

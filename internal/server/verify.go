package server

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sessiondbd/internal/plan"
)

// outside stand for everywhere else: documentation addresses (RFC 5737, RFC 3849), which no VM has.
var outside = []netip.Addr{{}, netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}

// verifyHBA judges a file that is not ours to write by what its first matches do to our VMs.
func verifyHBA(r *plan.Resource, w Want, o Observation, lines []string) {
	remedy := o.hbaRemedy(lines)
	o.refuseErrors(r, func(Rule) bool { return false })
	d := o.doors(w)
	for _, role := range w.open() {
		for _, n := range role.Networks {
			d.network(role.Name, n)
		}
	}
	for _, f := range d.shut {
		r.Refuse(fmt.Sprintf("%s cannot log in as %s: %s", strings.Join(f.who, ", "), f.role, f.cause), remedy)
	}
	for _, f := range d.odd {
		r.Warn(fmt.Sprintf("%s as %s: %s", strings.Join(f.who, ", "), f.role, f.cause), remedy)
	}
	if loose := d.loose(w); len(loose) > 0 && len(d.shut) == 0 {
		r.Warn("no closing reject: "+strings.Join(loose, "; "), remedy)
	}
}

// doors collects findings, those of one cause together.
type doors struct {
	rules    []Rule
	tls      bool
	database string
	groups   func(role string) []string
	shut     []finding
	odd      []finding
}

func (o Observation) doors(w Want) doors {
	return doors{rules: o.rules(), tls: o.tls(), database: w.Database, groups: o.groups}
}

type finding struct {
	role, cause string
	who         []string
}

func (d *doors) network(role string, n Network) {
	for _, from := range representatives(n.Prefix) {
		hit, unsure := d.judge(Login{Database: d.database, Role: role, From: from})
		cause, served := verdictOf(hit, unsure)
		switch {
		case !served:
			d.shut = addFinding(d.shut, role, cause, n.String())
			return
		case cause != "":
			d.odd = addFinding(d.odd, role, cause, n.String())
			return
		}
	}
}

// judge tries TLS where the server has it, then without, as clients do by default (libpq's sslmode=prefer).
func (d *doors) judge(l Login) (*Rule, []Rule) {
	l.Groups = d.groups(l.Role)
	if d.tls {
		l.TLS = true
		if hit, unsure := FirstMatch(d.rules, l); letsIn(hit) {
			return hit, unsure
		}
		l.TLS = false
	}
	return FirstMatch(d.rules, l)
}

func letsIn(r *Rule) bool { return r != nil && r.Method != "reject" }

// verdictOf says whether a VM with the password is served. A cause with it is a warning.
func verdictOf(hit *Rule, unsure []Rule) (cause string, served bool) {
	if hit == nil {
		cause = "no line lets it in"
	} else {
		at := fmt.Sprintf("%s:%d", hit.File, hit.Line)
		switch hit.Method {
		case "scram-sha-256":
			served = true
		case "md5":
			cause, served = at+" allows md5; scram-sha-256 is what the password is stored for", true
		case "password":
			cause, served = at+" asks for the password in clear text", true
		case "trust":
			cause, served = at+" lets it in without a password (trust)", true
		case "reject":
			cause = at + " rejects it"
		default:
			cause = at + " asks for " + hit.Method + ", not for the password"
		}
	}
	if len(unsure) > 0 {
		u := unsure[0]
		cause = strings.TrimPrefix(fmt.Sprintf("%s; %s:%d may match before and cannot be judged from here", cause, u.File, u.Line), "; ")
	}
	return cause, served
}

func addFinding(list []finding, role, cause, who string) []finding {
	for i := range list {
		if list[i].role == role && list[i].cause == cause {
			list[i].who = append(list[i].who, who)
			return list
		}
	}
	return append(list, finding{role, cause, []string{who}})
}

// loose are the ways in that our closing reject would shut.
func (d *doors) loose(w Want) []string {
	var found []string
	try := func(l Login, what string) {
		if hit, _ := d.judge(l); letsIn(hit) {
			found = append(found, fmt.Sprintf("%s:%d lets %s in %s", hit.File, hit.Line, l.Role, what))
		}
	}
	for _, role := range w.ours() {
		for _, from := range outside {
			where := "from " + from.String()
			if !from.IsValid() {
				where = "on the socket"
			}
			try(Login{Database: w.Database, Role: role, From: from}, where)
		}
	}
	for _, role := range w.open() { // the VMs have no business in another database
		if from := representatives(role.Networks[0].Prefix); len(from) > 0 {
			try(Login{Database: "postgres", Role: role.Name, From: from[0]}, "to other databases from "+role.Networks[0].String())
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// representatives are two addresses of VMs in a network: after the gateway's, and the last. A shorter network has fewer.
func representatives(p netip.Prefix) []netip.Addr {
	p = p.Masked()
	low := p.Addr()
	for range 2 {
		if next := low.Next(); p.Contains(next) {
			low = next
		}
	}
	b := p.Addr().AsSlice()
	for i := range b {
		for bit := range 8 {
			if i*8+bit >= p.Bits() {
				b[i] |= 0x80 >> bit
			}
		}
	}
	high, _ := netip.AddrFromSlice(b)
	if prev := high.Prev(); prev.IsValid() && !prev.Less(low) {
		high = prev // below the broadcast address
	}
	if high == low {
		return []netip.Addr{low}
	}
	return []netip.Addr{low, high}
}

package server

import (
	"fmt"
	"net/netip"
	"slices"
)

// Judgement is what pg_hba.conf, as it is on disk, makes of a role that comes from a network.
type Judgement struct {
	Role    string
	Network Network
	Served  bool
	// Line is the first match as FILE:LINE (the rule); empty: there is none.
	Line string
	// Cause is why it is not served, or what is odd about it; empty: nothing is.
	Cause string
}

// Judgements are those of every role from every network that it may come from.
func Judgements(w Want, o Observation) []Judgement {
	var all []Judgement
	d := o.doors(w)
	for _, role := range w.open() {
		for _, n := range role.Networks {
			all = append(all, d.judgement(role.Name, n))
		}
	}
	return all
}

// judgement is that of the network's worst address.
func (d *doors) judgement(role string, n Network) Judgement {
	j := Judgement{Role: role, Network: n, Served: true}
	for _, from := range representatives(n.Prefix) {
		hit, unsure := d.judge(Login{Database: d.database, Role: role, From: from})
		cause, served := verdictOf(hit, unsure)
		if hit != nil && (j.Line == "" || !served) {
			j.Line = fmt.Sprintf("%s:%d (%s)", hit.File, hit.Line, hit)
		}
		if j.Cause == "" || !served {
			j.Cause = cause
		}
		if !served {
			j.Served = false
			return j
		}
	}
	return j
}

// MayLogIn says whether pg_hba.conf, as it is on disk, lets a role that is in no other in with a password: from an address, or over
// the socket from the zero one. Line is the first match; a rule of which that cannot be said from here is taken to let it in.
func (o Observation) MayLogIn(database, role string, from netip.Addr) (may bool, line string) {
	hit, unsure := FirstMatch(o.Rules, Login{Database: database, Role: role, From: from, Groups: []string{role}})
	if hit == nil {
		return len(unsure) > 0, ""
	}
	passwords := []string{"scram-sha-256", "md5", "password", "trust"}
	return len(unsure) > 0 || slices.Contains(passwords, hit.Method), fmt.Sprintf("%s:%d (%s)", hit.File, hit.Line, hit)
}

// ListensOn says whether the server is set to listen on an address.
func (o Observation) ListensOn(a netip.Addr) bool {
	return slices.ContainsFunc(addresses(o.setting("listen_addresses").Value), func(listed string) bool {
		return listed == "*" || listed == a.String() || listed == "localhost" && a.IsLoopback() || listed == everywhere(a)
	})
}

// OffersTLS says whether the server takes encrypted connections.
func (o Observation) OffersTLS() bool { return o.tls() }

// Value is what the server runs with, in the setting's base unit; empty: it is not known.
func (o Observation) Value(name string) string { return o.setting(name).Value }

// Unit is the systemd unit that runs the server.
func (o Observation) Unit() string { return o.unit() }

// DataDirectory is the server's, on its own host; empty: it is not known.
func (o Observation) DataDirectory() string { return o.facts().DataDirectory }

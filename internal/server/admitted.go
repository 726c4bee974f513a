package server

import (
	"net/netip"
	"slices"
)

// Admitted counts the networks of w whose gateway the server listens on, and from which every role that may come in is let
// in by pg_hba.conf, as it is on disk.
func Admitted(w Want, o Observation) int { return admitted(w, o, o.unbound(w)) }

func admitted(w Want, o Observation, unbound []netip.Addr) int {
	shut := map[string]bool{}
	all := map[string]bool{}
	doors := o.doors(w)
	for _, role := range w.open() {
		for _, n := range role.Networks {
			d := doors
			d.network(role.Name, n)
			all[n.String()] = true
			shut[n.String()] = shut[n.String()] || len(d.shut) > 0 || slices.ContainsFunc(unbound, n.Prefix.Contains)
		}
	}
	n := 0
	for name := range all {
		if !shut[name] {
			n++
		}
	}
	return n
}

// NetworkCount counts the networks from which at least one role may come in.
func (w Want) NetworkCount() int {
	all := map[string]bool{}
	for _, role := range w.open() {
		for _, n := range role.Networks {
			all[n.String()] = true
		}
	}
	return len(all)
}

// Serves says whether the server is set to listen where the VMs look, and lets every network in. An address that is not
// there yet keeps nobody waiting: the boot that brings it may wait for us.
func Serves(w Want, o Observation) bool {
	for _, s := range settings {
		if v := o.setting(s.name).Value; !s.fits(w, v) && !s.serves(w, v) {
			return false
		}
	}
	return admitted(w, o, nil) == w.NetworkCount()
}

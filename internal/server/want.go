// Package server is what PostgreSQL's own files must say for the VMs to be served: settings, pg_hba.conf, the restart they need.
package server

import (
	"net/netip"
	"slices"
)

// The values of the config's server section.
const (
	ManageAuto   = "auto"
	ManageVerify = "verify"

	ListenAll      = "all"
	ListenGateways = "gateways"

	RestartWhenIdle = "when-idle"
	RestartNever    = "never"
)

// accessNone is the access level of a role that may not come in at all.
const accessNone = "none"

// Want is what the config asks of the server.
type Want struct {
	Manage  string // auto | verify
	Listen  string // all | gateways
	Restart string // when-idle | never
	// RestartNow is `apply --restart-postgresql`: restart for a setting that needs it even while sessions are open.
	RestartNow bool
	// Port is the one that the firewall guards.
	Port     int
	Gateways []netip.Addr
	// Database and Owner are the session database's name and the name of the role that owns it.
	Database, Owner string
	Roles           []RoleAccess
	// MaxBackends is how many connections all VMs together may open: the firewall's limit per VM times their number.
	MaxBackends int
}

// RoleAccess says from where a login role may come in.
type RoleAccess struct {
	Name     string
	Access   string // readwrite | readonly | none
	Networks []Network
}

// Network is one VM network. Name is what messages call it.
type Network struct {
	Name   string
	Prefix netip.Prefix
}

// String names the network with its subnet.
func (n Network) String() string {
	if n.Name == "" {
		return n.Prefix.String()
	}
	return n.Name + " (" + n.Prefix.String() + ")"
}

// open are the roles that may come in, with the networks that they come from.
func (w Want) open() []RoleAccess {
	return slices.DeleteFunc(slices.Clone(w.Roles), func(r RoleAccess) bool {
		return r.Access == accessNone || len(r.Networks) == 0
	})
}

// ours are the names of all roles that are ours, the owner last, each once.
func (w Want) ours() []string {
	var names []string
	for _, r := range w.Roles {
		names = append(names, r.Name)
	}
	if w.Owner != "" && !slices.Contains(names, w.Owner) {
		names = append(names, w.Owner)
	}
	return names
}

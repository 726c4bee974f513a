// Package firewall lets nobody but the VMs reach the port of PostgreSQL.
package firewall

import (
	"fmt"
	"net/netip"
)

// The chains that are ours, in iptables and in ip6tables.
const (
	GuardChain = "SESSIONDB-GUARD" // table mangle: denies, before any filter rule is asked
	AllowChain = "SESSIONDB-ALLOW" // table filter: accepts, and limits the connections of one VM
)

// The back ends that a configuration may name.
const (
	Auto   = "auto" // whichever `iptables` is
	NFT    = "nft"
	Legacy = "legacy"
	Off    = "off"
)

// Spec is what should be.
type Spec struct {
	Port           uint16
	Backend        string
	MaxConnections int // of one network at a time; 0: no limit
	Networks       []Network
	Allow          []Source
}

// Network is the subnet of a VM behind a gateway address of the hypervisor.
type Network struct {
	Name      string
	Subnet    netip.Prefix
	Gateway   netip.Addr
	Interface string // empty: whichever holds Gateway
}

// Source is a further peer that is let in.
type Source struct {
	Prefix    netip.Prefix
	Interface string // empty: any
}

// family is one of the two worlds that have rules of their own.
type family int

const (
	ipv4 family = 4
	ipv6 family = 6
)

func (f family) String() string { return fmt.Sprintf("ipv%d", int(f)) }

func (f family) resource() string { return "firewall/" + f.String() }

func (f family) has(p netip.Prefix) bool { return p.Addr().Is4() == (f == ipv4) }

// table is one of the two tables in which we have a chain.
type table string

const (
	mangle table = "mangle"
	filter table = "filter"
)

func (t table) chain() string {
	if t == mangle {
		return GuardChain
	}
	return AllowChain
}

package operate

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"sessiondbd/internal/firewall"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/role"
	"sessiondbd/internal/server"
	"sessiondbd/internal/systemd"
)

// Case is everything that doctor knows of a host. What could not be looked at is empty, and its plan says why.
type Case struct {
	ConfigPath string
	// Config and Secrets are what is wrong with the config, and with the passwords that it names; nil: nothing. With a bad
	// config what it wants is not known, and nothing is compared with it.
	Config, Secrets error
	Services        []Service
	Units           []systemd.UnitState // of PostgreSQL and of our own
	UnitFiles       map[string]string   // the same, whether they are enabled, by name
	Oneshots        []systemd.ForeignUnit
	Root            bool // root has asked: there is nobody who may see more

	Spec         firewall.Spec
	Rules        firewall.Observation
	FirewallPlan plan.Plan
	Links        []Link
	Neighbours   []firewall.Neighbour
	Answers      map[netip.Addr]error // of the gateways that are there, when PostgreSQL was called on; nil: it answers

	Listeners []netip.Addr         // where somebody listens on the port, when a call got no answer
	Routes    map[netip.Addr]Route // of the gateways, from AskRoutes

	ServerWant   server.Want
	Server       server.Observation
	RoleWant     role.Want
	Roles        role.Observation
	Schema       int // version of the last migration; 0: there is none
	DatabasePlan plan.Plan
	Sessions     []Session
	Slots        *Slots // nil: nobody could look
	Disks        []Disk
	Socket       string   // where the server should listen; empty: over the network
	Sockets      []string // beside it, at which others do, when it does not

	Backup *BackupState // nil: none was ever tried, or it is not ours to read
	Now    time.Time

	held map[netip.Addr]int // of Holders, once it is asked for
}

// Service is one of our daemons, as its state file shows it.
type Service struct {
	Unit     string
	Part     string
	Running  bool
	Status   string
	Paused   bool   // by an administrator
	Degraded bool   // or still waiting
	Reload   string // why the config on disk is not in force
	Err      error  // the state file cannot be read
}

// Link is an interface of this machine.
type Link struct {
	Name        string
	Up, Carrier bool
	Addresses   []netip.Prefix // with the length of the subnet
}

// Links lists the interfaces with their addresses.
func Links() ([]Link, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var list []Link
	for _, i := range all {
		l := Link{Name: i.Name, Up: i.Flags&net.FlagUp != 0, Carrier: i.Flags&net.FlagRunning != 0}
		addresses, err := i.Addrs()
		if err != nil { // gone meanwhile
			continue
		}
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				l.Addresses = append(l.Addresses, p)
			}
		}
		list = append(list, l)
	}
	return list, nil
}

// link is the interface of that name.
func (c *Case) link(name string) (Link, bool) {
	for _, l := range c.Links {
		if l.Name == name {
			return l, true
		}
	}
	return Link{}, false
}

// holder is the interface that holds an address.
func (c *Case) holder(a netip.Addr) (Link, bool) {
	if c.held == nil {
		c.held = Holders(c.Links)
	}
	i, held := c.held[a]
	if !held {
		return Link{}, false
	}
	return c.Links[i], true
}

// Holders maps each address of this machine to the interface that holds it, by its place in the list; of two to the first.
func Holders(links []Link) map[netip.Addr]int {
	held := map[netip.Addr]int{}
	for i, l := range links {
		for _, p := range l.Addresses {
			if _, taken := held[p.Addr()]; !taken {
				held[p.Addr()] = i
			}
		}
	}
	return held
}

// unheard says that a gateway was called in vain and somebody listens there: what was dropped was our own call.
func (c *Case) unheard(gateway netip.Addr) bool {
	return errors.Is(c.Answers[gateway], ErrSilence) && slices.ContainsFunc(c.Listeners, func(at netip.Addr) bool {
		return at == gateway || at.IsUnspecified() && at.Is4() == gateway.Is4()
	})
}

// rulesSeen says whether the firewall could be looked at.
func (c *Case) rulesSeen() bool { return c.Config == nil && len(c.FirewallPlan.Unobserved) == 0 }

// serverSeen says whether PostgreSQL answered what the plan asked.
func (c *Case) serverSeen() bool { return c.Config == nil && len(c.Server.Server) > 0 }

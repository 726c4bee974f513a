package operate

import (
	"fmt"
	"slices"
	"strings"

	"sessiondbd/internal/firewall"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/server"
)

// networks judges the gateways and their interfaces. A bridge without carrier is a VM that is switched off: no fault.
func (c *Case) networks(d *Diagnosis) {
	up := 0
	var off []string
	c.absentGateways(d)
	for _, n := range c.Spec.Networks {
		if what, remedy := c.doubled(n); what != "" {
			d.find(AreaNetworks, Broken, what, "the rules follow the first of them, and cut off the VM where that is not its bridge", remedy)
			continue
		}
		if what, reason, remedy := c.gateway(n); what != "" {
			if !c.absent(n) {
				d.find(AreaNetworks, Broken, what, reason, remedy)
			}
			continue
		}
		up++
		if what, remedy := c.astray(n); what != "" {
			d.find(AreaNetworks, Broken, what, "the VM's packets arrive, and nothing comes back to it", remedy)
		}
		if what, remedy := c.elsewhere(n); what != "" {
			d.find(AreaNetworks, Risk, what, "the rules let the network in by the interface that holds its gateway alone", remedy)
		}
		if l, ok := c.holder(n.Gateway); ok && !l.Carrier {
			off = append(off, n.Name)
		}
	}
	saw := fmt.Sprintf("%d of %d gateways are there", up, len(c.Spec.Networks))
	if len(off) > 0 {
		saw += "; nothing plugged in (VM off?): " + some(off)
	}
	d.look(AreaNetworks, saw)
}

// absent says whether it is nothing but its address that a network lacks on this host.
func (c *Case) absent(n firewall.Network) bool {
	_, held := c.holder(n.Gateway)
	return !held && n.Interface == ""
}

// absentGateways tells of them together: a host whose bridges are not up yet lacks all.
func (c *Case) absentGateways(d *Diagnosis) {
	var names []string
	var first firewall.Network
	for _, n := range c.Spec.Networks {
		if c.absent(n) {
			if names == nil {
				first = n
			}
			names = append(names, fmt.Sprintf("%s (%s)", n.Name, n.Gateway))
		}
	}
	switch what, reason, remedy := c.gateway(first); len(names) {
	case 0:
	case 1:
		d.find(AreaNetworks, Broken, what, reason, remedy)
	default:
		d.find(AreaNetworks, Broken, "no interface holds the gateways of "+some(names), "the VMs find nobody at these addresses; they are let in as soon as the addresses appear", remedy+"    # and so on")
	}
}

// some names the first of a list, and counts the rest.
func some(list []string) string {
	const most = 10
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, ", ")
}

// rules sums up the firewall, whose findings are the plan's.
func (c *Case) rules(d *Diagnosis) {
	if !c.rulesSeen() {
		return
	}
	others := "no chain of others in the way"
	if n := len(c.Rules.Others); n > 0 {
		others = fmt.Sprintf("%d of others judged", n)
	}
	d.look(AreaFirewall, fmt.Sprintf("%s, port %d, %d of %d networks let through; %s",
		c.Rules.Backend, c.Spec.Port, firewall.Admitted(c.Spec, c.Rules), len(c.Spec.Networks), others))
}

// listening judges what answered at the gateways. Where the settings are wrong already, or PostgreSQL is down, silence is a
// consequence.
func (c *Case) listening(d *Diagnosis) {
	answered := 0
	var mute, unheard []string
	var first error
	for _, n := range c.Spec.Networks {
		switch err, called := c.Answers[n.Gateway]; {
		case called && err == nil:
			answered++
		case called && c.unheard(n.Gateway):
			unheard = append(unheard, n.Name)
		case called:
			mute = append(mute, fmt.Sprintf("%s (%s)", n.Gateway, n.Name))
			if first == nil {
				first = err
			}
		}
	}
	if !c.down() && len(c.Answers) > 0 {
		saw := fmt.Sprintf("PostgreSQL answers on %d of %d gateways, port %d", answered, len(c.Spec.Networks), c.Spec.Port)
		if len(unheard) > 0 {
			saw += "; it listens for " + some(unheard) + ", where a call of this host's own is dropped on the loopback"
		}
		d.look(AreaServer, saw)
	}
	if len(mute) == 0 || c.down() || d.has(AreaServer, Broken) {
		return
	}
	remedy := fmt.Sprintf("sudo ss -ltnp 'sport = :%d'; sudo nft list ruleset    # who listens where, and what rejects on the loopback", c.Spec.Port)
	d.find(AreaServer, Broken, fmt.Sprintf("PostgreSQL does not answer on %s, port %d: %v", some(mute), c.Spec.Port, first), why[AreaServer], remedy)
}

// hba says from which networks a role cannot log in. Where the file is not ours to write, the plan has refused it already.
func (c *Case) hba(d *Diagnosis) {
	if !c.serverSeen() {
		return
	}
	all := server.Judgements(c.ServerWant, c.Server)
	served := 0
	var list []string
	for _, j := range all {
		if j.Served {
			served++
			continue
		}
		list = append(list, fmt.Sprintf("%s as %s (%s)", j.Network, j.Role, j.Cause))
	}
	d.look(AreaHBA, fmt.Sprintf("%d of %d ways in are open (a role from a network)", served, len(all)))
	if len(list) == 0 || hasRefusal(c.DatabasePlan, server.HBAResource) {
		return
	}
	d.Findings = slices.DeleteFunc(d.Findings, func(f Finding) bool {
		return f.Area == AreaHBA && strings.HasPrefix(f.What, server.HBAResource+" differs")
	})
	d.find(AreaHBA, Broken, "cannot log in: "+some(list), why[AreaHBA], "sudo sessiondbd apply --only database    # first, to see the lines: sudo sessiondbd plan")
}

func hasRefusal(p plan.Plan, resource string) bool {
	return slices.ContainsFunc(p.Resources, func(r plan.Resource) bool { return r.Name == resource && len(r.Refusals) > 0 })
}

func (c *Case) database(d *Diagnosis) {
	if !c.serverSeen() {
		return
	}
	var roles []string
	for _, r := range c.RoleWant.Roles {
		shutOut(d, r.Name)
		state := "may not log in"
		if c.Roles.CanLogIn(r.Name) {
			state = "may log in, password: " + string(c.RoleWant.PasswordState(c.Roles, r.Name))
		}
		roles = append(roles, r.Name+" "+state)
	}
	d.look(AreaDatabase, fmt.Sprintf("%s, schema %04d; %s", c.ServerWant.Database, c.Schema, strings.Join(roles, "; ")))
}

// shutOut raises what is a warning for a pass: whether a role may log in is its administrator's business, but no VM is served
// while it may not.
func shutOut(d *Diagnosis, role string) {
	for i, f := range d.Findings {
		if strings.HasPrefix(f.What, "role/"+role+": it may not log in") || strings.HasPrefix(f.What, "role/"+role+": it has no password") {
			d.Findings[i].Severity = Broken
		}
	}
}

// limits tells of a VM or a role that has used up its connections: what it opens next is turned away.
func (c *Case) limits(d *Diagnosis) {
	if c.rulesSeen() && c.Spec.MaxConnections > 0 {
		for _, n := range c.Spec.Networks {
			if used := c.Rules.Used(n); used >= c.Spec.MaxConnections {
				d.find(AreaActivity, Broken, fmt.Sprintf("%s holds %d of its %d connections", n.Name, used, c.Spec.MaxConnections), "the next one is reset by the firewall, so that one VM cannot take every place",
					"sudo sessiondbd status --sessions    # what they do; then a smaller pool in the VM, or a higher firewall.max_connections_per_vm in the config")
			}
		}
	}
	for _, r := range c.RoleWant.Roles {
		if used := c.used(r.Name); r.ConnectionLimit >= 0 && used >= r.ConnectionLimit && used > 0 {
			d.find(AreaActivity, Broken, fmt.Sprintf("role %s has %d of its %d connections in use", r.Name, used, r.ConnectionLimit), "PostgreSQL refuses the next one: too many connections for role",
				"sudo sessiondbd status --sessions    # from where; then smaller pools, or a higher roles[].connection_limit in the config")
		}
	}
	if what, reason, remedy := c.full(); what != "" {
		d.find(AreaActivity, Broken, what, reason, remedy)
	}
}

// used counts the sessions of a role.
func (c *Case) used(role string) int {
	n := 0
	for _, s := range c.Sessions {
		if s.Role == role {
			n++
		}
	}
	return n
}

package operate

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"sessiondbd/internal/firewall"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// why says of each area what hangs on it.
var why = map[string]string{
	AreaFirewall:   "these rules decide who reaches PostgreSQL's port, from the VMs and from everywhere else",
	AreaServer:     "PostgreSQL has to listen where the VMs look, with the limits that keep one of them from shutting out the others",
	AreaHBA:        "pg_hba.conf decides who may try a password; its first line that matches counts",
	AreaDatabase:   "the programs in the VMs rely on the documented schema, role and rights",
	AreaUnits:      "at each boot it undoes what sessiondbd then has to repair",
	AreaPostgreSQL: "without it no VM has its sessions",
}

// asRoot is to look again as somebody who may, or, where somebody who may has looked, what mends it.
func (c *Case) asRoot(mends string) string {
	if c.Root {
		return mends
	}
	return "sudo sessiondbd doctor"
}

// Diagnose says what is wrong with a host: pure, from what was seen to findings. vm names one network whose way is followed
// hop by hop, too; empty: none.
func Diagnose(c *Case, vm string) Diagnosis {
	var d Diagnosis
	c.config(&d)
	c.services(&d)
	c.upkeep(&d)
	c.postgresql(&d)
	if c.Config == nil {
		c.networks(&d)
		c.planned(&d, c.FirewallPlan)
		c.rules(&d)
		c.planned(&d, c.DatabasePlan)
		c.listening(&d)
		c.hba(&d)
		c.database(&d)
		c.limits(&d)
	}
	c.activity(&d)
	c.disk(&d)
	c.backups(&d)
	c.oneshots(&d)
	c.restless(&d)
	if vm != "" && c.Config == nil {
		d.Way = c.way(vm)
	}
	d.finish()
	return d
}

func (c *Case) config(d *Diagnosis) {
	path := c.ConfigPath
	if path == "" {
		path = "no file: the defaults"
	}
	switch {
	case errors.Is(c.Config, fs.ErrPermission):
		d.find(AreaConfig, Unseen, c.Config.Error(), "without it nobody knows what this host should be", c.asRoot("ls -l "+path+"    # root may not read it"))
	case c.Config != nil:
		d.find(AreaConfig, Broken, c.Config.Error(),
			"daemons that run keep the config of before, and do not start with this one; networks, rules and roles were not compared with it",
			"mend the lines named, then: sudo sessiondbd config check && sudo systemctl reload-or-restart sessiondbd sessiondbd-firewall")
	default:
		d.look(AreaConfig, path)
	}
	switch {
	case errors.Is(c.Secrets, fs.ErrPermission):
		d.find(AreaSecrets, Unseen, c.Secrets.Error(), "whether the stored password is the configured one is not known", c.asRoot("ls -l the file named    # root may not read it"))
	case c.Secrets != nil:
		d.find(AreaSecrets, Broken, c.Secrets.Error(), "a password that cannot be read is not set; the one of before stays in force", "mend the file named, then: sudo sessiondbd config check && sudo systemctl restart sessiondbd")
	}
}

// area is where a resource of the plan belongs.
func (c *Case) area(resource, text string) string {
	switch {
	case slices.ContainsFunc(c.oneshotPaths(), func(path string) bool { return strings.Contains(text, path) }):
		return AreaUnits
	case strings.HasPrefix(resource, "firewall/"):
		return AreaFirewall
	case resource == "server/settings":
		return AreaServer
	case resource == "hba":
		return AreaHBA
	}
	return AreaDatabase
}

func (c *Case) oneshotPaths() (paths []string) {
	for _, u := range c.Oneshots {
		paths = append(paths, u.Path)
	}
	return paths
}

// planned turns what a pass would do, and what it would leave alone, into findings. What is blocked by another resource is
// found there.
func (c *Case) planned(d *Diagnosis, p plan.Plan) {
	rep := p.Report()
	for _, f := range p.Unobserved {
		c.unobserved(d, f)
	}
	for i, ch := range rep.Changes {
		if i > 0 && rep.Changes[i-1].Resource == ch.Resource {
			continue
		}
		n := 0
		for _, other := range rep.Changes {
			if other.Resource == ch.Resource {
				n++
			}
		}
		have, want := ch.Brief()
		what := fmt.Sprintf("%s differs from the config: %s (%s)", ch.Resource, ch.Field, transition(have, want))
		if n > 1 {
			what += fmt.Sprintf(" and %d more", n-1)
		}
		area, remedy := c.area(ch.Resource, ""), "sudo sessiondbd apply    # first, to see every line: sudo sessiondbd plan"
		if area == AreaFirewall && c.contested() {
			remedy = "sudo sessiondbd plan    # and apply only once no gateway is on two interfaces: see networks"
		}
		d.find(area, Broken, what, because(area, ch.Summary), remedy)
	}
	for _, r := range rep.Refusals {
		area := c.area(r.Resource, r.Summary)
		d.find(area, Broken, r.Resource+": "+r.Summary, because(area, "sessiondbd leaves it alone until it is settled"), r.Remedy)
	}
	for _, w := range rep.Warnings {
		area, severity := c.area(w.Resource, w.Summary), Risk
		if w.Impairs {
			severity = Broken
		}
		switch {
		case strings.HasPrefix(w.Remedy, "none needed"): // told, and nothing to mend
		case area == AreaFirewall && c.absentGateway(w.Summary): // found with the networks
		default:
			reason := why[area]
			if w.Initial {
				reason = "everybody can read it in the documentation: whoever reaches the port, from any VM, gets in with it"
			}
			d.find(area, severity, w.Resource+": "+w.Summary, reason, w.Remedy)
		}
	}
}

func because(area, reason string) string {
	if reason == "" {
		return why[area]
	}
	return reason + "; " + why[area]
}

func transition(have, want string) string {
	have, want = shorten(have, 80), shorten(want, 80)
	switch {
	case have == "":
		return "missing: " + want
	case want == "":
		return "too much: " + have
	}
	return have + " → " + want
}

// unobserved says what could not be looked at. That PostgreSQL does not answer is told once, with its units.
func (c *Case) unobserved(d *Diagnosis, f plan.Failure) {
	area := c.area(f.Resource, "")
	if area == AreaDatabase && c.down() {
		return
	}
	if slices.ContainsFunc(d.Findings, func(g Finding) bool { return g.Area == area && g.What == f.Err.Error() }) { // both families
		return
	}
	switch {
	case errors.Is(f.Err, firewall.ErrNotPermitted), postgres.ClassOf(f.Err) == postgres.NotPermitted, errors.Is(f.Err, fs.ErrPermission):
		d.find(area, Unseen, f.Err.Error(), "it could not be looked at as this user: "+why[area], c.asRoot(shutOutRemedy(f.Err)))
	case area == AreaDatabase && c.shut():
		d.find(area, Broken, f.Err.Error(), "no VM has its sessions; schema, roles and pg_hba.conf could not be looked at", c.alterDatabase("ALLOW_CONNECTIONS true"))
	case errors.Is(f.Err, firewall.ErrMissing):
		d.find(area, Broken, f.Err.Error(), why[area], "sudo apt install iptables, or choose firewall.backend in the config")
	case postgres.ClassOf(f.Err) == postgres.Busy, errors.Is(f.Err, firewall.ErrBusy):
		d.find(area, Unseen, f.Err.Error(), "whoever holds the lock keeps sessiondbd, and perhaps the VMs, waiting", "sudo sessiondbd status --sessions    # who works in the database; then try again")
	default:
		d.find(area, Unseen, f.Resource+": "+f.Err.Error(), why[area], "sudo journalctl -u sessiondbd -u 'postgresql*' -n 50")
	}
}

// shutOutRemedy is what lets root's own doctor look.
func shutOutRemedy(err error) string {
	var e *postgres.Error
	switch {
	case errors.Is(err, firewall.ErrNotPermitted):
		return "run it where root has CAP_NET_ADMIN, with the legacy iptables CAP_NET_RAW too: on the host itself, in no container"
	case errors.As(err, &e) && e.Code == "28P01":
		return "mend the password, or the user, of database.url in the config, then: sudo sessiondbd config check && sudo sessiondbd doctor"
	case errors.As(err, &e) && e.Code == "28000":
		return "put first into pg_hba.conf: local  all  postgres  peer    # then: sudo systemctl reload postgresql; or give database.url in the config a user who may log in"
	case errors.As(err, &e):
		return "database.os_user in the config has to be a user who may open the server's socket, and database.url has to name a superuser; then: sudo sessiondbd doctor"
	}
	return "see what the path named belongs to: user postgres (database.os_user in the config) has to be able to read it"
}

// down says whether PostgreSQL does not answer at all.
func (c *Case) down() bool {
	return slices.ContainsFunc(c.DatabasePlan.Unobserved, func(f plan.Failure) bool { return postgres.ClassOf(f.Err) == postgres.Unavailable })
}

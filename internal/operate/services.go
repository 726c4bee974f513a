package operate

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"sessiondbd/internal/systemd"
)

// services judges our own daemons.
func (c *Case) services(d *Diagnosis) {
	var running []string
	for _, s := range c.Services {
		switch {
		case s.Err != nil:
			d.find(AreaServices, Unseen, fmt.Sprintf("%s: %v", s.Unit, s.Err), "whether it runs, and what it verified last, is not known", c.asRoot("sudo systemctl restart "+strings.TrimSuffix(s.Unit, ".service")+"    # which writes it anew"))
		case !s.Running:
			d.find(AreaServices, Risk, s.Unit+" does not run"+stateOf(c.Units, s.Unit), c.idle(s), c.startRemedy(s))
		case s.Paused:
			d.find(AreaServices, Risk, s.Unit+" is "+s.Status, c.idle(s), "sudo sessiondbd resume")
		default:
			running = append(running, s.Unit)
		}
		c.atBoot(d, s)
		if s.Running && s.Reload != "" {
			d.find(AreaServices, Broken, s.Unit+" has refused the config on disk: "+s.Reload, "the one of before is in force, and a restart would fail",
				"sudo sessiondbd config check && sudo systemctl reload "+strings.TrimSuffix(s.Unit, ".service"))
		}
	}
	if len(running) > 0 {
		d.look(AreaServices, strings.Join(running, ", ")+" running")
	}
}

// upkeep tells of what runs by a timer, and failed when it last did. A backup that failed, or is not fit, is found with the backups.
func (c *Case) upkeep(d *Diagnosis) {
	for _, u := range [][2]string{
		{"sessiondbd-prune", "old sessions go on being kept"},
		{"sessiondbd-backup-verify", "whether the newest backup could be restored is not known"},
	} {
		if systemd.Failed(c.Units, u[0]+".service") && (u[0] == "sessiondbd-prune" || !c.Backup.Trouble()) {
			d.find(AreaServices, Risk, u[0]+".service failed when it last ran", u[1], "sudo journalctl -u "+u[0]+" -n 30; sudo systemctl start "+u[0])
		}
	}
}

// atBoot tells of a daemon that runs and would not after a boot. Where units are linked otherwise, as on NixOS, none is disabled.
func (c *Case) atBoot(d *Diagnosis, s Service) {
	name, state := strings.TrimSuffix(s.Unit, ".service"), c.UnitFiles[s.Unit]
	switch {
	case !s.Running:
	case systemd.Masked(state):
		d.find(AreaServices, Risk, s.Unit+" runs, and does not start at the next boot (it is masked)", c.idle(s), "sudo systemctl unmask "+name+" && sudo systemctl enable "+name)
	case state == "disabled":
		d.find(AreaServices, Risk, s.Unit+" runs, and does not start by itself at the next boot (it is disabled)", c.idle(s), "sudo systemctl enable "+name)
	}
}

func (c *Case) idle(s Service) string {
	if s.Part == "firewall" {
		return "the rules that stand stay, but nobody puts them back when another tool flushes them, or follows a bridge"
	}
	return "nobody repairs schema, rights or pg_hba.conf when they drift, or ends transactions that are too old"
}

func (c *Case) startRemedy(s Service) string {
	name := strings.TrimSuffix(s.Unit, ".service")
	start := "sudo systemctl enable --now " + name
	if systemd.Failed(c.Units, s.Unit) {
		start = "sudo systemctl restart " + name + "    # why it failed: sudo journalctl -u " + name + " -n 30"
	}
	if systemd.Masked(c.UnitFiles[s.Unit]) {
		return "sudo systemctl unmask " + name + " && " + start
	}
	if c.Config != nil || c.Secrets != nil {
		return "sudo sessiondbd config check && sudo systemctl restart " + name
	}
	return start
}

// stateOf is what systemd says of a unit, in brackets.
func stateOf(units []systemd.UnitState, name string) string {
	for _, u := range units {
		if u.Name == name && u.Active != "" {
			return " (" + u.Active + ")"
		}
	}
	return ""
}

// restless tells of a daemon that is not content although this look has found nothing against it.
func (c *Case) restless(d *Diagnosis) {
	for _, s := range c.Services {
		if s.Running && s.Degraded && !slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Severity != Risk }) {
			d.find(AreaServices, Risk, s.Unit+" says: "+s.Status, "what it verified last is not what this look has found: somebody may be changing it to and fro",
				"sudo journalctl -u "+strings.TrimSuffix(s.Unit, ".service")+" -n 30")
		}
	}
}

// postgresql says whether the server answers, and if not, what has become of its units.
func (c *Case) postgresql(d *Diagnosis) {
	if !c.down() {
		if v := c.Server.Value("port"); c.Config == nil && v != "" {
			d.look(AreaPostgreSQL, "answers; port "+v)
		}
		return
	}
	what := c.DatabasePlan.Unobserved[0].Err.Error()
	if c.crowded() {
		d.find(AreaPostgreSQL, Broken, what, "PostgreSQL refuses the next connection, an administrator's too; schema, roles and pg_hba.conf could not be looked at", crowd)
		return
	}
	var units []string
	for _, u := range c.Units {
		if strings.HasPrefix(u.Name, "postgresql") {
			units = append(units, u.Name+" is "+u.Active)
		}
	}
	if len(units) > 0 {
		what += " [" + strings.Join(units, ", ") + "]"
	}
	if len(c.Sockets) > 0 {
		what += "; a server listens at " + strings.Join(c.Sockets, ", ")
	}
	d.find(AreaPostgreSQL, Broken, what, why[AreaPostgreSQL]+"; schema, roles and pg_hba.conf could not be looked at", c.revive())
}

// revive is what brings a server up that does not answer.
func (c *Case) revive() string {
	remedy := "sudo systemctl start postgresql"
	for _, u := range c.Units {
		switch {
		case !strings.HasPrefix(u.Name, "postgresql"):
		case u.Active == "failed" || u.Active == "activating":
			return fmt.Sprintf("sudo systemctl restart %s    # why it is not up: sudo journalctl -u %s -n 30", u.Name, u.Name)
		case u.Active == "inactive" && strings.Contains(u.Name, "@"): // starting what all hang on starts none that is left
			remedy = "sudo systemctl start " + u.Name
		case u.Active == "active" && strings.Contains(u.Name, "@"):
			remedy = fmt.Sprintf("pg_lsclusters; sudo journalctl -u %s -n 30    # compare with database.url in the config", u.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.UnitFiles)) {
		if strings.HasPrefix(name, "postgresql") && systemd.Masked(c.UnitFiles[name]) {
			return fmt.Sprintf("sudo systemctl unmask %s && sudo systemctl start %s", name, name)
		}
	}
	if len(c.Sockets) > 0 {
		have, want := portOf(c.Sockets[0]), portOf(c.Socket)
		return fmt.Sprintf("sudo -u postgres psql -p %s -c 'SHOW config_file'    # if it is the right server: port = %s there, then: sudo systemctl restart postgresql\n"+
			"# to keep port %s: database.url with port=%s and firewall.port: %s in the config, then: sudo systemctl reload sessiondbd sessiondbd-firewall", have, want, have, have, have)
	}
	return remedy
}

// portOf is the number in the name of a socket.
func portOf(socket string) string { return strings.TrimPrefix(filepath.Ext(socket), ".") }

// oneshots tells of the scripts of before where the plan could not.
func (c *Case) oneshots(d *Diagnosis) {
	if len(c.Oneshots) == 0 {
		d.look(AreaUnits, "neither init-session-schema nor set-sessionuser-password")
	}
	for _, u := range c.Oneshots {
		if slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Area == AreaUnits && strings.Contains(f.What, u.Path) }) {
			continue
		}
		d.find(AreaUnits, Risk, fmt.Sprintf("%s of the shell scripts that sessiondbd replaces is still installed", u.Path), why[AreaUnits],
			fmt.Sprintf("sudo systemctl disable --now %s; sudo rm -r %s; sudo systemctl daemon-reload", u.Name, u.Path))
	}
}

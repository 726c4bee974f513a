package server

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sessiondbd/internal/plan"
)

// SettingsResource is the name of the resource that Settings and Restart speak of.
const SettingsResource = "server/settings"

// reserve is what must be free beside the VMs' connections: our standing one, the lock, an administrator, a backup.
const reserve = 4

// Settings is the diff of the settings that we own, early in a pass. The restart that one may need comes last: see Restart.
func Settings(w Want, o Observation) []plan.Resource {
	r := plan.Resource{Name: SettingsResource}
	verdicts := judge(w, o)
	changes := toWrite(verdicts)
	blocked := o.obstacles(&r, changes)
	for _, v := range verdicts {
		v.explain(&r, w, o)
	}
	if len(changes) > 0 && !blocked {
		step := WriteFile{
			Path: o.Local.Include.Real, Exists: o.Local.Include.Exists, Old: o.Local.Include.Content,
			Content: render(keep(w, o, changes)), Check: CheckSettings,
		}
		for _, v := range changes {
			r.Add(plan.Update, v.name, v.shown(v.current.Value), v.value(w), v.reason+"; written to "+o.Local.Include.Path, step)
		}
	}
	o.checkPort(&r, w)
	o.checkConnections(&r, w)
	o.checkBound(&r, w)
	return []plan.Resource{r}
}

func toWrite(verdicts []verdict) []verdict {
	return slices.DeleteFunc(slices.Clone(verdicts), func(v verdict) bool { return v.action != write })
}

// obstacles refuses what keeps us from writing, and says whether there was any.
func (o Observation) obstacles(r *plan.Resource, changes []verdict) bool {
	n := len(r.Refusals)
	for _, f := range o.broken() {
		ours := f.File == o.Local.Include.Path
		if ours && slices.ContainsFunc(changes, func(v verdict) bool { return v.name == f.Name }) {
			continue // about to be rewritten
		}
		if ours && f.Name == "" { // not a line with a setting that we know: the file was cut off, or written over
			r.Refuse(fmt.Sprintf("%s is damaged: %s: PostgreSQL ignores changes of its settings while it is there, and may not start again", f.File, f.Error),
				"sudo rm "+f.File+" && sudo sessiondbd apply")
			continue
		}
		r.Refuse(fmt.Sprintf("%s:%d: %s%s: PostgreSQL ignores changes of its settings while the line is there, and may not start again", f.File, f.Line, named(f.Name), f.Error),
			fmt.Sprintf("mend or remove line %d of %s, then reload: %s", f.Line, f.File, reloadCommand))
	}
	if len(changes) == 0 {
		return len(r.Refusals) > n
	}
	for _, f := range o.foreign() {
		r.Refuse(fmt.Sprintf("%s:%d: %s is not a setting of sessiondbd, which would lose it when it rewrites its file", f.File, f.Line, f.Name),
			fmt.Sprintf("move the line into a file of your own beside it, or into %s", o.facts().ConfigFile))
	}
	return len(r.Refusals) > n
}

func named(name string) string {
	if name == "" {
		return ""
	}
	return name + ": "
}

// reloadCommand makes PostgreSQL read its files again.
const reloadCommand = "sudo -u postgres psql -c 'SELECT pg_reload_conf()'"

// explain says of a setting what is not a change of our file.
func (v verdict) explain(r *plan.Resource, w Want, o Observation) {
	want := v.value(w)
	switch v.action {
	case reload:
		const why = "the files have it; PostgreSQL has not loaded them"
		if w.Manage == ManageVerify {
			r.Warn(fmt.Sprintf("%s is %s, not %s: %s", v.name, v.shown(v.running.Value), v.shown(v.current.Value), why), reloadCommand)
			return
		}
		r.Add(plan.Run, v.name, v.shown(v.running.Value), v.shown(v.current.Value), why, Reload{})
	case report:
		summary := fmt.Sprintf("%s is %q (%s), not %q: %s", v.name, v.shown(v.current.Value), v.where(), want, v.reason)
		say := r.Refuse
		if v.serves(w, v.current.Value) && v.serves(w, v.running.Value) {
			say = r.Warn
		}
		say(summary, o.settingRemedy(v, want))
	case overridden:
		r.Refuse(fmt.Sprintf("%s is set to %q by %s, which beats the %q of sessiondbd: %s", v.name, v.shown(v.current.Value), v.where(), want, v.reason), v.resetRemedy(w, o.unit()))
	}
}

// resetRemedy is the command that takes the other setting away. What is only heeded at the start wants one, where it is in force.
func (v verdict) resetRemedy(w Want, unit string) string {
	then, reloads := reloadCommand, " -c 'SELECT pg_reload_conf()'"
	if v.restart && !v.fits(w, v.running.Value) {
		then = "sudo systemctl restart " + unit
		reloads = " && " + then
	}
	switch {
	case strings.HasSuffix(v.current.File, "/postgresql.auto.conf"):
		return fmt.Sprintf("sudo -u postgres psql -c 'ALTER SYSTEM RESET %s'%s", v.name, reloads)
	case v.current.Line == 0:
		return "take " + v.name + " out of the options that PostgreSQL is started with"
	}
	return fmt.Sprintf("remove line %d of %s, or choose what it says in the server section of sessiondbd's config; then %s", v.current.Line, v.current.File, then)
}

func (o Observation) checkPort(r *plan.Resource, w Want) {
	port := o.setting("port").Value
	if port == "" || w.Port == 0 || port == strconv.Itoa(w.Port) {
		return
	}
	r.Refuse(fmt.Sprintf("PostgreSQL listens on port %s, the firewall guards port %d: no VM finds it there, and nothing of ours shuts port %s to others", port, w.Port, port),
		fmt.Sprintf("set firewall.port: %s in sessiondbd's config, or port = %d in %s", port, w.Port, o.facts().ConfigFile))
}

func (o Observation) checkConnections(r *plan.Resource, w Want) {
	number := func(name string) int {
		n, _ := strconv.Atoi(o.setting(name).Value)
		return n
	}
	have := number("max_connections")
	need := w.MaxBackends + number("superuser_reserved_connections") + number("reserved_connections") + reserve
	if have == 0 || have >= need {
		return
	}
	r.Warn(fmt.Sprintf("max_connections is %d; the VMs may open %d, and %d more are for administrators: VMs may be turned away", have, w.MaxBackends, need-w.MaxBackends),
		fmt.Sprintf("lower firewall.max_connections_per_vm in sessiondbd's config, or %s", o.maxConnections(need)))
}

// maxConnections is how the administrator raises it.
func (o Observation) maxConnections(n int) string {
	if o.Local.Config.onNixOS() {
		return fmt.Sprintf("in the NixOS configuration:\nservices.postgresql.settings.max_connections = %d;", n)
	}
	return fmt.Sprintf("put this line last into %s, then: sudo systemctl restart %s\nmax_connections = %d", o.facts().ConfigFile, o.unit(), n)
}

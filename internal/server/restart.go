package server

import (
	"fmt"
	"slices"
	"strings"

	"sessiondbd/internal/plan"
)

// Restart is the very last diff of a pass: the restart that a setting waits for. It judges by the files as Settings leaves
// them, so that one pass does both; as the same resource it is not reached when writing them failed.
func Restart(w Want, o Observation) []plan.Resource {
	r := plan.Resource{Name: SettingsResource}
	waiting := o.waiting(w)
	if len(waiting) == 0 {
		return nil
	}
	v := waiting[0]
	want := v.value(w)
	if v.action != write {
		want = v.current.Value
	}
	pending := fmt.Sprintf("%s = %s takes effect at the next restart of PostgreSQL", v.name, quoteValue(want))
	command := "sudo systemctl restart " + o.unit()
	sessions := o.sessionCount()
	switch {
	case !o.Local.Here:
		r.Refuse(pending+", whose configuration is not on this host", "on the host of PostgreSQL: "+command)
	case w.RestartNow:
		o.addRestart(&r, w, v, want, "asked for with --restart-postgresql")
	case w.Manage == ManageVerify:
		r.Refuse(pending+"; server.manage is verify", command)
	case w.Restart == RestartNever:
		r.Refuse(pending+"; server.restart is never", command)
	case sessions > 0:
		r.Refuse(fmt.Sprintf("%s; %s", pending, o.describeSessions()), "sudo sessiondbd apply --restart-postgresql")
	default:
		o.addRestart(&r, w, v, want, "nobody is connected now")
	}
	return []plan.Resource{r}
}

// waiting are the settings whose value on disk, as we leave it, waits for a restart.
func (o Observation) waiting(w Want) []verdict {
	verdicts := judge(w, o)
	// With a line that it cannot take, PostgreSQL would not come back; Settings has refused it.
	if o.obstacles(&plan.Resource{}, toWrite(verdicts)) {
		return nil
	}
	return slices.DeleteFunc(verdicts, func(v verdict) bool { return !v.pending })
}

func (o Observation) addRestart(r *plan.Resource, w Want, v verdict, want, why string) {
	summary := "PostgreSQL is restarted, because " + v.name + " takes effect only when it starts; " + why
	var others []string
	for _, s := range o.Settings {
		if s.Pending && s.Name != v.name {
			others = append(others, s.Name)
		}
	}
	if len(others) > 0 {
		summary += "; these wait for a restart, too: " + strings.Join(others, ", ")
	}
	step := RequestRestart{Unit: o.unit(), Force: w.RestartNow}
	// What PostgreSQL runs with now is what it certainly starts with. Only a line of our own file is ours to take back.
	if v.action == write || v.current.File == o.Local.Include.Path {
		list := keep(w, o, toWrite(judge(w, o)))
		for i := range list {
			if list[i].name == v.name {
				list[i].text = v.running.Value
			}
		}
		step.Undo = &Undo{o.Local.Include.Real, render(list)}
	}
	r.Add(plan.Run, "restart", v.running.Value, want, summary, step)
}

func (o Observation) sessionCount() int {
	if len(o.Sessions) == 0 {
		return 0
	}
	return o.Sessions[0].Total
}

// describeSessions says whom a restart would cut off.
func (o Observation) describeSessions() string {
	var who []string
	for _, s := range o.Sessions {
		one := s.User
		if s.Database != "" {
			one += " in " + s.Database
		}
		if s.Address != "" {
			one += " from " + s.Address
		}
		if s.Application != "" {
			one += " (" + s.Application + ")"
		}
		who = append(who, one)
	}
	n := o.sessionCount()
	if n > len(who) {
		who = append(who, "…")
	}
	if n == 1 {
		return "1 session is open: " + strings.Join(who, ", ")
	}
	return fmt.Sprintf("%d sessions are open: %s", n, strings.Join(who, ", "))
}

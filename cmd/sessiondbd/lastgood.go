package main

import (
	"context"

	"sessiondbd/internal/daemon"
	"sessiondbd/internal/firewall"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/systemd"
)

// firewallMemory has a folder of its own: the firewall's user may not enter the database's.
func firewallMemory() firewall.Memory {
	return firewall.Memory{Path: fromEnv("SESSIONDBD_STATE_DIR", "/var/lib/sessiondbd") + "-firewall/rules.json"}
}

// remember notes what the daemon has verified. That it cannot is told once: the rules themselves stand.
func (a *app) remember(h *firewallHost) func() {
	told := false
	return func() {
		var err error
		if h.spec.Backend == firewall.Off {
			err = firewallMemory().Forget()
		} else {
			err = firewallMemory().Remember(h.spec, h.last)
		}
		if err != nil && !told {
			told = true
			a.log.Warn("a start with a broken config could not put these rules up again", systemd.StateUnwritten.Attr(), "error", err)
		}
	}
}

// keepClosed is for a start whose config cannot be used. Such a config changes nothing: the rules that stand stay, and those
// that a boot has taken away come back as they were verified last. Nobody looks after them until the config is mended.
func (a *app) keepClosed(ctx context.Context) {
	const unwatched = "they are not looked after until the config is mended: sessiondbd config check"
	spec, err := firewallMemory().Recall()
	switch {
	case err != nil:
		a.log.Error("the firewall is left as it is", systemd.RulesKept.Attr(), "error", err)
		return
	case spec == nil:
		a.log.Debug("the firewall is left as it is: no earlier rules are known")
		return
	}
	h := &firewallHost{spec: *spec}
	if o, err := h.observe(ctx); err == nil && firewall.Guarded(o) {
		a.log.Warn("the firewall rules stay as they are; "+unwatched, systemd.RulesKept.Attr())
		return
	}
	out := plan.Converge(ctx, h, func(c plan.Change) {
		have, want := c.Brief()
		a.log.Info("changed", daemon.ChangeMessage(c).Attr(), "resource", c.Resource, "action", string(c.Action), "field", c.Field, "have", have, "want", want, "summary", c.Summary)
	})
	for _, f := range out.Failures {
		a.log.Error("the firewall rules of before could not be put up", systemd.StepFailed.Attr(), "resource", f.Resource, "error", f.Err)
	}
	if len(out.Failures) == 0 {
		a.log.Warn("the firewall rules of the last good config were put up; "+unwatched, systemd.RulesRestored.Attr())
	}
}

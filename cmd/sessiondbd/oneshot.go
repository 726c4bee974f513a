package main

import (
	"fmt"
	"strings"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/systemd"
)

// oneshotDoes says what the old units do to what we keep.
var oneshotDoes = map[string]string{
	"init-session-schema.service":      "grants sessionuser what it need not have and hides our alias of that name",
	"set-sessionuser-password.service": "sets the password of sessionuser to the one that is written in it",
}

// warnOneshots tells of units that are still installed beside us: at each boot they undo what we then repair.
func warnOneshots(r *plan.Resource, units []systemd.ForeignUnit) {
	for _, u := range units {
		remedy := fmt.Sprintf("sudo systemctl disable --now %s; sudo rm %s; sudo systemctl daemon-reload", u.Name, u.Path)
		switch {
		case strings.HasPrefix(u.Target, "/nix/store/"):
			remedy = fmt.Sprintf("delete systemd.services.%s from the NixOS configuration, then: sudo nixos-rebuild switch", strings.TrimSuffix(u.Name, ".service"))
		case strings.HasSuffix(u.Path, ".d"):
			remedy = fmt.Sprintf("sudo rm -r %s; sudo systemctl daemon-reload", u.Path)
			r.Warn(fmt.Sprintf("%s holds drop-ins of the shell oneshot that sessiondbd replaces; systemd adds them to sessiondbd.service", u.Path), remedy)
			r.Warnings[len(r.Warnings)-1].Oneshot = true
			continue
		case u.Name == "init-session-schema.service":
			// Stopped, because the reload makes one unit of the two: a daemon that runs is then taken for inactive, like the
			// script, and its process for a stray (systemd 252).
			remedy = fmt.Sprintf("sudo systemctl disable --now %s; sudo systemctl stop sessiondbd; sudo rm %s; sudo systemctl daemon-reload; sudo systemctl start sessiondbd", u.Name, u.Path)
		}
		r.Warn(fmt.Sprintf("the shell oneshot %s that sessiondbd replaces is still installed: it %s", u.Path, oneshotDoes[u.Name]), remedy)
		r.Warnings[len(r.Warnings)-1].Oneshot = true
	}
}

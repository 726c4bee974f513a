package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/systemd"
)

func TestWarnOneshots(t *testing.T) {
	const etc = "/etc/systemd/system/"
	tests := map[string]struct {
		units []systemd.ForeignUnit
		want  []string // remedies
	}{
		"none": {nil, nil},
		"Debian": {
			[]systemd.ForeignUnit{{Name: "init-session-schema.service", Path: etc + "init-session-schema.service", Target: etc + "init-session-schema.service"}},
			[]string{"sudo systemctl disable --now init-session-schema.service; sudo systemctl stop sessiondbd; sudo rm /etc/systemd/system/init-session-schema.service; sudo systemctl daemon-reload; sudo systemctl start sessiondbd"},
		},
		"NixOS": {
			[]systemd.ForeignUnit{{Name: "set-sessionuser-password.service", Path: etc + "set-sessionuser-password.service", Target: "/nix/store/x-unit/set-sessionuser-password.service"}},
			[]string{"delete systemd.services.set-sessionuser-password from the NixOS configuration, then: sudo nixos-rebuild switch"},
		},
		"drop-ins": {
			[]systemd.ForeignUnit{{Name: "init-session-schema.service", Path: etc + "init-session-schema.service.d", Target: etc + "init-session-schema.service.d"}},
			[]string{"sudo rm -r /etc/systemd/system/init-session-schema.service.d; sudo systemctl daemon-reload"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := plan.Resource{Name: "database/sessiondb"}
			warnOneshots(&r, tt.units)
			var have []string
			for _, w := range r.Warnings {
				have = append(have, w.Remedy)
				if w.Resource != r.Name {
					t.Errorf("warning on %s", w.Resource)
				}
			}
			if d := cmp.Diff(tt.want, have); d != "" {
				t.Error(d)
			}
		})
	}
}

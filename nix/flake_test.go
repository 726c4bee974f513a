package nix

import (
	"slices"
	"testing"
)

func TestFlake(t *testing.T) {
	e := committed(t)
	for _, system := range []string{"x86_64-linux", "aarch64-linux"} {
		if p := e.Flake.Packages[system]; p["default"] == "" || p["default"] != p["sessiondbd"] {
			t.Errorf("packages.%s: %v", system, p)
		}
		if c := e.Flake.Checks[system]; !slices.Equal(c, []string{"hypervisor", "package"}) {
			t.Errorf("checks.%s: %v", system, c)
		}
	}
	if e.Flake.Overlay != "sessiondbd" || !slices.Equal(e.Flake.Modules, []string{"default"}) {
		t.Errorf("overlay %q, modules %v", e.Flake.Overlay, e.Flake.Modules)
	}
	for _, peer := range []string{"vm1", "vm2", "outside"} {
		if e.Peers[peer] == "" {
			t.Errorf("the booted test has no %s: %v", peer, e.Peers)
		}
	}
}

package main

import (
	"path"
	"testing"
)

func TestKinds(t *testing.T) {
	const tag, body = "//go:build integration\n\n", "package p\n\nfunc TestX(t *testing.T) {}\n\nfunc (s) TestMethod() {}\n"
	for _, tt := range []struct {
		path, src string
		want      kind
	}{
		{"internal/plan/diff_test.go", body, unit},
		{"internal/plan/diff_test.go", tag + body, postgreSQL},
		{"internal/plan/diff_test.go", "//go:build linux\n\n" + body, unit},
		{"internal/plan/diff_test.go", "//go:build linux && integration\n\n" + body, postgreSQL},
		{"internal/plan/diff_test.go", "//go:build !integration\n\n" + body, unit},
		{"internal/plan/diff_test.go", "//go:build linux || integration\n\n" + body, unit},
		{"internal/plan/diff_test.go", "// Said of\n//go:build integration\n// and not meant.\n" + body, postgreSQL},
		{"internal/plan/diff_test.go", body + "\n//go:build integration\n", unit},
		{"internal/firewall/packet_test.go", body, unit},
		{"internal/firewall/packet_test.go", tag + body, iptables},
		{"nix/options_test.go", body, unit},
		{"nix/options_test.go", tag + body, nix},
		{"internal/lab/sweep_test.go", body, unit},
		{"internal/lab/sweep_test.go", tag + body, hypervisor},
		{"internal/lab/tally/sweep_test.go", tag + body, postgreSQL},
		{"cmd/sessiondbd/golden_integration_test.go", tag + body, postgreSQL},
		{"cmd/sessiondbd/golden_integration_test.go", tag + body + "var _ = reboot()\n", postgreSQL},
		{"cmd/sessiondbd/golden_integration_test.go", tag + body + "var _ = boot(t)\n", hypervisor},
		{"cmd/sessiondbd/golden_integration_test.go", tag + body + "var _ = lab.BootT(t)\n", hypervisor},
		{"cmd/sessiondbd/golden_integration_test.go", body + "var _ = lab.BootT(t)\n", unit},
		{"cmd/sessiondbd/hypervisor_integration_test.go", tag + body, hypervisor},
		{"cmd/sessiondbd/hypervisor_integration_test.go", body, unit},
	} {
		k := kinds{module: "sessiondbd", tests: map[[2]string]kind{}}
		if err := k.read(tt.path, []byte(tt.src)); err != nil {
			t.Fatal(err)
		}
		pkg := "sessiondbd/" + path.Dir(tt.path)
		if len(k.tests) != 1 || k.of(pkg, "TestX") != tt.want || k.of(pkg, "TestX/sub/test") != tt.want {
			t.Errorf("%s: %v, want %s\n%s", tt.path, k.tests, tt.want, tt.src)
		}
	}
}

// A test that no file declares counts as one that needs what its package works on.
func TestUndeclared(t *testing.T) {
	k := kinds{module: "sessiondbd"}
	for pkg, want := range map[string]kind{
		"sessiondbd/internal/firewall": iptables, "sessiondbd/internal/lab": hypervisor, "sessiondbd/internal/role": postgreSQL,
	} {
		if got := k.of(pkg, "TestNowhere"); got != want {
			t.Errorf("%s: %s, want %s", pkg, got, want)
		}
	}
}

// The checkout itself: its own tests are known.
func TestReadKinds(t *testing.T) {
	k, err := readKinds("../../..")
	if err != nil {
		t.Fatal(err)
	}
	if got := k.tests[[2]string{"sessiondbd/internal/lab/tally", "TestReadKinds"}]; got != unit {
		t.Errorf("this test is %q", got)
	}
	if got := k.tests[[2]string{"sessiondbd/internal/lab", "TestSweep"}]; got != hypervisor {
		t.Errorf("lab's TestSweep is %q", got)
	}
	if _, err := readKinds("testdata"); err == nil {
		t.Error("a folder without go.mod is a module")
	}
}

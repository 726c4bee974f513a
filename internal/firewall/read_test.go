package firewall

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTarget(t *testing.T) {
	for rule, want := range map[string]string{
		"-i lo -j RETURN":           "RETURN",
		"-p tcp -g SESSIONDB-GUARD": "SESSIONDB-GUARD",
		`-m comment --comment "x -j SESSIONDB-GUARD" -j ACCEPT`:          "ACCEPT",
		`-j ACCEPT -m comment --comment "\" -j SESSIONDB-GUARD"`:         "ACCEPT",
		`-m comment --comment "x" -j REJECT --reject-with tcp-reset`:     "REJECT",
		`-m comment --comment "only counts, like -j SESSIONDB-GUARD \\"`: "",
		"-s 10.0.0.0/8": "",
	} {
		if got := target(rule); got != want {
			t.Errorf("%s: %q, not %q", rule, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	got := parse("*mangle\n:INPUT ACCEPT [7:9]\n:SESSIONDB-GUARD - [0:0]\n:SESSIONDB-ALLOW - [0:0]\n-A FORWARD -j SESSIONDB-GUARD\n-A OTHER -j DROP\n-A SESSIONDB-ALLOW -j DROP\nCOMMIT\n" +
		"*nat\n:INPUT DROP [0:0]\n:SESSIONDB-GUARD - [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n")
	want := Ruleset{Mangle: Table{Chain: []string{}, Policy: "ACCEPT", References: []string{"FORWARD -j SESSIONDB-GUARD"}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

package firewall

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAbsent(t *testing.T) {
	_, have := small()
	have.IPv4.Mangle.References = []string{"FORWARD -i eth0 -j SESSIONDB-GUARD"}
	have.IPv6.Mangle.Input[0] = jump(mangle, 5432, have.IPv4.Mangle.Chain, true)
	want := "*filter\n-D INPUT " + allowJump + "\n-F SESSIONDB-ALLOW\n-X SESSIONDB-ALLOW\nCOMMIT\n" +
		"*mangle\n-D INPUT " + guardJump + "\n-D FORWARD -i eth0 -j SESSIONDB-GUARD\n-F SESSIONDB-GUARD\n-X SESSIONDB-GUARD\nCOMMIT\n" +
		"*filter\n-D INPUT " + allowJump6 + "\n-F SESSIONDB-ALLOW\n-X SESSIONDB-ALLOW\nCOMMIT\n" +
		"*mangle\n-D INPUT " + jump(mangle, 5432, have.IPv4.Mangle.Chain, true) + "\n-F SESSIONDB-GUARD\n-X SESSIONDB-GUARD\n-X INPUT\nCOMMIT\n"
	if d := cmp.Diff(want, inputs(Absent(have))); d != "" {
		t.Error(d)
	}
	if got := lines(Absent(Observation{Backend: NFT, IPv4: parse("*filter\n:INPUT DROP [0:0]\n-A INPUT " + strangerIn + "\nCOMMIT\n")})); len(got) > 0 {
		t.Errorf("nothing of ours is there, yet would change %q", got)
	}
}

// INPUT goes only if it was made for us and nobody has used it since.
func TestAbsentKeepsInputInUse(t *testing.T) {
	for name, alter := range map[string]func(*Table){
		"another rule": func(m *Table) { m.Input = append(m.Input, strangerIn) },
		"a policy":     func(m *Table) { m.Policy = "DROP" },
		"not made":     func(m *Table) { m.Input[0] = guardJump },
	} {
		_, have := small()
		have.IPv6.Mangle.Input[0] = jump(mangle, 5432, have.IPv4.Mangle.Chain, true)
		alter(&have.IPv6.Mangle)
		if in := inputs(Absent(have)); strings.Contains(in, "-X INPUT") {
			t.Errorf("%s: INPUT would go: %s", name, in)
		}
	}
}

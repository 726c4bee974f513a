//go:build integration

package firewall

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sessiondbd/internal/plan"
)

// absent takes away everything of ours and looks again.
func absent(t *testing.T, h *Host) {
	t.Helper()
	out := plan.Apply(t.Context(), plan.Plan{Resources: Absent(observed(t, h))}, h, func(plan.Change) {})
	if err := out.Err(); err != nil {
		t.Fatal(err)
	}
	if left := lines(Absent(observed(t, h))); len(left) > 0 {
		t.Fatalf("left after remove: %q", left)
	}
}

var noise = regexp.MustCompile(`(?m)^#.*\n|\[\d+:\d+\]|packets \d+ bytes \d+`)

// saved is every rule of the host without dates and counters.
func saved(t *testing.T) string {
	t.Helper()
	return noise.ReplaceAllString(sh(t, "iptables-nft-save; ip6tables-nft-save; iptables-legacy-save; ip6tables-legacy-save; nft list ruleset 2>/dev/null"), "")
}

// foreign is what is saved without our lines.
func foreign(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(noise.ReplaceAllString(sh(t, "iptables-nft-save; ip6tables-nft-save; iptables-legacy-save; ip6tables-legacy-save"), "")) {
		if !strings.Contains(line, "SESSIONDB-") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// others are rules as other tools leave them, with a blank, a quote and a name of ours in a comment.
const others = `
	%[1]s -A INPUT -p tcp --dport 22 -m comment --comment 'ssh "always" -j SESSIONDB' -j ACCEPT
	%[1]s -P INPUT DROP
	%[1]s -N DOCKER-USER
	%[1]s -A FORWARD -j DOCKER-USER
	%[1]s -t mangle -A INPUT -p udp --dport 53 -j MARK --set-xmark 0x1/0xffffffff
	%[1]s -t mangle -A PREROUTING -i pub -j ACCEPT
	%[1]s -t nat -A POSTROUTING -o pub -j MASQUERADE
	%[1]s -A INPUT -i lo -j ACCEPT
`

func TestDriftIsRepaired(t *testing.T) {
	inHypervisor(t, func(t *testing.T, w world) {
		listen(t)
		for _, backend := range []string{NFT, Legacy} {
			t.Run(backend, func(t *testing.T) { repairAll(t, w, backend) })
		}
	})
}

func repairAll(t *testing.T, w world, backend string) {
	ipt, ip6 := "iptables-"+backend, "ip6tables-"+backend
	// Without ICMPv6 nobody finds the host's neighbours: packets to the port would fail before they are sent.
	sh(t, fmt.Sprintf(others, ipt)+fmt.Sprintf(others, ip6)+ip6+" -A INPUT -p ipv6-icmp -j ACCEPT")
	h, spec := opened(t, backend), twoVMs()
	before := foreign(t)
	converge(t, h, spec)
	guard := `-p tcp --dport 5432 -j SESSIONDB-GUARD`
	for _, drift := range []string{
		`%s -t mangle -D INPUT 1`,
		`%s -t mangle -I INPUT 1 ` + guard,
		`%s -t mangle -A INPUT ` + guard,
		`%s -t mangle -R INPUT 1 -p tcp --dport 5433 -j SESSIONDB-GUARD`,
		`%s -t mangle -F SESSIONDB-GUARD`,
		`%s -t mangle -D SESSIONDB-GUARD -j DROP`,
		`%s -t mangle -I SESSIONDB-GUARD -j RETURN`,
		`%s -t mangle -A SESSIONDB-GUARD -j DROP`,
		`%[1]s -t mangle -D SESSIONDB-GUARD 1; %[1]s -t mangle -A SESSIONDB-GUARD -i lo -j RETURN`,
		`%[1]s -t mangle -D INPUT 1; %[1]s -t mangle -F SESSIONDB-GUARD; %[1]s -t mangle -X SESSIONDB-GUARD`,
		`%s -D INPUT 1`,
		`%[1]s -F SESSIONDB-ALLOW; %[1]s -A SESSIONDB-ALLOW -j DROP`,
		`%[1]s -D INPUT 1; %[1]s -F SESSIONDB-ALLOW; %[1]s -X SESSIONDB-ALLOW`,
	} {
		for _, tool := range []string{ipt, ip6} {
			script := fmt.Sprintf(drift, tool)
			sh(t, script)
			if len(lines(Diff(spec, observed(t, h)))) == 0 {
				t.Errorf("not seen: %s", script)
			}
			converge(t, h, spec)
			if d := cmp.Diff(before, foreign(t)); d != "" {
				t.Fatalf("repair of %q touched what is not ours:\n%s", script, d)
			}
		}
	}
	// A rule of others before ours is drift too, and stays, one place down.
	sh(t, ipt+" -I INPUT 1 -p tcp --dport 5432 -s 198.51.100.7 -j ACCEPT")
	before = foreign(t)
	converge(t, h, spec)
	if d := cmp.Diff(before, foreign(t)); d != "" {
		t.Error(d)
	}
	w.expect(t, insiders, "connected")
	w.expect(t, outsiders, "dropped")
	absent(t, h)
	sh(t, ipt+" -D INPUT -p tcp --dport 5432 -s 198.51.100.7 -j ACCEPT; "+ipt+" -P INPUT ACCEPT; "+ip6+" -P INPUT ACCEPT")
}

// After remove the host is byte for byte as before, whatever stood there before.
func TestRemoveLeavesNoTrace(t *testing.T) {
	inHypervisor(t, func(t *testing.T, w world) {
		for name, setup := range map[string]string{
			"bare":           "true",
			"plain iptables": fmt.Sprintf(others, "iptables-nft") + fmt.Sprintf(others, "ip6tables-nft"),
			"docker only":    "iptables-nft -N DOCKER-USER; iptables-nft -A FORWARD -j DOCKER-USER",
			"empty chains":   "printf '*mangle\n:INPUT ACCEPT\nCOMMIT\n*filter\n:INPUT ACCEPT\nCOMMIT\n' | iptables-nft-restore",
			"native nft":     "nft 'table inet filter { chain input { type filter hook input priority 0; policy drop; iifname lo accept; iifname { \"br-vm1\", \"br-vm2\" } accept; }; }'",
			"native ip":      "nft 'table ip filter { set s { type ipv4_addr; }; chain input { type filter hook input priority 0; ip saddr @s drop; }; }'",
		} {
			sh(t, "nft flush ruleset; "+setup)
			before := saved(t)
			h := opened(t, NFT)
			converge(t, h, twoVMs())
			if saved(t) == before {
				t.Errorf("%s: apply wrote nothing", name)
			}
			absent(t, h)
			if d := cmp.Diff(before, saved(t)); d != "" {
				t.Errorf("%s:\n%s", name, d)
			}
		}
		h, before := opened(t, Legacy), ""
		for range 2 { // the tables of legacy stay once they are loaded, so the first round only loads them
			before = saved(t)
			converge(t, h, twoVMs())
			absent(t, h)
		}
		if d := cmp.Diff(before, saved(t)); d != "" {
			t.Errorf("legacy:\n%s", d)
		}
	})
}

// Rules that stand although the firewall was switched off are named until they are gone.
func TestOffNamesWhatStands(t *testing.T) {
	inHypervisor(t, func(t *testing.T, w world) {
		spec := twoVMs()
		spec.Backend = Off
		said := func() string {
			var all []string
			for _, r := range Diff(spec, observed(t, opened(t, Off))) {
				for _, w := range r.Warnings {
					all = append(all, r.Name+": "+w.Summary)
				}
			}
			return strings.Join(all, "\n")
		}
		const alone, stands = "guarded by pg_hba.conf alone", "the rules from before still stand"
		if s := said(); !strings.Contains(s, alone) || strings.Contains(s, stands) {
			t.Errorf("bare: %s", s)
		}
		h := opened(t, NFT)
		converge(t, h, twoVMs())
		if s := said(); strings.Contains(s, alone) || strings.Count(s, stands) != 2 {
			t.Errorf("converged before: %s", s)
		}
		absent(t, h)
		if s := said(); !strings.Contains(s, alone) || strings.Contains(s, stands) {
			t.Errorf("removed: %s", s)
		}
	})
}

// rules is every rule of the host. That a table of legacy has been loaded in between is no rule.
func rules(t *testing.T) (all []string) {
	t.Helper()
	for line := range strings.Lines(saved(t)) {
		if strings.HasPrefix(line, "-A") || strings.HasPrefix(line, ":SESSIONDB") {
			all = append(all, line)
		}
	}
	slices.Sort(all)
	return all
}

// What an earlier life left in the other back end goes once the rules that replace it stand; what others have there stays.
func TestOtherBackendIsCleaned(t *testing.T) {
	inHypervisor(t, func(t *testing.T, w world) {
		listen(t)
		for _, row := range []struct{ old, used string }{{Legacy, NFT}, {NFT, Legacy}} {
			old := opened(t, row.old)
			sh(t, "iptables-"+row.old+" -A INPUT -p tcp --dport 25 -j DROP")
			before := rules(t)
			spec := twoVMs()
			spec.Networks = spec.Networks[:1]
			converge(t, old, spec)
			used := opened(t, row.used)
			var fields []string
			for _, c := range converge(t, used, twoVMs()) {
				fields = append(fields, string(c.Action)+" "+c.Field)
			}
			// What the old rules drop is dropped until they are gone: vm2 has come with the new config.
			if i, j := slices.Index(fields, "create mangle/SESSIONDB-GUARD"), slices.Index(fields, "delete "+row.old+" mangle/SESSIONDB-GUARD"); i < 0 || j < i {
				t.Errorf("%q: the new guard, then the old one away", fields)
			}
			w.expect(t, insiders, "connected")
			w.expect(t, outsiders, "dropped")
			absent(t, used)
			if d := cmp.Diff(before, rules(t)); d != "" {
				t.Errorf("%s after %s: not as it was before us:\n%s", row.used, row.old, d)
			}
			sh(t, "iptables-"+row.old+" -D INPUT -p tcp --dport 25 -j DROP; nft flush ruleset")
		}
	})
}

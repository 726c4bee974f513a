package firewall

import (
	"fmt"
	"slices"
	"strings"

	"sessiondbd/internal/plan"
)

// Diff says what has to change so that the rules are as spec wants them, family by family: first the deny, then the allow.
func Diff(spec Spec, have Observation) []plan.Resource {
	out := []plan.Resource{{Name: ipv4.resource()}, {Name: ipv6.resource()}}
	if spec.Backend == Off {
		diffOff(out, spec, have)
		return out
	}
	diffFamily(&out[0], ipv4, spec, have)
	if have.NoIPv6 {
		out[1].Warn("this kernel has no IPv6, so there is nothing to guard", "none needed: the rules follow when IPv6 appears")
		return out
	}
	diffFamily(&out[1], ipv6, spec, have)
	return out
}

// diffOff changes nothing, but a chain that is left from before still decides.
func diffOff(out []plan.Resource, spec Spec, have Observation) {
	stands := false
	for i, r := range Absent(have) {
		if len(r.Changes) > 0 {
			stands = true
			out[i].Warn("firewall.backend is off, and the rules from before still stand: who reaches the port is decided by them, and they are not kept up",
				"sudo sessiondbd remove --only firewall, or set firewall.backend: auto")
		}
		out[i].Warnings = append(out[i].Warnings, r.Warnings...)
	}
	if !stands {
		out[0].Warn(fmt.Sprintf("firewall.backend is off: port %d is guarded by pg_hba.conf alone", spec.Port),
			"set firewall.backend: auto, or guard the port with a firewall of your own")
	}
}

func diffFamily(r *plan.Resource, f family, spec Spec, have Observation) {
	in, unknown := peers(spec, f, have.Addresses)
	for _, n := range unknown {
		r.Warn(fmt.Sprintf("no interface holds %s yet: VM %s is let in as soon as its bridge appears", n.Gateway, n.Name), "ip -br address")
	}
	rules := have.ruleset(f)
	diffTable(r, f, mangle, rules.Mangle, guard(in), spec.Port)
	diffTable(r, f, filter, rules.Filter, allow(in, spec.Port), spec.Port)
	diffLeft(r, f, rules)
	diffConnections(r, f, spec, have)
	warnCutOff(r, have.Others, f, in, spec.Port)
}

// diffLeft takes away what an earlier life left in the back end that is not in use, whose DROP still counts: the allow first,
// and only when the rules that replace it stand.
func diffLeft(r *plan.Resource, f family, rules Ruleset) {
	if rules.Left == nil {
		return
	}
	at := len(r.Changes)
	for _, t := range []table{filter, mangle} {
		absentTable(r, f, t, *rules.Left.table(t))
	}
	for i := range r.Changes[at:] {
		c := &r.Changes[at+i]
		step := c.Step.(Restore)
		step.Backend = rules.LeftIn
		c.Step, c.Field = step, rules.LeftIn+" "+c.Field
		c.Summary = "from before, in the back end that is not in use: what it drops stays dropped"
	}
}

func diffTable(r *plan.Resource, f family, t table, have Table, want ruling, port uint16) {
	if have.Foreign {
		r.Refuse(fmt.Sprintf("table %s holds rules that iptables can neither read nor extend", t),
			fmt.Sprintf("nft list table %s %s", nftFamily(f), t))
		return
	}
	own := jumps(have, t)
	line := jump(t, port, want.texts(), have.Bare || madeInput(own))
	step := newRestore(f, t, have, want.texts(), line)
	diffChain(r, t, have.Chain, want, step)
	if len(own) == 1 && undigested(own[0].text) == undigested(line) && !equalChain(have.Chain, want.texts()) {
		own[0].text = line // goes with the rules that it is a digest of
	}
	diffJump(r, t, own, line, step)
}

// diffChain names each rule that is missing, too much or altered, and an order that is wrong.
func diffChain(r *plan.Resource, t table, have []string, want ruling, step Restore) {
	field := string(t) + "/" + t.chain()
	texts := want.texts()
	switch {
	case have == nil:
		why := "closes the port to everybody but those named, before any filter rule is asked"
		if t == filter {
			why = "opens the port to those named, whatever INPUT says further down"
			if len(texts) == 0 {
				why = "no network of this family is to be let in; the chain stands for when one is"
			}
		}
		r.Add(plan.Create, field, "", want.gist, why, step)
		return
	case slices.Equal(have, texts):
		return
	case len(have) == 0:
		why := "the chain is empty: nothing closes the port any more"
		if t == filter {
			why = "the chain is empty: whether a VM gets in depends on the rules of others"
		}
		r.Add(plan.Update, field, "empty", want.gist, why, step)
		return
	case sameMembers(have, texts):
		r.Add(plan.Update, field, strings.Join(have, "; "), strings.Join(texts, "; "), "the first rule that matches decides, so the order counts", step)
		return
	case len(have) == len(texts) && !shuffled(have, texts):
		for i, l := range want.rules {
			if have[i] != l.text {
				r.Add(plan.Update, field, have[i], l.text, l.why, step)
			}
		}
		return
	}
	missing, extra := difference(want, have)
	for _, l := range missing {
		r.Add(plan.Create, field, "", l.text, l.why, step)
	}
	for _, text := range extra {
		r.Add(plan.Delete, field, text, "", "nothing in the configuration asks for this rule", step)
	}
}

func diffJump(r *plan.Resource, t table, own []place, line string, step Restore) {
	if settled(own, line) {
		return
	}
	field := string(t) + "/INPUT"
	want := place{1, line}
	if len(own) == 0 {
		r.Add(plan.Create, field, "", want.String(), "leads the packets for the port to "+t.chain()+", before any rule of others", step)
		return
	}
	keep := slices.Index(own, want) // the one that is right, or else the first
	if keep < 0 {
		keep = 0
		why := "at any other place, or with another match, packets get past " + t.chain()
		if own[0].position == 1 && undigested(own[0].text) == undigested(line) {
			why = "its comment carries a digest of the rules behind it"
		}
		r.Add(plan.Update, field, own[0].String(), want.String(), why, step)
	}
	for i, j := range own {
		if i != keep {
			r.Add(plan.Delete, field, j.String(), "", "one jump to "+t.chain()+" is enough", step)
		}
	}
}

// Absent says what has to go so that nothing of ours is left: first the allow, then the deny.
func Absent(have Observation) []plan.Resource {
	var out []plan.Resource
	for _, f := range []family{ipv4, ipv6} {
		r := plan.Resource{Name: f.resource()}
		rules := have.ruleset(f)
		for _, t := range []table{filter, mangle} {
			absentTable(&r, f, t, *rules.table(t))
		}
		diffLeft(&r, f, rules)
		out = append(out, r)
	}
	return out
}

func absentTable(r *plan.Resource, f family, t table, have Table) {
	step := newRemoval(f, t, have)
	for _, j := range jumps(have, t) {
		r.Add(plan.Delete, string(t)+"/INPUT", j.String(), "", "leads to "+t.chain(), step)
	}
	for _, ref := range have.References {
		chain, _, _ := strings.Cut(ref, " ")
		r.Add(plan.Delete, string(t)+"/"+chain, ref, "", "leads to "+t.chain(), step)
	}
	if have.Chain != nil {
		r.Add(plan.Delete, string(t)+"/"+t.chain(), fmt.Sprintf("%d rules", len(have.Chain)), "", "is ours", step)
	}
}

func nftFamily(f family) string {
	if f == ipv4 {
		return "ip"
	}
	return "ip6"
}

package server

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sessiondbd/internal/plan"
)

// somebody is a role that no file names: who matches as nobody in particular.
const somebody = "\x00"

// warnBeside warns of lines of others that let somebody else than our roles in: without a password, or over the network
// to our data. What they mean for our own roles is shut by our block, and judged by verifyHBA where there is none.
func warnBeside(r *plan.Resource, w Want, o Observation) {
	var free, wide, far []string
	rules := o.rules()
	for i, rule := range rules {
		if rule.Error != "" || rule.Method == "reject" || rule.Type == "hostssl" && !o.tls() {
			continue
		}
		b := beside{rule: rule, before: rules[:i], want: w, tls: rule.Type == "hostssl" && o.tls(), groups: o.groups}
		guarded := rule.Method != "trust" && rule.Method != "ident"
		if guarded && !b.ourData() {
			continue
		}
		reach := b.reach()
		text := fmt.Sprintf("%s:%d (%s)", rule.File, rule.Line, rule)
		switch {
		case reach == nowhere:
		case !guarded && (rule.Method == "trust" || reach != near):
			free = append(free, text)
		case reach == vms:
			wide = append(wide, text)
		case reach == beyond:
			far = append(far, text)
		}
	}
	in := "in " + o.facts().HBAFile + ", then: " + reloadCommand
	if o.Local.HBA.onNixOS() {
		in = "in services.postgresql.authentication of the NixOS configuration"
	}
	if len(free) > 0 {
		r.Warn("others get in without a password: "+few(free)+": whoever comes in as a superuser reads and drops every session",
			"put scram-sha-256 (host) or peer (local) in place of trust and ident "+in)
	}
	if len(wide) > 0 {
		r.Warn("from the VMs other roles than ours may log in, too: "+few(wide)+": a hijacked VM may try passwords there, the superuser's where a line says all",
			"narrow each of these lines to the database, role and address that it is meant for, or remove it, "+in)
	}
	if len(far) > 0 {
		r.Warn(fmt.Sprintf("over the network other roles than ours may log in where %s is read: %s: nothing but the firewall keeps anybody out", w.Database, few(far)),
			"narrow each of these lines to the database, role and address that it is meant for, or remove it, "+in)
	}
}

// few lists some and counts the rest: a long list is not read.
func few(list []string) string {
	const most = 3
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %s", count(len(list)-most, "more line"))
	}
	return strings.Join(list, ", ")
}

// String is the rule as the file has it, with one spelling for networks.
func (r Rule) String() string {
	words := []string{r.Type, strings.Join(r.Databases, ","), strings.Join(r.Users, ",")}
	if r.Type != "local" {
		address := r.Address
		if p, ok := r.network(); ok {
			address = p.String()
		} else if r.Netmask != "" {
			address += " " + r.Netmask
		}
		words = append(words, address)
	}
	return strings.Join(append(words, r.Method), " ")
}

// network is the rule's, where its mask is a prefix's.
func (r Rule) network() (netip.Prefix, bool) {
	a, err := netip.ParseAddr(r.Address)
	m, merr := netip.ParseAddr(r.Netmask)
	if err != nil || merr != nil || a.BitLen() != m.BitLen() {
		return netip.Prefix{}, false
	}
	bits, ended := 0, false
	for _, b := range m.AsSlice() {
		for bit := range 8 {
			set := b&(0x80>>bit) != 0
			if set && ended {
				return netip.Prefix{}, false
			}
			if ended = !set; set {
				bits++
			}
		}
	}
	return netip.PrefixFrom(a, bits).Masked(), true
}

// beside is a rule of others among those before it.
type beside struct {
	rule   Rule
	before []Rule
	want   Want
	tls    bool
	groups func(string) []string
}

// reach says from how far a rule lets others in.
type reach int

const (
	nowhere reach = iota
	near          // the host itself
	beyond        // addresses that are no VM's
	vms
)

// reach tries the rule with those whom it may be about, and takes the furthest: from that what matters follows.
func (b beside) reach() reach {
	far, places := nowhere, b.places()
	for _, role := range b.roles() {
		for _, at := range places {
			if at.reach > far && b.first(role, at.from) {
				far = at.reach
			}
		}
	}
	return far
}

// first says whether nothing before the rule takes the login.
func (b beside) first(role string, from netip.Addr) bool {
	l := Login{Role: role, From: from, TLS: b.tls, Groups: b.groups(role)}
	return slices.ContainsFunc(b.rule.Databases, func(d string) bool {
		l.Database, l.Replication = d, b.rule.keyword(d, "replication")
		switch {
		case b.reads(d):
			l.Database = b.want.Database
		case b.rule.keyword(d, "sameuser"):
			l.Database = role
		}
		hit, _ := FirstMatch(b.before, l)
		return hit == nil
	})
}

// ourData says whether the rule leads to our database: in it, or by a copy of the whole cluster.
func (b beside) ourData() bool {
	return slices.ContainsFunc(b.rule.Databases, func(d string) bool { return b.reads(d) || b.rule.keyword(d, "replication") })
}

// reads leaves the doubtful in: an expression may match.
func (b beside) reads(d string) bool {
	return d == b.want.Database || b.rule.keyword(d, "all") || strings.HasPrefix(d, "/") || b.rule.keyword(d, "samerole")
}

// roles are those of the rule that are not ours; a group stands for members that are not.
func (b beside) roles() []string {
	var list []string
	for _, u := range b.rule.Users {
		quoted := slices.Contains(b.rule.Quoted.Users, u)
		switch {
		case slices.Contains(b.want.ours(), u):
		case !quoted && (u == "all" || strings.HasPrefix(u, "+")) || strings.HasPrefix(u, "/"):
			list = append(list, somebody)
		default:
			list = append(list, u)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

type place struct {
	from  netip.Addr
	reach reach
}

// places are addresses that stand for all from which the rule may let in.
func (b beside) places() []place {
	if b.rule.Type == "local" {
		return []place{{reach: near}}
	}
	var all []place
	add := func(a netip.Addr, r reach) {
		if a.IsLoopback() {
			r = near
		}
		if at := (place{a, r}); b.inside(at) {
			all = append(all, at)
		}
	}
	for _, role := range b.want.Roles {
		for _, n := range role.Networks {
			for _, a := range representatives(n.Prefix) {
				add(a, vms)
			}
		}
	}
	for _, a := range append(outside[1:], netip.IPv6Loopback()) {
		add(a, beyond)
	}
	if p, ok := b.rule.network(); ok {
		for _, a := range append(representatives(p), p.Addr()) {
			add(a, beyond)
		}
	}
	return all
}

func (b beside) inside(at place) bool {
	switch b.rule.Address {
	case "samehost":
		return at.reach == near
	case "samenet": // the gateways are addresses of the host
		return at.reach != beyond
	}
	in := b.rule.matchAddress(Login{From: at.from})
	return in == yes || in == unknown && at.reach == beyond // a name is of somebody else
}

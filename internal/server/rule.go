package server

import (
	"net/netip"
	"slices"
	"strings"
)

// Rule is a line of pg_hba.conf as pg_hba_file_rules shows it.
type Rule struct {
	File      string   `json:"file_name"`
	Line      int      `json:"line_number"`
	Type      string   `json:"type"` // local, host, hostssl, hostnossl, hostgssenc, hostnogssenc
	Databases []string `json:"database"`
	Users     []string `json:"user_name"`
	Address   string   `json:"address"`
	Netmask   string   `json:"netmask"`
	Method    string   `json:"auth_method"`
	Error     string   `json:"error"`
	// Quoted are the names that stand in quotes, where a keyword is a name like any other. The view does not show it.
	Quoted struct{ Databases, Users []string } `json:"-"`
}

// broken says whether the server cannot take the line, and so discards the whole file. It shows nothing of such a line; a
// hostssl line while SSL is off has an error, too, but counts as a line that never matches.
func (r Rule) broken() bool { return r.Error != "" && r.Method == "" }

// Login is somebody at the door. The zero From is the Unix socket.
type Login struct {
	Database, Role string
	From           netip.Addr
	TLS            bool
	// Replication is a physical one, which has no database.
	Replication bool
	// Groups are the roles that Role is a member of, through others too, with itself; nil: not known.
	Groups []string
}

// match is a three-valued answer, in the order in which a conjunction takes the least.
type match int

const (
	no match = iota
	unknown
	yes
)

// FirstMatch is the rule that PostgreSQL would judge a login by (PostgreSQL manual, 21.1), nil where none matches.
// Unsure are the rules before it of which this cannot be said from here: groups, regular expressions, host names.
func FirstMatch(rules []Rule, l Login) (hit *Rule, unsure []Rule) {
	for i := range rules {
		switch rules[i].match(l) {
		case yes:
			return &rules[i], unsure
		case unknown:
			unsure = append(unsure, rules[i])
		}
	}
	return nil, unsure
}

func (r *Rule) match(l Login) match {
	if r.broken() { // the server has no such rule
		return no
	}
	// One after the other, the dearest last: files of thousands of lines exist.
	answer := r.matchType(l)
	if answer != no {
		answer = min(answer, r.matchRole(l))
	}
	if answer != no {
		answer = min(answer, r.matchDatabase(l))
	}
	if answer != no {
		answer = min(answer, r.matchAddress(l))
	}
	return answer
}

func (r *Rule) matchType(l Login) match {
	local := !l.From.IsValid()
	switch r.Type {
	case "local":
		return when(local)
	case "host", "hostnogssenc":
		return when(!local)
	case "hostssl":
		return when(!local && l.TLS)
	case "hostnossl":
		return when(!local && !l.TLS)
	}
	return no // hostgssenc: no client of ours has Kerberos
}

func (r *Rule) matchAddress(l Login) match {
	from := l.From
	if r.Type == "local" || r.Address == "all" {
		return yes
	}
	network, err := netip.ParseAddr(r.Address)
	if err != nil || !from.IsValid() { // samehost, samenet, a name; where there is no address the type has answered
		return unknown
	}
	mask, err := netip.ParseAddr(r.Netmask)
	if err != nil || mask.BitLen() != network.BitLen() {
		return unknown
	}
	from = from.Unmap()
	if from.BitLen() != network.BitLen() {
		return no
	}
	a, b, m := from.AsSlice(), network.AsSlice(), mask.AsSlice()
	for i := range m {
		if a[i]&m[i] != b[i]&m[i] {
			return no
		}
	}
	return yes
}

// keyword says whether a database of the rule means what the word means.
func (r *Rule) keyword(name, word string) bool {
	return name == word && !slices.Contains(r.Quoted.Databases, name)
}

func (r *Rule) matchDatabase(l Login) match {
	return most(r.Databases, func(d string) match {
		switch {
		case l.Replication || r.keyword(d, "replication"): // the one never matches what is meant for the other
			return when(l.Replication && r.keyword(d, "replication"))
		case r.keyword(d, "all"):
			return yes
		case r.keyword(d, "sameuser"):
			return when(l.Database == l.Role)
		case r.keyword(d, "samerole") || r.keyword(d, "samegroup"):
			return l.memberOf(l.Database)
		case strings.HasPrefix(d, "/"): // a regular expression from 16 on, in quotes too
			return unknown
		}
		return when(d == l.Database)
	})
}

func (r *Rule) matchRole(l Login) match {
	return most(r.Users, func(u string) match {
		bare := !slices.Contains(r.Quoted.Users, u)
		group, plus := strings.CutPrefix(u, "+")
		switch {
		case bare && u == "all":
			return yes
		case bare && plus:
			return l.memberOf(group)
		case strings.HasPrefix(u, "/"):
			return unknown
		}
		return when(u == l.Role)
	})
}

func (l Login) memberOf(group string) match {
	if l.Groups == nil {
		return unknown
	}
	return when(slices.Contains(l.Groups, group))
}

// most is the best answer that one of the names gives.
func most(list []string, f func(string) match) match {
	best := no
	for _, s := range list {
		best = max(best, f(s))
	}
	return best
}

func when(b bool) match {
	if b {
		return yes
	}
	return no
}

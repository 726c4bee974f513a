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
}

// broken says whether the server cannot take the line, and so discards the whole file. It shows nothing of such a line; a
// hostssl line while SSL is off has an error, too, but counts as a line that never matches.
func (r Rule) broken() bool { return r.Error != "" && r.Method == "" }

// Login is somebody at the door. The zero From is the Unix socket.
type Login struct {
	Database, Role string
	From           netip.Addr
	TLS            bool
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
	for i, r := range rules {
		switch r.match(l) {
		case yes:
			return &rules[i], unsure
		case unknown:
			unsure = append(unsure, r)
		}
	}
	return nil, unsure
}

func (r Rule) match(l Login) match {
	if r.broken() { // the server has no such rule
		return no
	}
	return min(r.matchType(l), r.matchAddress(l.From), matchDatabase(r.Databases, l), matchRole(r.Users, l.Role))
}

func (r Rule) matchType(l Login) match {
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

func (r Rule) matchAddress(from netip.Addr) match {
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

// matchDatabase leaves it unknown what a quoted keyword would be: the view does not show quotes.
func matchDatabase(list []string, l Login) match {
	return slices.Max(append(each(list, func(d string) match {
		switch {
		case d == "all" || d == l.Database:
			return yes
		case d == "sameuser":
			return when(l.Database == l.Role)
		case d == "samerole" || d == "samegroup" || strings.HasPrefix(d, "/"):
			return unknown
		}
		return no // replication too: that is another kind of connection
	}), no))
}

func matchRole(list []string, role string) match {
	return slices.Max(append(each(list, func(u string) match {
		switch {
		case u == "all" || u == role:
			return yes
		case strings.HasPrefix(u, "+") || strings.HasPrefix(u, "/"):
			return unknown
		}
		return no
	}), no))
}

func each(list []string, f func(string) match) []match {
	out := make([]match, 0, len(list)+1)
	for _, s := range list {
		out = append(out, f(s))
	}
	return out
}

func when(b bool) match {
	if b {
		return yes
	}
	return no
}

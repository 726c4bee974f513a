package server

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// owned is a setting that is ours.
type owned struct {
	name   string
	reason string // why we set it: a comment in the file, the summary in the plan
	// restart: takes effect only when PostgreSQL starts.
	restart bool
	// boot is the built-in default where that is as good as ours; empty: it is not.
	boot string
	// unit is that of a plain number, as pg_settings has it; empty: the value is no number.
	unit  string
	value func(Want) string
	// fits says whether a value, as a file or pg_settings has it, is as good as ours.
	fits func(w Want, value string) bool
	// serves says whether the VMs can be served with a value that does not fit.
	serves func(w Want, value string) bool
}

// settings are all that we own, in the order of our file.
var settings = []owned{
	{
		name:    "listen_addresses",
		reason:  "the VMs connect to the gateway addresses of their networks",
		restart: true, value: listenValue, fits: listenFits, serves: listenServes,
	},
	{
		name:   "authentication_timeout",
		reason: "half-open handshakes take up connections that VMs need",
		unit:   "s",
		value:  func(Want) string { return "5s" },
		fits: func(_ Want, v string) bool {
			s, ok := seconds(v, "s")
			return ok && s <= 5
		},
		serves: whatever,
	},
	{
		// What our own connection sees is its own value: of this one the files alone tell.
		name:   "client_connection_check_interval",
		reason: "a VM that dies in a statement leaves it running, with its locks and one of the connections",
		unit:   "ms",
		value:  func(Want) string { return "5s" },
		fits: func(_ Want, v string) bool {
			s, ok := seconds(v, "ms")
			return ok && s > 0 && s <= 60
		},
		serves: whatever,
	},
	{
		name:   "password_encryption",
		reason: "a password that somebody sets by hand must be one that scram-sha-256 in pg_hba.conf lets in",
		boot:   "scram-sha-256",
		value:  func(Want) string { return "scram-sha-256" },
		fits:   func(_ Want, v string) bool { return strings.EqualFold(v, "scram-sha-256") },
		serves: whatever,
	},
}

// whatever it is, the VMs are served.
func whatever(Want, string) bool { return true }

// shown is a value for people: with the unit, where the server leaves it out.
func (s owned) shown(value string) string {
	if _, err := strconv.Atoi(value); err == nil {
		return value + s.unit
	}
	return value
}

func ownedNames() []string {
	var names []string
	for _, s := range settings {
		names = append(names, s.name)
	}
	return names
}

// listenValue puts localhost first: PostgreSQL starts as long as one address can be bound, and gateways may come later.
func listenValue(w Want) string {
	if w.Listen != ListenGateways {
		return "*"
	}
	list := []string{"localhost"}
	for _, g := range w.Gateways {
		list = append(list, g.String())
	}
	return strings.Join(list, ", ")
}

func listenFits(w Want, value string) bool {
	have := addresses(value)
	if w.Listen != ListenGateways {
		return listensEverywhere(w, have)
	}
	want := addresses(listenValue(w))
	slices.Sort(have)
	slices.Sort(want)
	return slices.Equal(slices.Compact(have), slices.Compact(want))
}

func listenServes(w Want, value string) bool {
	have := addresses(value)
	return listensEverywhere(w, have) || len(w.Gateways) > 0 && !slices.ContainsFunc(w.Gateways, func(g netip.Addr) bool {
		return !slices.Contains(have, g.String()) && !slices.Contains(have, everywhere(g))
	})
}

// listensEverywhere: an administrator who wants one address family only has reasons, as long as the gateways are of it.
func listensEverywhere(w Want, have []string) bool {
	return slices.Contains(have, "*") || len(w.Gateways) > 0 && !slices.ContainsFunc(w.Gateways, func(g netip.Addr) bool {
		return !slices.Contains(have, everywhere(g))
	})
}

// everywhere stands for all addresses of an address's family.
func everywhere(a netip.Addr) string {
	if a.Is6() {
		return "::"
	}
	return "0.0.0.0"
}

// addresses splits listen_addresses, each address in its one spelling.
func addresses(value string) []string {
	var list []string
	for a := range strings.SplitSeq(value, ",") {
		a = strings.ToLower(strings.Trim(strings.TrimSpace(a), `"`))
		if ip, err := netip.ParseAddr(a); err == nil {
			a = ip.String()
		}
		if a != "" {
			list = append(list, a)
		}
	}
	return list
}

// units are those of time settings (PostgreSQL manual, 20.1.1), in seconds.
var units = map[string]float64{"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86400}

// seconds reads a time setting; base is the unit of a plain number.
func seconds(value, base string) (float64, bool) {
	value = strings.TrimSpace(value)
	i := strings.IndexFunc(value, func(r rune) bool { return r >= 'a' && r <= 'z' })
	if i < 0 {
		i, value = len(value), value+base
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(value[:i]), 64)
	unit, known := units[value[i:]]
	return n * unit, err == nil && known
}

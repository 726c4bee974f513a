package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// packet is the first packet of a VM's connection, a SYN from somewhere in its subnet to the gateway's port, or the answer to it.
type packet struct {
	family  family
	iface   string // by which it comes or, an answer, goes; empty: it may be any
	peer    netip.Prefix
	gateway netip.Addr // not valid: it may be any
	port    uint16
	reply   bool
}

// answer is that of a rule that is asked about a packet.
type answer uint8

const (
	no answer = iota
	yes
	maybe // it asks for what is not known here
)

func truth(b bool) answer {
	if b {
		return yes
	}
	return no
}

func (a answer) not() answer {
	switch a {
	case yes:
		return no
	case no:
		return yes
	}
	return maybe
}

// matches answers one statement of a rule; what only decides or counts matches everything.
func (r *Rules) matches(kind string, body any, p packet) answer {
	m, _ := body.(map[string]any)
	switch kind {
	case "match":
		a := p.equals(m["left"], m["right"], r)
		switch text(body, "op") {
		case "==", "in":
			return a
		case "!=":
			return a.not()
		}
		return maybe // an order
	case "limit", "ct count": // an honest VM stays below it
		return truth(m["inv"] != true)
	case "quota", "osf", "socket":
		return maybe
	case "xt":
		if text(body, "type") == "match" && text(body, "name") != "comment" {
			return maybe
		}
	}
	return yes
}

// equals says whether what a rule looks at (left) is one of what it looks for.
func (p packet) equals(left, right any, r *Rules) answer {
	l, _ := left.(map[string]any)
	state, direction, side := "new", "original", "iif"
	if p.reply {
		state, direction, side = "established", "reply", "oif"
	}
	for kind, body := range l {
		key, protocol := text(body, "key"), text(body, "protocol")
		switch {
		case kind == "meta" && (key == side || key == side+"name"):
			return among(right, r, p.isInterface)
		case kind == "meta" && key == "l4proto":
			return among(right, r, is("tcp"))
		case kind == "meta" && (key == "nfproto" || key == "protocol"):
			return among(right, r, is(map[family]string{ipv4: "ipv4", ipv6: "ipv6"}[p.family], map[family]string{ipv4: "ip", ipv6: "ip6"}[p.family]))
		case kind == "ct" && key == "state":
			return among(right, r, is(state))
		case kind == "ct" && key == "direction":
			return among(right, r, is(direction))
		case kind == "payload":
			return p.field(protocol, text(body, "field"), right, r)
		case kind == "&" && !p.reply && strings.Contains(fmt.Sprint(body), "flags"): // tcp flags & (fin|syn|rst|ack) == syn
			return among(right, r, is("syn"))
		}
	}
	return maybe
}

// field answers for a header field. A header that the packet has not matches nothing.
func (p packet) field(protocol, field string, right any, r *Rules) answer {
	from, to, port, other := p.isPeer, p.isGateway, "dport", "sport"
	if p.reply {
		from, to, port, other = p.isGateway, p.isPeer, "sport", "dport"
	}
	switch protocol {
	case "tcp", "th":
		switch {
		case field == port:
			return among(right, r, p.isPort)
		case field == other:
			return among(right, r, isClientPort)
		case field == "flags" && !p.reply:
			return among(right, r, is("syn"))
		}
		return maybe
	case "udp", "icmp", "icmpv6", "sctp", "dccp", "esp", "ah", "arp":
		return no
	case "ip", "ip6":
		if (protocol == "ip") != (p.family == ipv4) {
			return no
		}
		switch field {
		case "saddr":
			return among(right, r, from)
		case "daddr":
			return among(right, r, to)
		case "protocol", "nexthdr":
			return among(right, r, is("tcp"))
		}
	}
	return maybe
}

// among asks for each of the values: of a set, of a list of flags, of a named set.
func among(right any, r *Rules, one func(any) answer) answer {
	switch v := right.(type) {
	case string:
		if set, named := r.sets[v]; named {
			return among(set, r, one)
		}
		if strings.HasPrefix(v, "@") {
			return maybe
		}
	case nil: // a set without elements
		return no
	case []any:
		best := no
		for _, item := range v {
			switch among(item, r, one) {
			case yes:
				return yes
			case maybe:
				best = maybe
			}
		}
		return best
	case map[string]any:
		if set, ok := v["set"]; ok {
			return among(set, r, one)
		}
		if elem, ok := v["elem"].(map[string]any); ok { // one with a timeout or a comment
			return among(elem["val"], r, one)
		}
	}
	return one(right)
}

// is compares with words.
func is(words ...string) func(any) answer {
	return func(v any) answer {
		s, ok := v.(string)
		if !ok {
			return maybe
		}
		return truth(slices.Contains(words, s))
	}
}

func (p packet) isInterface(v any) answer {
	name, ok := v.(string)
	if !ok || p.iface == "" {
		return maybe
	}
	if begin, wild := strings.CutSuffix(name, "*"); wild {
		return truth(strings.HasPrefix(p.iface, begin))
	}
	return truth(name == p.iface)
}

func (p packet) isPort(v any) answer {
	if n, ok := v.(float64); ok {
		return truth(n == float64(p.port))
	}
	if bounds := pairOf(v); bounds != nil {
		from, ok1 := bounds[0].(float64)
		to, ok2 := bounds[1].(float64)
		if ok1 && ok2 {
			return truth(from <= float64(p.port) && float64(p.port) <= to)
		}
	}
	return maybe
}

// isClientPort: the client's kernel took one of ten thousands. It may lie in a range, and is none that a rule names.
func isClientPort(v any) answer {
	if _, ok := v.(float64); ok {
		return no
	}
	return maybe
}

func (p packet) isGateway(v any) answer {
	if !p.gateway.IsValid() {
		return maybe
	}
	return within(v, netip.PrefixFrom(p.gateway, p.gateway.BitLen()))
}

func (p packet) isPeer(v any) answer { return within(v, p.peer) }

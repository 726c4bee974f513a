package firewall

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strings"
)

// rule is one line of a chain, spelt exactly as iptables prints it, so that drift is a comparison of texts.
type rule struct {
	text string
	why  string
}

// ruling is the contents of our chain in one table, with its one-line description.
type ruling struct {
	rules []rule
	known map[string]bool
	gist  string
}

func (r ruling) texts() []string {
	out := make([]string, 0, len(r.rules))
	for _, l := range r.rules {
		out = append(out, l.text)
	}
	return out
}

// add appends a rule unless an equal one stands already: two networks or sources may overlap.
func (r *ruling) add(text, why string) {
	if !r.known[text] {
		r.known[text] = true
		r.rules = append(r.rules, rule{text, why})
	}
}

// peer is somebody who is let in, with the interface already found.
type peer struct {
	name   string
	prefix netip.Prefix
	iface  string
	limit  int
	// gateway is the address that it connects to; not valid: any.
	gateway netip.Addr
}

// peers lists who is let in, and the networks whose interface is not known yet.
func peers(s Spec, f family, addresses map[netip.Addr]string) (in []peer, unknown []Network) {
	for _, n := range s.Networks {
		if !f.has(n.Subnet) {
			continue
		}
		iface := n.Interface
		if iface == "" {
			iface = addresses[n.Gateway]
		}
		if iface == "" {
			unknown = append(unknown, n)
			continue
		}
		in = append(in, peer{n.Name, n.Subnet.Masked(), iface, s.MaxConnections, n.Gateway})
	}
	for _, a := range s.Allow {
		if f.has(a.Prefix) {
			in = append(in, peer{name: a.Prefix.String(), prefix: a.Prefix.Masked(), iface: a.Interface})
		}
	}
	return in, unknown
}

// match is the source and interface of a peer.
func (p peer) match() string { return p.matchBy("-s", "-i") }

// matchReply is the same of what is sent to it.
func (p peer) matchReply() string { return p.matchBy("-d", "-o") }

// matchBy: iptables leaves out an address that is everybody's.
func (p peer) matchBy(address, link string) string {
	var b strings.Builder
	if p.prefix.Bits() > 0 {
		fmt.Fprintf(&b, "%s %s ", address, p.prefix)
	}
	if p.iface != "" {
		fmt.Fprintf(&b, "%s %s ", link, p.iface)
	}
	return b.String()
}

func (p peer) where() string {
	if p.iface == "" {
		return p.name
	}
	return p.name + " on " + p.iface
}

// guard is the chain in mangle. It returns those whom it knows, so that whatever comes after still judges them.
func guard(in []peer) ruling {
	r := ruling{known: map[string]bool{}}
	names := []string{"lo"}
	r.add("-i lo -j RETURN", "the host itself reaches its own PostgreSQL")
	for _, p := range in {
		r.add(p.match()+"-j RETURN", p.where()+" passes the guard")
		names = append(names, p.name)
	}
	r.add("-j DROP", "everybody else is dropped before any filter rule is asked")
	r.gist = "return " + strings.Join(names, ", ") + "; drop the rest"
	return r
}

// allow is the chain in filter.
func allow(in []peer, port uint16) ruling {
	r := ruling{known: map[string]bool{}}
	var names []string
	limit := 0
	dport := fmt.Sprintf("-p tcp -m tcp --dport %d ", port)
	for _, p := range in {
		if p.limit > 0 {
			limit = p.limit
			r.add(fmt.Sprintf("%s%s--tcp-flags FIN,SYN,RST,ACK SYN -m connlimit --connlimit-above %d --connlimit-mask %d --connlimit-saddr -j REJECT --reject-with tcp-reset",
				p.match(), dport, p.limit, p.prefix.Bits()),
				fmt.Sprintf("%s is reset beyond %d connections at a time, so that honest pools fail fast", p.name, p.limit))
		}
		r.add(p.match()+dport+"-j ACCEPT", p.where()+" is accepted whatever INPUT says further down")
		names = append(names, p.name)
	}
	r.gist = "accept nobody"
	if len(names) > 0 {
		r.gist = "accept " + strings.Join(names, ", ")
	}
	if limit > 0 {
		r.gist += fmt.Sprintf("; reset a VM beyond %d connections", limit)
	}
	return r
}

// made ends the comment of a jump for which INPUT itself had to be made, so that remove knows whose it is.
const made = " (made INPUT)"

// jump is the rule in INPUT that leads to our chain. Its comment names us, and by a digest the rules behind it: which version
// of the config a host runs shows in `iptables -S INPUT`.
func jump(t table, port uint16, chain []string, madeInput bool) string {
	comment := "deny all but the VMs"
	if t == filter {
		comment = "let the VMs in"
	}
	if madeInput {
		comment += made
	}
	return fmt.Sprintf(`-p tcp -m tcp --dport %d -m comment --comment "sessiondbd %s: %s" -j %s`, port, digest(chain), comment, t.chain())
}

// digest is the first eight hexadecimal digits of the SHA-256 of a chain's rules, one a line.
func digest(chain []string) string {
	h := sha256.New()
	for _, r := range chain {
		_, _ = io.WriteString(h, r+"\n")
	}
	return hex.EncodeToString(h.Sum(nil))[:8]
}

var digested = regexp.MustCompile(`"sessiondbd [0-9a-f]{8}: `)

// undigested is a jump without its digest, to tell where that alone has changed.
func undigested(jump string) string { return digested.ReplaceAllLiteralString(jump, `"sessiondbd: `) }

package firewall

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// BaseChain is a chain of somebody else that the kernel asks before a packet reaches PostgreSQL, or before an answer leaves. A packet
// has to pass every one of them: what we accept in ours does not count there.
type BaseChain struct {
	Family   string // ip, ip6 or inet
	Table    string
	Name     string
	Hook     string // prerouting, input, output or postrouting
	Priority int32
	Drops    bool // by policy, what no rule decides

	// Rules are what decides in it, with the chains and sets that they refer to; nil: they could not be read, for Unread.
	Rules  *Rules
	Unread string
}

// asked says whether the kernel asks it about packets of a family.
func (c BaseChain) asked(f family) bool { return c.Family == "inet" || c.Family == nftFamily(f) }

// outward says whether it is on the way of answers.
func (c BaseChain) outward() bool { return c.Hook == "output" || c.Hook == "postrouting" }

// cutsOff says whether its rules certainly drop what opens a peer's connection, or the answer to that.
func (c BaseChain) cutsOff(p peer, f family, port uint16) bool {
	return c.Rules.judge(c, packet{family: f, iface: p.iface, peer: p.prefix, gateway: p.gateway, port: port, reply: c.outward()}) == dropped
}

// String names the chain as nft does.
func (c BaseChain) String() string { return c.Family + " " + c.Table + " " + c.Name }

// foreign finds the base chains of others that our packets pass, and reads their rules. What is ours to write to
// (INPUT in mangle and filter, where our jump stands first) and address translation are none of them.
func (h *Host) foreign(ctx context.Context) ([]BaseChain, error) {
	before, err := rulesetGeneration()
	if err != nil || before != 0 && before == h.seen.generation {
		return h.seen.chains, err
	}
	chains, err := baseChains()
	if err != nil {
		return nil, err
	}
	read := map[string]*Rules{}
	for i, c := range chains {
		of := c.Family + " " + c.Table
		if _, done := read[of]; !done {
			var why string
			if read[of], why = h.rules(ctx, c.Family, c.Table); why != "" {
				chains[i].Unread = why
			}
		}
		chains[i].Rules = read[of]
	}
	h.seen = sight{before, chains}
	return chains, ctx.Err()
}

// sight is what was read of others at a generation of the kernel's ruleset.
type sight struct {
	generation uint32
	chains     []BaseChain
}

// rules reads one table. Somebody else's rules never keep ours from being written: what cannot be read is told as that.
func (h *Host) rules(ctx context.Context, f, t string) (*Rules, string) {
	nft := lookPath(h.dirs, "nft")
	if nft == "" {
		return nil, "nft is not installed"
	}
	text, err := h.run(ctx, "", nft, "--json", "list", "table", f, t)
	if err != nil {
		return nil, err.Error()
	}
	r, err := parseRules(text)
	if err != nil {
		return nil, err.Error()
	}
	return r, ""
}

var hooks = map[uint32]string{
	unix.NF_INET_PRE_ROUTING: "prerouting", unix.NF_INET_LOCAL_IN: "input",
	unix.NF_INET_LOCAL_OUT: "output", unix.NF_INET_POST_ROUTING: "postrouting",
}

var families = map[uint8]string{unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6", unix.NFPROTO_INET: "inet"}

// baseChains lists them in the order in which the kernel asks them.
func baseChains() ([]BaseChain, error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, netlinkError("nftables", err)
	}
	defer c.Close()
	msgs, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: nftType(unix.NFT_MSG_GETCHAIN), Flags: netlink.Request | netlink.Dump},
		Data:   []byte{unix.AF_UNSPEC, 0, 0, 0},
	})
	switch {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EPROTONOSUPPORT):
		return nil, nil // a kernel without nftables
	case err != nil:
		return nil, netlinkError("nftables: list of chains", err)
	}
	var list []BaseChain
	for _, m := range msgs {
		if b, ok := parseChain(m.Data); ok {
			list = append(list, b)
		}
	}
	slices.SortStableFunc(list, func(a, b BaseChain) int { return int(a.Priority) - int(b.Priority) })
	return list, nil
}

// parseChain reads struct nfgenmsg with the attributes of a chain (linux/netfilter/nf_tables.h), and says whether it is a
// base chain that concerns us: one that accepts everything does not.
func parseChain(b []byte) (c BaseChain, ok bool) {
	if len(b) < 4 {
		return c, false
	}
	ad, err := netlink.NewAttributeDecoder(b[4:])
	if err != nil {
		return c, false
	}
	ad.ByteOrder = binary.BigEndian
	c.Family = families[b[0]]
	kind, rules := "", uint32(1)
	for ad.Next() {
		switch ad.Type() {
		case unix.NFTA_CHAIN_TABLE:
			c.Table = ad.String()
		case unix.NFTA_CHAIN_NAME:
			c.Name = ad.String()
		case unix.NFTA_CHAIN_TYPE:
			kind = ad.String()
		case unix.NFTA_CHAIN_POLICY:
			c.Drops = ad.Uint32() == 0 // NF_DROP
		case unix.NFTA_CHAIN_USE: // how many rules a base chain has
			rules = ad.Uint32()
		case unix.NFTA_CHAIN_HOOK:
			ad.Nested(func(hook *netlink.AttributeDecoder) error {
				for hook.Next() {
					switch hook.Type() {
					case unix.NFTA_HOOK_HOOKNUM:
						c.Hook = hooks[hook.Uint32()]
					case unix.NFTA_HOOK_PRIORITY:
						c.Priority = int32(hook.Uint32())
					}
				}
				return hook.Err()
			})
		}
	}
	ours := c.Name == "INPUT" && c.Family != "inet" && (c.Table == string(mangle) || c.Table == string(filter))
	return c, ad.Err() == nil && c.Family != "" && c.Hook != "" && kind != "nat" && !ours && (c.Drops || rules > 0)
}

// rulesetGeneration counts the transactions that changed the kernel's ruleset; 0: it does not tell.
func rulesetGeneration() (uint32, error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return 0, netlinkError("nftables", err)
	}
	defer c.Close()
	msgs, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: nftType(unix.NFT_MSG_GETGEN), Flags: netlink.Request},
		Data:   []byte{unix.AF_UNSPEC, 0, 0, 0},
	})
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return 0, netlinkError("nftables: generation", err)
	}
	if err != nil {
		return 0, nil // a kernel without nftables has none
	}
	for _, m := range msgs {
		if e, ok := parseGeneration(m); ok {
			return e.id, nil
		}
	}
	return 0, nil
}

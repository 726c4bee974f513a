package firewall

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// generationEvent is the event that ends each nftables transaction.
type generationEvent struct {
	id   uint32
	name string // of the process that committed it; empty: the kernel did not tell
	pid  uint32
}

// parseGeneration reads who committed what, from an event or from the answer to NFT_MSG_GETGEN. The single objects that
// went before it say nothing that a new observation would not.
func parseGeneration(m netlink.Message) (e generationEvent, ok bool) {
	if m.Header.Type != nftType(unix.NFT_MSG_NEWGEN) || len(m.Data) < 4 {
		return e, false
	}
	ad, err := netlink.NewAttributeDecoder(m.Data[4:])
	if err != nil {
		return e, true
	}
	ad.ByteOrder = binary.BigEndian
	for ad.Next() {
		switch ad.Type() {
		case unix.NFTA_GEN_ID:
			e.id = ad.Uint32()
		case unix.NFTA_GEN_PROC_NAME:
			e.name = ad.String()
		case unix.NFTA_GEN_PROC_PID:
			e.pid = ad.Uint32()
		}
	}
	return e, true
}

func (e generationEvent) reason() string {
	if e.name == "" {
		return "nftables changed"
	}
	return fmt.Sprintf("nftables changed by %s[%d]", e.name, e.pid)
}

// readRoute reads what happened to an address or a link.
func readRoute(m netlink.Message) string {
	switch m.Header.Type {
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		addr, index, ok := parseAddress(m.Data)
		if !ok {
			return resync
		}
		if m.Header.Type == unix.RTM_DELADDR {
			return fmt.Sprintf("address %s left %s", addr, linkName(index))
		}
		return fmt.Sprintf("address %s appeared on %s", addr, linkName(index))
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		name := parseLink(m.Data)
		if name == "" {
			return resync
		}
		if m.Header.Type == unix.RTM_DELLINK {
			return "link " + name + " removed"
		}
		return "link " + name + " changed"
	}
	return ""
}

// parseLink reads the name behind struct ifinfomsg, or "".
func parseLink(b []byte) string {
	if len(b) < unix.SizeofIfInfomsg {
		return ""
	}
	ad, err := netlink.NewAttributeDecoder(b[unix.SizeofIfInfomsg:])
	if err != nil {
		return ""
	}
	for ad.Next() {
		if ad.Type() == unix.IFLA_IFNAME {
			return ad.String()
		}
	}
	return ""
}

// linkName is best effort: the link may be gone by now.
func linkName(index int) string {
	if l, err := net.InterfaceByIndex(index); err == nil {
		return l.Name
	}
	return fmt.Sprintf("link %d", index)
}

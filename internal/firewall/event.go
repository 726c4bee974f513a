package firewall

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// readGeneration reads the event that ends each nftables transaction; it names who committed it. The single objects
// that went before it say nothing that a new observation would not.
func readGeneration(m netlink.Message) string {
	if m.Header.Type != nftType(unix.NFT_MSG_NEWGEN) || len(m.Data) < 4 {
		return ""
	}
	ad, err := netlink.NewAttributeDecoder(m.Data[4:])
	if err != nil {
		return "nftables changed"
	}
	ad.ByteOrder = binary.BigEndian
	name, pid := "", uint32(0)
	for ad.Next() {
		switch ad.Type() {
		case unix.NFTA_GEN_PROC_NAME:
			name = ad.String()
		case unix.NFTA_GEN_PROC_PID:
			pid = ad.Uint32()
		}
	}
	if ad.Err() != nil || name == "" {
		return "nftables changed"
	}
	return fmt.Sprintf("nftables changed by %s[%d]", name, pid)
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

package firewall

import (
	"encoding/binary"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// addresses maps each address of this machine to the name of its interface, with two questions to the kernel whatever
// the number of interfaces. Of two that hold the same address the one with the lower index counts.
func addresses() (map[netip.Addr]string, error) {
	names, msgs, err := routeDump(unix.RTM_GETADDR, unix.SizeofIfAddrmsg, "list of addresses")
	if err != nil {
		return nil, err
	}
	out := make(map[netip.Addr]string, len(msgs))
	holder := map[netip.Addr]int{}
	for _, m := range msgs {
		addr, index, ok := parseAddress(m.Data)
		if !ok || names[index] == "" {
			continue
		}
		if other, held := holder[addr]; held && other < index {
			continue
		}
		out[addr], holder[addr] = names[index], index
	}
	return out, nil
}

// parseAddress reads struct ifaddrmsg with its attributes. On a point-to-point link IFA_ADDRESS is the other side's, and
// IFA_LOCAL ours.
func parseAddress(b []byte) (addr netip.Addr, index int, ok bool) {
	if len(b) < unix.SizeofIfAddrmsg {
		return addr, 0, false
	}
	index = int(binary.NativeEndian.Uint32(b[4:8]))
	ad, err := netlink.NewAttributeDecoder(b[unix.SizeofIfAddrmsg:])
	if err != nil {
		return addr, 0, false
	}
	local := false
	for ad.Next() {
		switch ad.Type() {
		case unix.IFA_LOCAL:
			local = true
			addr, ok = netip.AddrFromSlice(ad.Bytes())
		case unix.IFA_ADDRESS:
			if !local {
				addr, ok = netip.AddrFromSlice(ad.Bytes())
			}
		}
	}
	return addr, index, ok && ad.Err() == nil
}

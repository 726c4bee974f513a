package firewall

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Neighbour is somebody on a link of this machine, as the kernel has met it (ip-neighbour(8)).
type Neighbour struct {
	Address   netip.Addr
	Interface string
	Hardware  string // its address on the link; empty: it has not answered
	// Failed says that the kernel asked and got no answer.
	Failed bool
}

// Met says whether somebody is there, as far as the kernel remembers.
func (n Neighbour) Met() bool { return !n.Failed && n.Hardware != "" }

// Neighbours lists whom the kernel knows, over both families. Everybody may ask, and asking talks to nobody.
func Neighbours() ([]Neighbour, error) {
	names, msgs, err := routeDump(unix.RTM_GETNEIGH, unix.SizeofNdMsg, "list of neighbours")
	if err != nil {
		return nil, err
	}
	var list []Neighbour
	for _, m := range msgs {
		if n, index, ok := parseNeighbour(m.Data); ok {
			n.Interface = names[index]
			list = append(list, n)
		}
	}
	return list, nil
}

// parseNeighbour reads struct ndmsg with its attributes.
func parseNeighbour(b []byte) (n Neighbour, index int, ok bool) {
	if len(b) < unix.SizeofNdMsg {
		return n, 0, false
	}
	index = int(binary.NativeEndian.Uint32(b[4:8]))
	n.Failed = binary.NativeEndian.Uint16(b[8:10])&(unix.NUD_FAILED|unix.NUD_INCOMPLETE) != 0
	ad, err := netlink.NewAttributeDecoder(b[unix.SizeofNdMsg:])
	if err != nil {
		return n, 0, false
	}
	for ad.Next() {
		switch ad.Type() {
		case unix.NDA_DST:
			n.Address, ok = netip.AddrFromSlice(ad.Bytes())
		case unix.NDA_LLADDR:
			n.Hardware = net.HardwareAddr(ad.Bytes()).String()
		}
	}
	return n, index, ok && ad.Err() == nil
}

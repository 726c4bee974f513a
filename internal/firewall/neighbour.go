package firewall

import (
	"encoding/binary"
	"fmt"
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

// Neighbours lists whom the kernel knows, over both families. Everybody may ask, and asking talks to nobody.
func Neighbours() ([]Neighbour, error) {
	links, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list of interfaces: %w", err)
	}
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Index] = l.Name
	}
	c, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return nil, netlinkError("rtnetlink", err)
	}
	defer c.Close()
	msgs, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETNEIGH, Flags: netlink.Request | netlink.Dump},
		Data:   make([]byte, unix.SizeofNdMsg), // AF_UNSPEC: both families
	})
	if err != nil {
		return nil, netlinkError("rtnetlink: list of neighbours", err)
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

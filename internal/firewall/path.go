package firewall

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// ErrNoPath says that the kernel sends nothing that way: no route leads there, or one that refuses.
var ErrNoPath = errors.New("no route leads there")

// refusals are what rtnetlink answers where a route says so (ip-route(8)).
var refusals = map[unix.Errno]string{
	unix.ENETUNREACH: "the network is unreachable", unix.EHOSTUNREACH: "a route says unreachable",
	unix.EACCES: "a route says prohibit", unix.EINVAL: "a route says blackhole",
}

// Path is by which interface a packet of this machine's leaves, from an address of its own, as `ip route get` tells. Everybody
// may ask, and asking sends nothing. Errors: ErrNoPath.
func Path(from, to netip.Addr) (iface string, err error) {
	c, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return "", netlinkError("rtnetlink", err)
	}
	defer c.Close()
	question := make([]byte, unix.SizeofRtMsg) // struct rtmsg: family, then the lengths of both addresses
	question[0], question[1], question[2] = unix.AF_INET, byte(to.BitLen()), byte(from.BitLen())
	if to.Is6() {
		question[0] = unix.AF_INET6
	}
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.RTA_DST, to.AsSlice())
	ae.Bytes(unix.RTA_SRC, from.AsSlice())
	attributes, err := ae.Encode()
	if err != nil {
		return "", fmt.Errorf("rtnetlink: %w", err)
	}
	answers, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETROUTE, Flags: netlink.Request},
		Data:   append(question, attributes...),
	})
	var no unix.Errno
	if errors.As(err, &no) && refusals[no] != "" {
		return "", fmt.Errorf("%w: %s", ErrNoPath, refusals[no])
	}
	if err != nil {
		return "", netlinkError("rtnetlink: route", err)
	}
	for _, m := range answers {
		if index, ok := parsePath(m.Data); ok {
			link, err := net.InterfaceByIndex(index)
			if err != nil { // gone meanwhile
				return "", err
			}
			return link.Name, nil
		}
	}
	return "", ErrNoPath
}

// parsePath reads struct rtmsg with its attributes.
func parsePath(b []byte) (index int, ok bool) {
	if len(b) < unix.SizeofRtMsg {
		return 0, false
	}
	ad, err := netlink.NewAttributeDecoder(b[unix.SizeofRtMsg:])
	if err != nil {
		return 0, false
	}
	for ad.Next() {
		if ad.Type() == unix.RTA_OIF && len(ad.Bytes()) == 4 {
			index, ok = int(binary.NativeEndian.Uint32(ad.Bytes())), true
		}
	}
	return index, ok && ad.Err() == nil
}

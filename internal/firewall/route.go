package firewall

import (
	"fmt"
	"net"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// routeDump asks rtnetlink(7) for all of one type, of both families (AF_UNSPEC), and returns the answers and the names of the
// interfaces by their indices. Header is the size of the question's own header, what names it in errors.
func routeDump(question netlink.HeaderType, header int, what string) (names map[int]string, answers []netlink.Message, err error) {
	links, err := net.Interfaces()
	if err != nil {
		return nil, nil, fmt.Errorf("list of interfaces: %w", err)
	}
	names = make(map[int]string, len(links))
	for _, l := range links {
		names[l.Index] = l.Name
	}
	c, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return nil, nil, netlinkError("rtnetlink", err)
	}
	defer c.Close()
	answers, err = c.Execute(netlink.Message{
		Header: netlink.Header{Type: question, Flags: netlink.Request | netlink.Dump},
		Data:   make([]byte, header),
	})
	if err != nil {
		return nil, nil, netlinkError("rtnetlink: "+what, err)
	}
	return names, answers, nil
}

package firewall

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Connection is one that somebody holds with the port.
type Connection struct {
	Local, Remote netip.AddrPort
	// id is the kernel's struct inet_diag_sockid with a cookie, which no later socket bears.
	id [diagIDSize]byte
}

// Of linux/inet_diag.h and linux/sock_diag.h, which x/sys does not have.
const (
	sockDiagByFamily = 20
	sockDestroy      = 21
	diagIDSize       = 48 // struct inet_diag_sockid
	diagHeadSize     = 8  // what is before it in inet_diag_req_v2
	diagIDAt         = 4  // where it stands in inet_diag_msg
	tcpEstablished   = 1
	tcpCloseWait     = 8
	tcpListen        = 10
)

// connections lists who is connected to a port of this machine, over both families.
func connections(port uint16) ([]Connection, error) {
	return sockets(port, 1<<tcpEstablished|1<<tcpCloseWait, "list of connections")
}

// Listeners are the addresses of this machine at which somebody listens on a port, the unspecified one of a family for all of
// it. Everybody may ask.
func Listeners(port uint16) ([]netip.Addr, error) {
	open, err := sockets(port, 1<<tcpListen, "list of listeners")
	var list []netip.Addr
	for _, s := range open {
		list = append(list, s.Local.Addr())
	}
	return list, err
}

// sockets lists those of a port that are in one of the states, over both families.
func sockets(port uint16, states uint32, what string) ([]Connection, error) {
	c, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return nil, netlinkError(what, err)
	}
	defer c.Close()
	var list []Connection
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		var id [diagIDSize]byte
		binary.BigEndian.PutUint16(id[:], port)
		msgs, err := c.Execute(netlink.Message{
			Header: netlink.Header{Type: sockDiagByFamily, Flags: netlink.Request | netlink.Dump},
			Data:   diagRequest(family, states, id),
		})
		switch {
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP):
			continue // a kernel without this family, or that does not tell
		case err != nil:
			return nil, netlinkError(what, err)
		}
		for _, m := range msgs {
			if conn, ok := parseConnection(m.Data); ok && conn.Local.Port() == port {
				list = append(list, conn)
			}
		}
	}
	return list, nil
}

// diagRequest is struct inet_diag_req_v2.
func diagRequest(family uint8, states uint32, id [diagIDSize]byte) []byte {
	b := make([]byte, diagHeadSize, diagHeadSize+diagIDSize)
	b[0], b[1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[4:], states)
	return append(b, id[:]...)
}

// parseConnection reads struct inet_diag_msg.
func parseConnection(b []byte) (c Connection, ok bool) {
	if len(b) < diagIDAt+diagIDSize {
		return c, false
	}
	copy(c.id[:], b[diagIDAt:])
	address := func(at int) netip.Addr {
		if b[0] == unix.AF_INET {
			return netip.AddrFrom4([4]byte(c.id[at:]))
		}
		return netip.AddrFrom16([16]byte(c.id[at:])).Unmap()
	}
	c.Local = netip.AddrPortFrom(address(4), binary.BigEndian.Uint16(c.id[0:]))
	c.Remote = netip.AddrPortFrom(address(20), binary.BigEndian.Uint16(c.id[2:]))
	return c, true
}

// cut ends a connection from this side: the peer gets a reset, who serves it an error (tcp_abort, as `ss -K` does). One that
// has ended meanwhile is as it should be.
func (c Connection) cut() error {
	nl, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return netlinkError("cut", err)
	}
	defer nl.Close()
	// A socket for both families is IPv6 to the kernel, whatever it talks; its id then has more than four bytes of address.
	family := uint8(unix.AF_INET)
	if c.Local.Addr().Is6() || [12]byte(c.id[8:20]) != [12]byte{} {
		family = unix.AF_INET6
	}
	_, err = nl.Execute(netlink.Message{
		Header: netlink.Header{Type: sockDestroy, Flags: netlink.Request | netlink.Acknowledge},
		Data:   diagRequest(family, ^uint32(0), c.id),
	})
	switch {
	case err == nil, errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("%w: %w", errNoDestroy, err)
	}
	return netlinkError(fmt.Sprintf("cut %s", c.Remote), err)
}

var errNoDestroy = errors.New("this kernel cannot end connections (CONFIG_INET_DIAG_DESTROY); end them with: sudo -u postgres psql -c 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE …'")

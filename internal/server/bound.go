package server

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// Socket is a listening one of the server's host, as a line of /proc/net/tcp or tcp6 (proc(5)).
type Socket struct {
	Line string `json:"line"`
}

// socketsSQL asks the server, whose network ours need not be. It finds nothing where there is no such file.
const socketsSQL = `SELECT line FROM string_to_table(concat(pg_read_file('/proc/net/tcp', 0, 1048576, true),
	pg_read_file('/proc/net/tcp6', 0, 1048576, true)), E'\n') line WHERE line LIKE '% 0A %'`

func socketsQuery(into *Observation) postgres.Query {
	return postgres.Query{Name: "listening sockets", SQL: socketsSQL, Into: &into.Sockets}
}

// unbound are the gateway addresses on which the server should listen and does not: one that is not there when it starts
// is skipped, never tried again, and still stands in listen_addresses.
func (o Observation) unbound(w Want) []netip.Addr {
	if w.Listen != ListenGateways || len(o.Sockets) == 0 || !listenFits(w, o.setting("listen_addresses").Value) {
		return nil
	}
	bound := map[string]bool{}
	for _, s := range o.Sockets {
		if a, ok := s.local(); ok && fmt.Sprint(a.Port()) == o.setting("port").Value {
			bound[a.Addr().String()] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(w.Gateways), func(g netip.Addr) bool {
		return bound[g.String()] || bound[everywhere(g)]
	})
}

// local reads the second field: the address as hexadecimal words in the machine's byte order, a colon, the port.
func (s Socket) local() (netip.AddrPort, bool) {
	fields := strings.Fields(s.Line)
	if len(fields) < 2 {
		return netip.AddrPort{}, false
	}
	address, number, _ := strings.Cut(fields[1], ":")
	b, err := hex.DecodeString(address)
	port, perr := hex.DecodeString(number)
	if err != nil || perr != nil || len(port) != 2 || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(b, 4) {
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	a, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(port)), ok
}

func (o Observation) checkBound(r *plan.Resource, w Want) {
	var names []string
	family := "ipv4"
	for _, g := range o.unbound(w) {
		names = append(names, g.String())
		if g.Is6() {
			family = "ipv6"
		}
	}
	if len(names) == 0 {
		return
	}
	r.Warn(fmt.Sprintf("PostgreSQL does not listen on %s: it was not there when PostgreSQL started, and no VM behind it can connect", strings.Join(names, ", ")),
		fmt.Sprintf("once `ip -br address` shows it: sudo systemctl restart %s\nfor bridges that always come later: echo 'net.%s.ip_nonlocal_bind = 1' | sudo tee -a /etc/sysctl.d/50-sessiondbd.conf && sudo sysctl --system, then the same",
			o.unit(), family))
}

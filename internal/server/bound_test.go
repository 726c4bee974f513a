package server

import (
	"strings"
	"testing"
)

// Lines of /proc/net/tcp and tcp6 as a little-endian machine, which all that we build for are, prints them.
const (
	on10101   = "   0: 0100010A:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   100        0 2570162 1"
	on10201   = "   1: 0100020A:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   100        0 2570163 1"
	on10201x  = "   1: 0100020A:1539 00000000:0000 0A 00000000:00000000 00:00000000 00000000   100        0 2570163 1" // port 5433
	loopback  = "   2: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   100        0 2570161 1"
	anywhere  = "   0: 00000000:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   100        0 2516433 1"
	anywhere6 = "   0: 00000000000000000000000000000000:1538 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000   100        0 2516434 1"
	onFD10    = "   0: 020010FD000000000000000001000000:1538 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000   100        0 2516434 1"
)

// A gateway that was not there when PostgreSQL started is neither counted nor passed over in silence.
func TestUnboundGateway(t *testing.T) {
	for _, row := range []struct {
		name     string
		listen   string
		sockets  []string
		says     string
		networks int
	}{
		{"one is missing", ListenGateways, []string{loopback, on10101}, "does not listen on 10.2.0.1: ", 1},
		{"both are there", ListenGateways, []string{loopback, on10101, on10201}, "", 2},
		{"another server's port", ListenGateways, []string{on10101, on10201x}, "does not listen on 10.2.0.1: ", 1},
		{"both are missing", ListenGateways, []string{loopback}, "does not listen on 10.1.0.1, 10.2.0.1: ", 0},
		{"every address", ListenGateways, []string{anywhere}, "", 2},
		{"every address of the other family", ListenGateways, []string{anywhere6}, "does not listen on 10.1.0.1, 10.2.0.1: ", 0},
		{"it cannot be known", ListenGateways, nil, "", 2},
		{"a line that is no socket's", ListenGateways, []string{on10101, on10201, "sl", "0: xy:1538"}, "", 2},
		{"everywhere is wanted", ListenAll, []string{loopback}, "", 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := baseWant()
			w.Listen = row.listen
			o := settled(w)
			for i, net := range []string{"10.1.0.0", "10.2.0.0"} {
				o.Rules = append(o.Rules, Rule{Line: i + 1, Type: "host", Databases: []string{"sessiondb"}, Users: []string{"sessionuser"}, Address: net, Netmask: "255.255.255.0", Method: "scram-sha-256"})
			}
			for _, line := range row.sockets {
				o.Sockets = append(o.Sockets, Socket{line})
			}
			got := flat(Settings(w, o))
			if row.says == "" && got != "" || !strings.Contains(got, row.says) {
				t.Errorf("says %q, want %q", got, row.says)
			}
			if n := Admitted(w, o); n != row.networks || !Serves(w, o) {
				t.Errorf("%d networks, want %d; serves: %v", n, row.networks, Serves(w, o))
			}
		})
	}
}

func TestSocketAddress(t *testing.T) {
	for line, want := range map[string]string{on10101: "10.1.0.1:5432", onFD10: "[fd10:2::1]:5432", anywhere6: "[::]:5432"} {
		if a, ok := (Socket{line}).local(); !ok || a.String() != want {
			t.Errorf("%q: %s, %v; want %s", line, a, ok, want)
		}
	}
}

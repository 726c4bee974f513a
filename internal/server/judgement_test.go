package server

import (
	"net/netip"
	"testing"
)

func TestMayLogIn(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	rule := func(typ, users, address, method string) Rule {
		return Rule{File: "f", Line: 7, Type: typ, Databases: []string{"all"}, Users: []string{users}, Address: address, Method: method}
	}
	host, regexp := rule("host", "all", "127.0.0.1", "scram-sha-256"), rule("host", "/^s", "127.0.0.1", "reject")
	host.Netmask, regexp.Netmask = "255.255.255.255", "255.255.255.255"
	peer, others := rule("local", "all", "", "peer"), host
	others.Users = []string{"x"}
	reject := host
	reject.Method = "reject"
	for _, row := range []struct {
		name  string
		rules []Rule
		from  netip.Addr
		may   bool
		line  string
	}{
		{"PostgreSQL's own", []Rule{peer, host}, loopback, true, "f:7 (host all all 127.0.0.1/32 scram-sha-256)"},
		{"peer", []Rule{peer, host}, netip.Addr{}, false, "f:7 (local all all peer)"},
		{"another family", []Rule{peer, host}, netip.IPv6Loopback(), false, ""},
		{"another role", []Rule{others}, loopback, false, ""},
		{"shut first", []Rule{reject, host}, loopback, false, "f:7 (host all all 127.0.0.1/32 reject)"},
		{"who knows", []Rule{regexp}, loopback, true, ""},
	} {
		if may, line := (Observation{Rules: row.rules}).MayLogIn("d", "sessiondbd_restore", row.from); may != row.may || line != row.line {
			t.Errorf("%s: %v %q", row.name, may, line)
		}
	}
}

func TestListensOn(t *testing.T) {
	v4, v6 := netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()
	for value, want := range map[string][2]bool{
		"*": {true, true}, "": {}, "localhost": {true, true}, "10.1.0.1, 127.0.0.1": {true, false}, "0.0.0.0": {true, false}, "::": {false, true}, "10.1.0.1,LOCALHOST": {true, true}, "10.1.0.1": {},
	} {
		o := settled(baseWant())
		for i := range o.Settings {
			if o.Settings[i].Name == "listen_addresses" {
				o.Settings[i].Value = value
			}
		}
		if got := [2]bool{o.ListensOn(v4), o.ListensOn(v6)}; got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

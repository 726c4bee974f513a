package server

import (
	"net/netip"
	"strings"

	"sessiondbd/internal/plan"
)

const (
	confFile = "/etc/postgresql/15/main/postgresql.conf"
	ourFile  = "/etc/postgresql/15/main/conf.d/sessiondbd.conf"
	autoFile = "/var/lib/postgresql/15/main/postgresql.auto.conf"
)

func baseWant() Want {
	w := Want{
		Manage: ManageAuto, Listen: ListenAll, Restart: RestartWhenIdle, Port: 5432,
		Database: "sessiondb", Owner: "sessiondb_owner", MaxBackends: 80,
	}
	role := RoleAccess{Name: "sessionuser", Access: "readwrite"}
	for _, n := range []struct{ name, prefix, gateway string }{{"vm1", "10.1.0.0/24", "10.1.0.1"}, {"vm2", "10.2.0.0/24", "10.2.0.1"}} {
		role.Networks = append(role.Networks, Network{n.name, netip.MustParsePrefix(n.prefix)})
		w.Gateways = append(w.Gateways, netip.MustParseAddr(n.gateway))
	}
	w.Roles = []RoleAccess{role}
	return w
}

// settled is a Debian host with our file in place and loaded.
func settled(w Want) Observation {
	const config = "port = 5432\ninclude_dir = 'conf.d'\nwork_mem = '4MB'\n"
	return Observation{
		Server: []Facts{{ConfigFile: confFile, DataDirectory: "/var/lib/postgresql/15/main"}},
		Settings: []Setting{
			{Name: "listen_addresses", Value: listenValue(w), Boot: "localhost", Source: "configuration file"},
			{Name: "authentication_timeout", Value: "5", Boot: "60", Source: "configuration file"},
			{Name: "client_connection_check_interval", Value: "250", Boot: "0", Source: "client"}, // as our connection sees it
			{Name: "password_encryption", Value: "scram-sha-256", Boot: "scram-sha-256", Source: "default"},
			{Name: "port", Value: "5432"},
			{Name: "max_connections", Value: "100"},
			{Name: "superuser_reserved_connections", Value: "3"},
		},
		Files: []FileSetting{
			{File: ourFile, Line: 5, Name: "listen_addresses", Value: listenValue(w)},
			{File: ourFile, Line: 8, Name: "authentication_timeout", Value: "5s"},
			{File: ourFile, Line: 11, Name: "client_connection_check_interval", Value: "5s"},
		},
		Local: Local{
			Here:    true,
			Config:  File{Path: confFile, Real: confFile, Exists: true, Content: config},
			Include: File{Path: ourFile, Real: ourFile, Exists: true, Writable: true},
		},
	}
}

// lines puts a value of several lines into one.
var lines = strings.NewReplacer("\n", "; ")

// flat is a resource as text, one line a finding; steps by name.
func flat(list ...[]plan.Resource) string {
	var b strings.Builder
	for _, resources := range list {
		for _, r := range resources {
			for _, c := range r.Changes {
				b.WriteString(string(c.Action) + " " + c.Field + ": " + lines.Replace(c.Have) + " -> " + lines.Replace(c.Want) + " [" + c.Step.String() + "]\n")
			}
			for _, x := range r.Refusals {
				b.WriteString("refuse " + x.Summary + " => " + x.Remedy + "\n")
			}
			for _, x := range r.Warnings {
				b.WriteString("warn " + x.Summary + " => " + x.Remedy + "\n")
			}
		}
	}
	return b.String()
}

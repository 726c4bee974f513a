package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	listenWhy = "the VMs connect to the gateway addresses of their networks"
	authWhy   = "half-open handshakes take up connections that VMs need"
	checkWhy  = "a VM that dies in a statement leaves it running, with its locks and one of the connections"
	reloadCmd = "sudo -u postgres psql -c 'SELECT pg_reload_conf()'"
	unitCmd   = "sudo systemctl restart postgresql@15-main.service"
)

// Every row is the settled host but for one thing; its twin is a world with an equal meaning, where nothing is to do.
func TestSettings(t *testing.T) {
	set := func(o *Observation, name string, f func(*Setting)) {
		for i := range o.Settings {
			if o.Settings[i].Name == name {
				f(&o.Settings[i])
			}
		}
	}
	line := func(o *Observation, name, file string, n int, value string) {
		for i := range o.Files {
			if o.Files[i].Name == name {
				o.Files[i] = FileSetting{File: file, Line: n, Name: name, Value: value}
			}
		}
	}
	drop := func(o *Observation, name string) {
		for i := range o.Files {
			if o.Files[i].Name == name {
				o.Files = append(o.Files[:i], o.Files[i+1:]...)
				return
			}
		}
	}
	running := func(o *Observation, name, value string) { set(o, name, func(s *Setting) { s.Value = value }) }
	type edit func(*Want, *Observation)
	tests := []struct {
		name   string
		differ edit
		want   string
		equal  edit
	}{
		{
			"a fresh Debian", func(_ *Want, o *Observation) {
				o.Files, o.Local.Include.Exists = nil, false
				running(o, "listen_addresses", "localhost")
				running(o, "authentication_timeout", "60")
			},
			"update listen_addresses: localhost -> * [write " + ourFile + "]\n" +
				"update authentication_timeout: 60s -> 5s [write " + ourFile + "]\n" +
				"update client_connection_check_interval: 0ms -> 5s [write " + ourFile + "]\n" +
				"run restart: localhost -> * [restart postgresql@15-main.service]\n",
			func(_ *Want, o *Observation) { // all in postgresql.conf by somebody else
				o.Local.Include.Exists = false
				line(o, "listen_addresses", confFile, 60, "*")
				line(o, "authentication_timeout", confFile, 61, "3s")
				running(o, "authentication_timeout", "3")
				line(o, "client_connection_check_interval", confFile, 62, "1000")
			},
		},
		{
			"ours was edited", func(_ *Want, o *Observation) {
				line(o, "authentication_timeout", ourFile, 8, "1min")
				running(o, "authentication_timeout", "60")
			},
			"update authentication_timeout: 1min -> 5s [write " + ourFile + "]\n",
			func(_ *Want, o *Observation) { line(o, "authentication_timeout", ourFile, 8, "5000ms") },
		},
		{
			"no check of connections", func(_ *Want, o *Observation) { line(o, "client_connection_check_interval", confFile, 1, "0") },
			"update client_connection_check_interval: 0ms -> 5s [write " + ourFile + "]\n",
			func(_ *Want, o *Observation) { line(o, "client_connection_check_interval", confFile, 1, "1min") },
		},
		{
			"passwords hashed as md5", func(_ *Want, o *Observation) {
				running(o, "password_encryption", "md5")
				o.Files = append([]FileSetting{{File: confFile, Line: 1, Name: "password_encryption", Value: "md5"}}, o.Files...)
			},
			"update password_encryption: md5 -> scram-sha-256 [write " + ourFile + "]\n",
			func(_ *Want, o *Observation) {
				o.Files = append([]FileSetting{{File: confFile, Line: 1, Name: "password_encryption", Value: "SCRAM-SHA-256"}}, o.Files...)
			},
		},
		{
			"the file is right and not loaded", func(_ *Want, o *Observation) { running(o, "authentication_timeout", "60") },
			"run authentication_timeout: 60s -> 5s [reload PostgreSQL]\n",
			func(_ *Want, o *Observation) { running(o, "authentication_timeout", "4") },
		},
		{
			"pending with sessions", func(_ *Want, o *Observation) {
				running(o, "listen_addresses", "localhost")
				o.Sessions = []Session{{Total: 2, User: "alice", Database: "sessiondb", Application: "psql"}, {User: "sessionuser", Database: "sessiondb", Address: "10.1.0.2"}}
			},
			"refuse listen_addresses = '*' takes effect at the next restart of PostgreSQL; 2 sessions are open: alice in sessiondb (psql), sessionuser in sessiondb from 10.1.0.2 => sudo sessiondbd apply --restart-postgresql\n",
			func(_ *Want, o *Observation) { o.Sessions = []Session{{Total: 1, User: "alice"}} },
		},
		{
			"pending with sessions, restart asked for", func(w *Want, o *Observation) {
				w.RestartNow = true
				running(o, "listen_addresses", "localhost")
				o.Sessions = []Session{{Total: 1, User: "alice"}}
			},
			"run restart: localhost -> * [restart postgresql@15-main.service]\n",
			func(w *Want, _ *Observation) { w.RestartNow = true },
		},
		{
			"pending, never", func(w *Want, o *Observation) {
				w.Restart = RestartNever
				running(o, "listen_addresses", "localhost")
			},
			"refuse listen_addresses = '*' takes effect at the next restart of PostgreSQL; server.restart is never => " + unitCmd + "\n",
			func(w *Want, _ *Observation) { w.Restart = RestartNever },
		},
		{
			"ALTER SYSTEM beats us", func(_ *Want, o *Observation) {
				o.Files = append(o.Files, FileSetting{File: autoFile, Line: 3, Name: "listen_addresses", Value: "localhost"})
			},
			`refuse listen_addresses is set to "localhost" by ` + autoFile + `:3, which beats the "*" of sessiondbd: ` + listenWhy +
				" => sudo -u postgres psql -c 'ALTER SYSTEM RESET listen_addresses' -c 'SELECT pg_reload_conf()'\n",
			func(_ *Want, o *Observation) {
				o.Files = append(o.Files, FileSetting{File: autoFile, Line: 3, Name: "listen_addresses", Value: "*"})
			},
		},
		{
			"ALTER SYSTEM beats us, and PostgreSQL has started with it", func(_ *Want, o *Observation) {
				o.Files = append(o.Files, FileSetting{File: autoFile, Line: 3, Name: "listen_addresses", Value: "localhost"})
				running(o, "listen_addresses", "localhost")
			},
			`refuse listen_addresses is set to "localhost" by ` + autoFile + `:3, which beats the "*" of sessiondbd: ` + listenWhy +
				" => sudo -u postgres psql -c 'ALTER SYSTEM RESET listen_addresses' && " + unitCmd + "\n",
			func(_ *Want, o *Observation) {
				o.Files = append(o.Files, FileSetting{File: autoFile, Line: 3, Name: "listen_addresses", Value: "*"})
			},
		},
		{
			"a later line of postgresql.conf beats us", func(_ *Want, o *Observation) {
				o.Files = append(o.Files, FileSetting{File: confFile, Line: 3, Name: "listen_addresses", Value: "localhost"})
			},
			`refuse listen_addresses is set to "localhost" by ` + confFile + `:3, which beats the "*" of sessiondbd: ` + listenWhy +
				" => remove line 3 of " + confFile + ", or choose what it says in the server section of sessiondbd's config; then " + reloadCmd + "\n",
			func(_ *Want, o *Observation) { // an earlier line does not
				o.Files = append([]FileSetting{{File: confFile, Line: 1, Name: "listen_addresses", Value: "localhost"}}, o.Files...)
			},
		},
		{
			"a later file beats us before we are there", func(_ *Want, o *Observation) {
				line(o, "authentication_timeout", "/etc/postgresql/15/main/conf.d/tuning.conf", 1, "2min")
				running(o, "authentication_timeout", "120")
			},
			`refuse authentication_timeout is set to "2min" by /etc/postgresql/15/main/conf.d/tuning.conf:1, which beats the "5s" of sessiondbd: ` + authWhy +
				" => remove line 1 of /etc/postgresql/15/main/conf.d/tuning.conf, or choose what it says in the server section of sessiondbd's config; then " + reloadCmd + "\n",
			func(_ *Want, o *Observation) {
				line(o, "authentication_timeout", "/etc/postgresql/15/main/conf.d/tuning.conf", 1, "2s")
				running(o, "authentication_timeout", "2")
			},
		},
		{
			"the command line beats us", func(_ *Want, o *Observation) {
				set(o, "listen_addresses", func(s *Setting) { s.Value, s.Source = "localhost", "command line" })
			},
			`refuse listen_addresses is set to "localhost" by the server's command line, which beats the "*" of sessiondbd: ` + listenWhy +
				" => take listen_addresses out of the options that PostgreSQL is started with\n",
			func(_ *Want, o *Observation) {
				set(o, "listen_addresses", func(s *Setting) { s.Value, s.Source = "*", "command line" })
			},
		},
		{
			"not writable, shut", func(_ *Want, o *Observation) {
				o.Local.Include = File{Why: "no include_dir"}
				drop(o, "listen_addresses")
				running(o, "listen_addresses", "localhost")
			},
			`refuse listen_addresses is "localhost" (the built-in default), not "*": ` + listenWhy + " => put this line last into " + confFile +
				", then: " + unitCmd + "\nlisten_addresses = '*'\n",
			func(_ *Want, o *Observation) { o.Local.Include = File{Why: "no include_dir"} },
		},
		{
			"NixOS, served", func(_ *Want, o *Observation) {
				o.Local.Config.Real, o.Local.Include = "/nix/store/x-postgresql.conf", File{}
				drop(o, "authentication_timeout")
				running(o, "authentication_timeout", "60")
			},
			`warn authentication_timeout is "60s" (the built-in default), not "5s": ` + authWhy +
				" => in the NixOS configuration:\nservices.postgresql.settings.authentication_timeout = lib.mkForce \"5s\";\n",
			func(_ *Want, o *Observation) {
				o.Local.Config.Real, o.Local.Include = "/nix/store/x-postgresql.conf", File{}
			},
		},
		{
			"verify only, served by the gateways' addresses", func(w *Want, o *Observation) {
				w.Manage = ManageVerify
				line(o, "listen_addresses", confFile, 1, "10.1.0.1,10.2.0.1")
				running(o, "listen_addresses", "10.1.0.1,10.2.0.1")
			},
			`warn listen_addresses is "10.1.0.1,10.2.0.1" (` + confFile + `:1), not "*": ` + listenWhy + " => put this line last into " + confFile +
				", then: " + unitCmd + "\nlisten_addresses = '*'\n",
			func(w *Want, o *Observation) {
				w.Manage, w.Listen = ManageVerify, ListenGateways
				line(o, "listen_addresses", confFile, 1, "10.2.0.1, 10.1.0.1,localhost")
				running(o, "listen_addresses", "10.2.0.1, 10.1.0.1,localhost")
			},
		},
		{
			"gateways, but bound to all", func(w *Want, _ *Observation) { w.Listen = ListenGateways },
			"update listen_addresses: * -> localhost, 10.1.0.1, 10.2.0.1 [write " + ourFile + "]\n" +
				"run restart: * -> localhost, 10.1.0.1, 10.2.0.1 [restart postgresql@15-main.service]\n",
			func(w *Want, o *Observation) {
				w.Listen = ListenGateways
				line(o, "listen_addresses", ourFile, 5, "localhost, 10.1.0.1, 10.2.0.1")
				running(o, "listen_addresses", "localhost, 10.1.0.1, 10.2.0.1")
			},
		},
		{
			"the other address family", func(_ *Want, o *Observation) {
				line(o, "listen_addresses", confFile, 1, "::")
				running(o, "listen_addresses", "::")
			},
			"update listen_addresses: :: -> * [write " + ourFile + "]\nrun restart: :: -> * [restart postgresql@15-main.service]\n",
			func(_ *Want, o *Observation) {
				line(o, "listen_addresses", confFile, 1, "0.0.0.0")
				running(o, "listen_addresses", "0.0.0.0")
			},
		},
		{
			"another port", func(w *Want, _ *Observation) { w.Port = 5433 },
			"refuse PostgreSQL listens on port 5432, the firewall guards port 5433: no VM finds it there, and nothing of ours shuts port 5432 to others => set firewall.port: 5432 in sessiondbd's config, or port = 5433 in " + confFile + "\n",
			func(w *Want, _ *Observation) { w.Port = 5432 },
		},
		{
			"few connections", func(w *Want, _ *Observation) { w.MaxBackends = 94 },
			"warn max_connections is 100; the VMs may open 94, and 7 more are for administrators: VMs may be turned away => lower firewall.max_connections_per_vm in sessiondbd's config, or put this line last into " + confFile + ", then: " + unitCmd + "\nmax_connections = 101\n",
			func(w *Want, _ *Observation) { w.MaxBackends = 93 },
		},
		{
			"a line that PostgreSQL cannot take", func(_ *Want, o *Observation) {
				running(o, "listen_addresses", "localhost")
				o.Files = append(o.Files, FileSetting{File: confFile, Line: 9, Error: "syntax error"})
			},
			"refuse " + confFile + ":9: syntax error: PostgreSQL ignores changes of its settings while the line is there, and may not start again" +
				" => mend or remove line 9 of " + confFile + ", then reload: " + reloadCmd + "\n",
			func(_ *Want, o *Observation) { // that it waits for a restart is no fault
				o.Settings = append(o.Settings, Setting{Name: "shared_buffers", Pending: true})
				o.Files = append(o.Files, FileSetting{File: confFile, Line: 9, Name: "shared_buffers", Error: "setting could not be applied"})
			},
		},
		{
			"somebody else's line in our file", func(_ *Want, o *Observation) {
				o.Files = append(o.Files, FileSetting{File: ourFile, Line: 9, Name: "work_mem", Value: "1GB"})
				line(o, "authentication_timeout", ourFile, 8, "1min")
			},
			"refuse " + ourFile + ":9: work_mem is not a setting of sessiondbd, which would lose it when it rewrites its file => move the line into a file of your own beside it, or into " + confFile + "\n",
			func(_ *Want, o *Observation) {
				o.Files = append(o.Files, FileSetting{File: ourFile, Line: 9, Name: "work_mem", Value: "1GB"})
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, side := range []struct {
				name string
				edit edit
				want string
			}{{"differs", tt.differ, tt.want}, {"equal", tt.equal, ""}} {
				w := baseWant()
				o := settled(w)
				side.edit(&w, &o)
				if diff := cmp.Diff(side.want, flat(Settings(w, o), Restart(w, o))); diff != "" {
					t.Errorf("%s (-want +got):\n%s", side.name, diff)
				}
			}
		})
	}
}

package main

import (
	"fmt"
	"os"
	"time"

	"sessiondbd/internal/config"
	"sessiondbd/internal/firewall"
	"sessiondbd/internal/operate"
	"sessiondbd/internal/role"
	"sessiondbd/internal/schema"
	"sessiondbd/internal/server"
)

// goals are what each room is to bring about, from the one config.
type goals struct {
	schema schema.Goal
	role   role.Want
	server server.Want
}

// options are what the command line adds to the config.
type options struct {
	look       bool // and change nothing
	blind      bool // without the passwords, which have nothing to do with it
	spare      bool // the passwords, if they cannot be read: they have little to do with it
	unread     bool // they were spared
	stay       bool // as the daemon, which tells of itself
	remove     bool
	acceptNew  bool
	restartNow bool
	backup     bool     // whose folder root makes
	file       *os.File // that root has opened for the command, and the database's user may not be able to; nil: none
}

func firewallSpec(cfg *config.Config) firewall.Spec {
	s := firewall.Spec{Port: uint16(cfg.Firewall.Port), Backend: string(cfg.Firewall.Backend), MaxConnections: cfg.Firewall.MaxConnectionsPerVM}
	for _, n := range cfg.Networks {
		iface := n.Interface
		if iface == config.AutoInterface {
			iface = ""
		}
		s.Networks = append(s.Networks, firewall.Network{Name: n.Name, Subnet: n.Subnet, Gateway: n.Gateway, Interface: iface})
	}
	for _, a := range cfg.Firewall.Allow {
		s.Allow = append(s.Allow, firewall.Source{Prefix: a.Source, Interface: a.Interface})
	}
	return s
}

func databaseGoals(cfg *config.Config, pw secrets, opt options) (goals, error) {
	want, err := schema.Embedded()
	if err != nil {
		return goals{}, err
	}
	g := goals{
		schema: schema.Goal{Expected: want, Database: cfg.Database.Name, Owner: config.OwnerRole, AcceptNew: opt.acceptNew},
		role:   role.Want{Database: cfg.Database.Name, Owner: config.OwnerRole, Cache: &role.Cache{}, Besides: operate.NewBeside(cfg.Database.Name, time.Time{}).Is, Strict: cfg.Hardening == config.HardeningStrict, TransactionAge: cfg.Limits.TransactionAge},
		server: server.Want{
			Manage: string(cfg.Server.Manage), Listen: string(cfg.Server.Listen), Restart: string(cfg.Server.Restart),
			RestartNow: opt.restartNow, Port: cfg.Firewall.Port, Database: cfg.Database.Name, Owner: config.OwnerRole,
			MaxBackends: cfg.Firewall.MaxConnectionsPerVM * len(cfg.Networks),
		},
	}
	for _, n := range cfg.Networks {
		g.server.Gateways = append(g.server.Gateways, n.Gateway)
	}
	for _, r := range cfg.Roles {
		g.schema.Roles = append(g.schema.Roles, r.Name)
		g.role.Roles = append(g.role.Roles, role.Spec{
			Name: r.Name, Access: role.Level(r.Access), ConnectionLimit: r.ConnectionLimit, Defaults: defaults(r),
			Password: role.Password{Managed: r.Password.Managed() && !opt.unread, Enforced: pw[r.Name], Initial: role.Secret(r.Password.Initial.Reveal()), Source: source(r.Password)},
		})
		a := server.RoleAccess{Name: r.Name, Access: string(r.Access)}
		for _, n := range cfg.RoleNetworks(r) {
			a.Networks = append(a.Networks, server.Network{Name: n.Name, Prefix: n.Subnet})
		}
		g.server.Roles = append(g.server.Roles, a)
	}
	// Further sources that the firewall lets in may log in as well: a door of which only one half opens helps nobody.
	for i := range g.server.Roles {
		if cfg.Roles[i].Networks != nil {
			continue
		}
		for _, s := range cfg.Firewall.Allow {
			g.server.Roles[i].Networks = append(g.server.Roles[i].Networks, server.Network{Prefix: s.Source})
		}
	}
	return g, nil
}

// defaults are the limits of a role's sessions in PostgreSQL's words. One that is not given is left to the server.
func defaults(r config.Role) []role.Default {
	var list []role.Default
	if r.TempFileLimit != config.Unlimited {
		list = append(list, role.Default{Name: "temp_file_limit", Value: r.TempFileLimit.String()})
	}
	for _, t := range []struct {
		name string
		d    time.Duration
	}{{"statement_timeout", r.StatementTimeout}, {"idle_in_transaction_session_timeout", r.IdleInTransactionTimeout}} {
		switch {
		case t.d == 0:
		case t.d%time.Second == 0:
			list = append(list, role.Default{Name: t.name, Value: fmt.Sprintf("%ds", t.d/time.Second)})
		default:
			list = append(list, role.Default{Name: t.name, Value: fmt.Sprintf("%dms", t.d/time.Millisecond)})
		}
	}
	return append(list, keepalive)
}

// keepalive has the server ask after a minute's silence whether the VM is still there. One that was switched off or started
// again leaves its connections behind, and until they end they count: the kernel's own two hours would lock it out.
var keepalive = role.Default{Name: "tcp_keepalives_idle", Value: "60"}

// source names where a password comes from, for people.
func source(p config.Password) string {
	switch {
	case p.Credential != "":
		return "credential " + p.Credential
	case p.File != "":
		return p.File
	}
	return "the config"
}

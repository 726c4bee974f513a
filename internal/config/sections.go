package config

import "time"

// elsewhere tells a key at the top level (a section's line was left commented out) where it belongs.
var elsewhere = map[string]string{
	"url": "database.url", "os_user": "database.os_user", "name": "database.name",
	"port": "firewall.port", "backend": "firewall.backend", "allow": "firewall.allow",
	"max_connections_per_vm": "firewall.max_connections_per_vm",
	"manage":                 "server.manage", "listen": "server.listen", "restart": "server.restart",
	"transaction_age": "limits.transaction_age",
	"interval":        "reconcile.interval", "drift": "reconcile.drift",
	"status": "retention.status", "older_than": "retention.older_than",
	"directory": "backup.directory", "keep": "backup.keep", "schedule": "backup.schedule", "upload": "backup.upload",
}

// config reads the top level over c, which holds the defaults.
func (d *decoder) config(root value, c *Config) {
	var names nameIndex
	ownRoles := false
	root.mapping(
		field{"database", func(v value) { d.database(v, &c.Database) }},
		field{"roles", func(v value) { ownRoles = d.roles(v, &c.Roles, &names) }},
		field{"networks", func(v value) { d.networks(v, &c.Networks, &names) }},
		field{"firewall", func(v value) { d.firewall(v, &c.Firewall) }},
		field{"server", func(v value) { d.server(v, &c.Server) }},
		field{"hardening", func(v value) {
			scalar(v, &c.Hardening, oneOf(HardeningStandard, HardeningStrict))
		}},
		field{"limits", func(v value) { d.limits(v, &c.Limits) }},
		field{"reconcile", func(v value) { d.reconcile(v, &c.Reconcile) }},
		field{"retention", func(v value) { d.retention(v, &c.Retention) }},
		field{"backup", func(v value) { d.backup(v, &c.Backup) }},
	)
	if !ownRoles { // the default role comes from whatever networks there are
		c.Roles[0].Networks = networkNames(c.Networks)
	}
	if names.networks == nil {
		names.networks = map[string]string{}
		for _, n := range c.Networks {
			names.networks[n.Name] = ""
		}
	}
	names.resolve()
}

func (d *decoder) database(v value, to *Database) {
	v.mapping(
		field{"url", func(v value) { scalar(v, &to.URL, connString) }},
		field{"os_user", func(v value) { scalar(v, &to.OSUser, osUser) }},
		field{"name", func(v value) { scalar(v, &to.Name, databaseName) }},
	)
}

// roles replaces the default list and says whether it did.
func (d *decoder) roles(v value, to *[]Role, names *nameIndex) bool {
	list := []Role{}
	taken := map[string]string{}
	given := v.items(func(_ int, item value) {
		r := defaultRole()
		seen := item.mapping(
			field{"name", func(v value) {
				scalar(v, &r.Name, roleName)
				v.unique(taken, r.Name)
			}},
			field{"password", func(v value) { d.password(v, &r.Password) }},
			field{"access", func(v value) { scalar(v, &r.Access, oneOf(ReadWrite, ReadOnly, NoAccess)) }},
			field{"connection_limit", func(v value) { v.integer(&r.ConnectionLimit, -1, 10000) }},
			field{"temp_file_limit", func(v value) { v.size(&r.TempFileLimit) }},
			field{"statement_timeout", func(v value) { v.timeout(&r.StatementTimeout) }},
			field{"idle_in_transaction_session_timeout", func(v value) { v.timeout(&r.IdleInTransactionTimeout) }},
			field{"networks", func(v value) { r.Networks = names.refer(v) }},
		)
		item.require(seen, "name")
		list = append(list, r)
	})
	if given {
		*to = list
	}
	return given
}

func (d *decoder) password(v value, to *Password) {
	seen := v.mapping(
		field{"credential", func(v value) { scalar(v, &to.Credential, credentialName) }},
		field{"file", func(v value) { scalar(v, &to.File, pathFrom(d.file)) }},
		field{"initial", func(v value) { scalar(v, &to.Initial, initialPassword) }},
	)
	switch {
	case seen["credential"] && seen["file"]:
		v.fail("credential and file exclude each other; keep the one that holds the password")
	case seen != nil && len(v.node.Content) == 0:
		v.fail("needs credential, file or initial; remove it to leave the role's password alone")
	}
}

func (d *decoder) networks(v value, to *[]Network, names *nameIndex) {
	list := []Network{}
	var subnets overlaps
	taken := map[string]string{}
	given := v.items(func(_ int, item value) {
		n := defaultNetwork()
		var gateway value
		seen := item.mapping(
			field{"name", func(v value) {
				scalar(v, &n.Name, networkName)
				v.unique(taken, n.Name)
			}},
			field{"subnet", func(v value) {
				scalar(v, &n.Subnet, subnet)
				subnets.add(v, n.Subnet)
			}},
			field{"gateway", func(v value) {
				scalar(v, &n.Gateway, address)
				gateway = v
			}},
			field{"interface", func(v value) { scalar(v, &n.Interface, interfaceName) }},
		)
		item.require(seen, "name", "subnet", "gateway")
		checkGateway(gateway, n)
		list = append(list, n)
	})
	subnets.report()
	if given {
		*to = list
		names.networks = taken
	}
}

func (d *decoder) firewall(v value, to *Firewall) {
	v.mapping(
		field{"port", func(v value) { v.integer(&to.Port, 1, 65535) }},
		field{"backend", func(v value) {
			scalar(v, &to.Backend, oneOf(BackendAuto, BackendNFT, BackendLegacy, BackendOff))
		}},
		field{"max_connections_per_vm", func(v value) { v.integer(&to.MaxConnectionsPerVM, 1, 10000) }},
		field{"allow", func(v value) { d.allow(v, &to.Allow) }},
	)
}

func (d *decoder) allow(v value, to *[]Source) {
	taken := map[Source]string{}
	v.items(func(_ int, item value) {
		var s Source
		var from value
		seen := item.mapping(
			field{"source", func(v value) {
				scalar(v, &s.Source, source)
				from = v
			}},
			field{"interface", func(v value) { scalar(v, &s.Interface, sourceInterface) }},
		)
		item.require(seen, "source")
		switch {
		case !s.Source.IsValid():
			return
		case taken[s] != "":
			item.fail("is the same as %s; keep one", taken[s])
		case !seen["interface"] && wide(s.Source):
			from.fail("%s opens the port to the internet; name smaller networks, or the interface that they come in by", s.Source)
		}
		taken[s] = item.path
		*to = append(*to, s)
	})
}

func (d *decoder) server(v value, to *Server) {
	v.mapping(
		field{"manage", func(v value) { scalar(v, &to.Manage, oneOf(ManageAuto, ManageVerify)) }},
		field{"listen", func(v value) { scalar(v, &to.Listen, oneOf(ListenAll, ListenGateways)) }},
		field{"restart", func(v value) { scalar(v, &to.Restart, oneOf(RestartWhenIdle, RestartNever)) }},
	)
}

func (d *decoder) reconcile(v value, to *Reconcile) {
	v.mapping(
		field{"interval", func(v value) { scalar(v, &to.Interval, interval) }},
		field{"drift", func(v value) { scalar(v, &to.Drift, oneOf(DriftRepair, DriftReport)) }},
	)
}

func (d *decoder) limits(v value, to *Limits) {
	v.mapping(field{"transaction_age", func(v value) { d.age(v, &to.TransactionAge) }})
}

// age is a duration whose zero means never. A bare 0 is as good as 0s, for it needs no unit.
func (d *decoder) age(v value, to *time.Duration) {
	if v.kind() == "an integer" && v.node.Value == "0" {
		*to = 0
		return
	}
	scalar(v, to, transactionAge)
}

package config

import (
	"fmt"
	"net/netip"
	"time"
)

// Default is the documented hypervisor: what an absent or empty file means.
func Default() *Config {
	c := &Config{
		Database: Database{URL: "host=/run/postgresql dbname=postgres", OSUser: "postgres", Name: "sessiondb"},
		Firewall: Firewall{Port: 5432, Backend: BackendAuto, MaxConnectionsPerVM: 16, Allow: []Source{}},
		Server:   Server{Manage: ManageAuto, Listen: ListenAll, Restart: RestartWhenIdle},

		Hardening: HardeningStandard,
		Limits:    Limits{TransactionAge: 15 * time.Minute},
		Reconcile: Reconcile{Interval: 10 * time.Second, Drift: DriftRepair},
		Backup:    Backup{Directory: "/var/backups/sessiondb", Keep: 14, Schedule: "*-*-* 02:00:00", Upload: []string{}},
	}
	for vm := byte(1); vm <= 5; vm++ {
		n := defaultNetwork()
		n.Name = fmt.Sprintf("vm%d", vm)
		n.Subnet = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, vm, 0, 0}), 24)
		n.Gateway = netip.AddrFrom4([4]byte{10, vm, 0, 1})
		c.Networks = append(c.Networks, n)
	}
	r := defaultRole()
	r.Name = "sessionuser"
	r.Password = Password{Credential: "sessionuser.password", Initial: "sessionpass123"}
	r.Networks = networkNames(c.Networks)
	c.Roles = []Role{r}
	return c
}

// defaultRole is what an item of roles: is before its keys are read. It has no password: to manage one that nobody asked
// for could shut an application out. Its temporary files suffice to sort 2.5 million small sessions (measured), and all of
// its connections together fill 20 GB with them, not the disk. It has no timeouts: the role may lift them itself, so they
// bound mistakes only, and whoever keeps a transaction open on purpose would be cut off.
func defaultRole() Role {
	return Role{Access: ReadWrite, ConnectionLimit: 80, TempFileLimit: 256 << 10}
}

func defaultNetwork() Network { return Network{Interface: AutoInterface} }

func networkNames(networks []Network) Names {
	names := make(Names, len(networks))
	for i, n := range networks {
		names[i] = n.Name
	}
	return names
}

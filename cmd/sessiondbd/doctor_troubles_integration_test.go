//go:build integration

package main

import (
	"fmt"
	"strings"

	"sessiondbd/internal/operate"
)

// What is written between the quotes of a config is put into place, and taken away again, like this.
func withConfig(text string) string {
	return "cat >/etc/sessiondbd/config.yaml <<'EOF'\n" + text + "\nEOF\n"
}

const noConfig = ": >/etc/sessiondbd/config.yaml\n"

// lost are networks whose gateways no host has.
func lost(n int) string {
	var list strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&list, "\n  - {name: n%d, subnet: 198.18.%d.0/24, gateway: 198.18.%d.1}", i, i, i)
	}
	return list.String()
}

// serviceTroubles are made while the daemons run.
var serviceTroubles = []trouble{
	{
		name: "the daemon does not run", do: "systemctl stop sessiondbd", area: operate.AreaServices, severity: operate.Risk,
		says: "sessiondbd.service does not run", remedy: "sudo systemctl enable --now sessiondbd", vm: "vm1",
	},
	{
		name: "the firewall's daemon was killed and failed", area: operate.AreaServices, severity: operate.Risk,
		do:   withConfig("firewall: {prot: 1}") + "systemctl restart sessiondbd-firewall || true\n" + noConfig,
		says: "sessiondbd-firewall.service does not run (failed)", remedy: "sudo systemctl restart sessiondbd-firewall    # why",
	},
	{
		name: "a nightly prune that failed", area: operate.AreaServices, severity: operate.Risk,
		do:   withConfig("retention: {status: pending}") + "systemctl start sessiondbd-prune || true\n" + noConfig,
		says: "sessiondbd-prune.service failed when it last ran", remedy: "sudo systemctl start sessiondbd-prune",
	},
	{
		name: "a weekly test of the backups that failed", area: operate.AreaServices, severity: operate.Risk,
		do:   withConfig("backup: {keep: none}") + "systemctl start sessiondbd-backup-verify || true\n" + noConfig,
		says: "sessiondbd-backup-verify.service failed when it last ran", remedy: "sudo systemctl start sessiondbd-backup-verify",
	},
	{
		name: "paused", do: "sessiondbd pause", area: operate.AreaServices, severity: operate.Risk, says: "sessiondbd.service is paused until", remedy: "sudo sessiondbd resume",
	},
	{
		name: "a refused reload", do: withConfig("roles: [{name: sessionuser, conection_limit: 7}]") + "systemctl reload sessiondbd || true\n" + noConfig,
		area: operate.AreaServices, severity: operate.Broken, says: "has refused the config on disk", remedy: "sudo systemctl reload sessiondbd",
	},
	{
		name: "a bad config", do: withConfig("roles: [{name: sessionuser, conection_limit: 7}]"), undo: noConfig,
		area: operate.AreaConfig, severity: operate.Broken, says: "conection_limit", remedy: "sudo sessiondbd config check",
	},
	{
		name: "a password that everybody can read", do: "chmod 0644 " + credentialFile, undo: "chmod 0600 " + credentialFile,
		area: operate.AreaSecrets, severity: operate.Broken, says: credentialFile, remedy: "sudo systemctl restart sessiondbd",
	},
	{
		name: "a daemon that is not content", area: operate.AreaServices, severity: operate.Risk,
		// Its own reason goes by too fast: the state is written as it would stand there.
		do: withConfig("reconcile: {interval: 1h}") + "systemctl reload sessiondbd\n" + noConfig +
			"sed -i 's/\"state\": \"converged\"/\"state\": \"degraded\"/; s/\"status\": \"/\"status\": \"degraded: somebody fights us, /' /run/sessiondbd/database/status.json",
		undo: "systemctl restart sessiondbd", says: "sessiondbd.service says: degraded: somebody fights us", remedy: "journalctl",
	},
	{
		name: "PostgreSQL is down, and the old units are still there", area: operate.AreaPostgreSQL, severity: operate.Broken, vm: "vm2", ends: "listener",
		do:   "systemctl stop postgresql@15-main postgresql",
		says: "PostgreSQL is not running", remedy: "sudo systemctl start postgresql",
	},
	{
		name: "PostgreSQL hangs", do: "kill -STOP $(head -1 /var/lib/postgresql/15/main/postmaster.pid)", undo: "kill -CONT $(head -1 /var/lib/postgresql/15/main/postmaster.pid)",
		area: operate.AreaPostgreSQL, severity: operate.Broken, says: "does not answer", remedy: "postgresql@15-main", vm: "vm2", ends: "listener",
	},
	{
		name: "PostgreSQL cannot start", do: "echo 'shared_buffers = 1' >>/etc/postgresql/15/main/postgresql.conf; systemctl restart postgresql@15-main || true",
		undo: "sed -i '$d' /etc/postgresql/15/main/postgresql.conf; sudo systemctl restart postgresql@15-main.service", area: operate.AreaPostgreSQL, severity: operate.Broken,
		says: "postgresql@15-main.service is failed", remedy: "sudo systemctl restart postgresql@15-main.service    # why it is not up", vm: "vm2", ends: "listener",
	},
	{
		name: "the user of the config is not there", do: withConfig("database: {os_user: nobodyhere}"), undo: noConfig,
		area: operate.AreaPostgreSQL, severity: operate.Broken, says: "there is no user nobodyhere",
	},
}

// networkTroubles lie between the VM and PostgreSQL.
var networkTroubles = []trouble{
	{
		name: "a state file that is none", do: "mkdir -p /run/sessiondbd/database; echo x >/run/sessiondbd/database/status.json", undo: "rm /run/sessiondbd/database/status.json",
		area: operate.AreaServices, severity: operate.Unseen, says: "sessiondbd.service: state",
	},
	{
		name: "a gateway that is gone", do: "ip addr del 10.3.0.1/24 dev br-vm3", undo: "ip addr add 10.3.0.1/24 dev br-vm3",
		area: operate.AreaNetworks, severity: operate.Broken, says: "vm3: no interface holds its gateway 10.3.0.1", remedy: "sudo ip address add 10.3.0.1/24 dev", vm: "vm3", ends: "interface",
	},
	{
		name: "two gateways that are gone", do: "ip addr del 10.3.0.1/24 dev br-vm3; ip addr del 10.5.0.1/24 dev br-vm5", undo: "ip addr add 10.3.0.1/24 dev br-vm3; ip addr add 10.5.0.1/24 dev br-vm5",
		area: operate.AreaNetworks, severity: operate.Broken, says: "the gateways of vm3 (10.3.0.1), vm5 (10.5.0.1)", remedy: "sudo ip address add 10.3.0.1/24 dev", vm: "vm5", ends: "interface",
	},
	{
		name: "a bridge that is down", do: "ip link set br-vm4 down", area: operate.AreaNetworks, severity: operate.Broken,
		says: "vm4: interface br-vm4 is down", remedy: "sudo ip link set br-vm4 up", vm: "vm4", ends: "interface",
	},
	{
		name: "an interface that is not there", do: withConfig("networks: [{name: vm1, subnet: 10.1.0.0/24, gateway: 10.1.0.1, interface: br-none}]"), undo: noConfig,
		area: operate.AreaNetworks, severity: operate.Broken, says: "there is no interface br-none", remedy: "interface: auto", vm: "vm1", ends: "interface",
	},
	{
		name: "another interface than the config says", do: withConfig("networks: [{name: vm1, subnet: 10.1.0.0/24, gateway: 10.1.0.1, interface: br-vm2}]"), undo: noConfig,
		area: operate.AreaNetworks, severity: operate.Broken, says: "10.1.0.1 is on br-vm1, the config says br-vm2", remedy: "set interface: br-vm1", vm: "vm1", ends: "interface",
	},
	{
		name: "flushed rules", do: "nft flush ruleset", area: operate.AreaFirewall, severity: operate.Broken,
		says: "firewall/ipv4 differs from the config: mangle/SESSIONDB-GUARD", remedy: "sudo sessiondbd apply", vm: "vm1",
	},
	{
		name: "a guard without the VM", do: "iptables -t mangle -D SESSIONDB-GUARD -s 10.5.0.0/24 -i br-vm5 -j RETURN", area: operate.AreaFirewall, severity: operate.Broken,
		says: "10.5.0.0/24", remedy: "sudo sessiondbd apply", vm: "vm5", ends: "guard",
	},
	{
		name: "a chain of others", area: operate.AreaFirewall, severity: operate.Broken,
		do:   `nft 'table inet other { chain input { type filter hook input priority 10; policy accept; iifname "br-vm2" drop; }; }'`,
		says: "chain inet other input (hook input) drops the connections of vm2", remedy: "nft 'insert rule inet other input", vm: "vm2", ends: "other chains",
	},
	{
		name: "a chain of others that keeps answers back", area: operate.AreaFirewall, severity: operate.Broken,
		do:   `nft 'table inet other { chain output { type filter hook output priority 10; policy accept; oifname "br-vm2" tcp sport 5432 drop; }; }'`,
		says: "chain inet other output (hook output) drops the answers to vm2", remedy: "nft 'insert rule inet other output oifname", vm: "vm2", ends: "other chains",
	},
	{
		name: "tools that are missing", do: "mv /usr/sbin/iptables /usr/sbin/iptables.off", undo: "mv /usr/sbin/iptables.off /usr/sbin/iptables",
		area: operate.AreaFirewall, severity: operate.Broken, says: "no iptables in", remedy: "apt install iptables",
	},
	{
		name: "nobody answers at a gateway", undo: "nft delete table ip loop", area: operate.AreaServer, severity: operate.Broken,
		do:   `nft 'table ip loop { chain input { type filter hook input priority 20; iifname "lo" ip daddr 10.2.0.1 tcp dport 5432 reject with tcp reset; }; }'`,
		says: "PostgreSQL does not answer on 10.2.0.1 (vm2), port 5432: connect: connection refused", remedy: "ss -ltnp 'sport = :5432'", vm: "vm2", ends: "listener",
	},
	{
		name: "somebody else answers at a gateway", area: operate.AreaServer, severity: operate.Broken,
		do: "systemd-run -q --unit=parrot systemd-socket-activate -a --inetd -l 81 sh -c 'head -c 8 >/dev/null; echo hello'\n" +
			`nft 'table ip loop { chain output { type nat hook output priority -100; ip daddr 10.2.0.1 tcp dport 5432 redirect to :81; }; }'`,
		undo: "nft delete table ip loop; systemctl stop parrot",
		says: "10.2.0.1 (vm2), port 5432: what answers there is not PostgreSQL", remedy: "ss -ltnp 'sport = :5432'", vm: "vm2", ends: "listener",
	},
	{
		name: "many gateways that are gone", do: withConfig("networks:" + lost(12)), undo: noConfig,
		area: operate.AreaNetworks, severity: operate.Broken, says: "n10 (198.18.10.1) and 2 more", remedy: "# and so on",
	},
	{
		name: "another port than the firewall guards", do: withConfig("firewall: {port: 5433}"), undo: noConfig, area: operate.AreaServer, severity: operate.Broken,
		says: "PostgreSQL listens on port 5432, the firewall guards port 5433", remedy: "set firewall.port: 5432", vm: "vm1", ends: "listener",
	},
	{
		name: "nothing is plugged in", do: "ip link set vm5 nomaster; ip link set br-vm4 down", undo: "ip link set vm5 master br-vm5; ip link set br-vm4 up",
		area: operate.AreaNetworks, severity: operate.Broken, says: "br-vm4", vm: "vm5", ends: "interface", // the finding is another's: a VM may be off
	},
}

// hopTroubles are no findings, or not of one VM alone: a hop of its way is in doubt, or not seen.
var hopTroubles = []hopTrouble{
	{
		name: "the port dropped behind our rules", do: "iptables -A INPUT -p tcp --dport 5432 -j DROP", undo: "iptables -D INPUT -p tcp --dport 5432 -j DROP",
		vm: "vm3", hop: "listener", pass: operate.Doubt, says: "PostgreSQL listens at 10.3.0.1:5432", remedy: "nft list ruleset", served: true,
	},
	{
		name: "a chain of others without the loopback", undo: "nft delete table inet other",
		do: `nft 'table inet other { chain input { type filter hook input priority 10; policy drop; iifname "br-vm*" accept; ct state established accept; }; }'`,
		vm: "vm3", hop: "listener", pass: operate.Doubt, says: "PostgreSQL listens at 10.3.0.1:5432", served: true,
	},
	{
		name: "a VM that does not answer", do: "ip neigh flush dev br-vm3; ip neigh replace 10.3.0.9 dev br-vm3 nud failed", undo: "ip neigh flush dev br-vm3",
		vm: "vm3", hop: "neighbour", pass: operate.Doubt, says: "asked for 10.3.0.9 and got no answer",
	},
	{
		name: "a VM that nobody has met", do: "ip neigh flush dev br-vm1", vm: "vm1", hop: "neighbour", pass: operate.Doubt, says: "nobody of 10.1.0.0/24 has been met lately",
	},
	{
		name: "no firewall of ours", do: withConfig("firewall: {backend: off}"), undo: noConfig, vm: "vm3", hop: "guard", pass: operate.Doubt, says: "somebody else decides",
	},
	{
		name: "no guard", do: "nft flush ruleset", undo: "sessiondbd apply --only firewall", vm: "vm3", hop: "guard", pass: operate.Doubt, says: "nobody is kept out",
	},
	{
		name: "no allow", do: "iptables -D INPUT 1", undo: "sessiondbd apply --only firewall", vm: "vm3", hop: "allow", pass: operate.Doubt, says: "does not accept it",
	},
	{
		name: "a chain of others that cannot be read", do: "nft 'table inet other { chain input { type filter hook input priority 10; policy drop; ct mark 1 accept; iifname \"lo\" accept; }; }'; mv /usr/sbin/nft /usr/sbin/nft.off",
		undo: "mv /usr/sbin/nft.off /usr/sbin/nft; nft delete table inet other", vm: "vm3", hop: "other chains", pass: operate.Doubt, says: "drops by policy and cannot be read",
	},
	{
		name: "chains of others for VMs whose names begin alike", undo: "nft delete table inet one; nft delete table inet two\n" + noConfig,
		do: withConfig("networks: [{name: vm30, subnet: 10.4.0.0/24, gateway: 10.4.0.1}, {name: vm3, subnet: 10.3.0.0/24, gateway: 10.3.0.1}]") +
			`nft 'table inet one { chain input { type filter hook input priority 10; iifname "br-vm4" drop; }; }; table inet two { chain input { type filter hook input priority 11; iifname "br-vm3" drop; }; }'`,
		vm: "vm3", hop: "other chains", pass: operate.Ends, says: "inet two input drops vm3", remedy: "nft 'insert rule inet two input",
	},
	{
		name: "no gateway to be called", do: "ip addr del 10.3.0.1/24 dev br-vm3", undo: "ip addr add 10.3.0.1/24 dev br-vm3", vm: "vm3", hop: "listener", pass: operate.NotSeen, says: "10.3.0.1:5432 is not there to be called",
	},
	{
		name: "a line that asks for no password", do: "sed -i '1i host sessiondb sessionuser 10.3.0.0/24 trust' /etc/postgresql/15/main/pg_hba.conf",
		undo: "sed -i 1d /etc/postgresql/15/main/pg_hba.conf", vm: "vm3", hop: operate.AreaHBA, pass: operate.Doubt, says: "lets it in without a password",
	},
	{
		name: "a password that somebody set", do: "mv " + credentialFile + " /root/password", undo: "mv /root/password " + credentialFile,
		vm: "vm3", hop: "password", pass: operate.Doubt, says: "one that somebody set",
	},
	{
		name: "the documented password", do: "mv " + credentialFile + " /root/password; " + inDatabase + `"ALTER ROLE sessionuser PASSWORD 'sessionpass123'"`,
		undo: "mv /root/password " + credentialFile + "; sessiondbd apply --only database", vm: "vm3", hop: "password", pass: operate.Doubt, says: "the documented initial one",
	},
}

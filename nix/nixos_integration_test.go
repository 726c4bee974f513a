//go:build integration

package nix

// What NixOS itself puts on a host, beside what the module adds: PostgreSQL and firewalls.

// initdb is what NixOS does before PostgreSQL starts: a cluster in the data folder, its configuration a link to the store.
const initdb = `#!/bin/sh
set -eu
if [ ! -e "$PGDATA/PG_VERSION" ]; then
	/usr/lib/postgresql/15/bin/initdb -U postgres
fi
ln -sfn ` + storePrefix + `postgresql.conf/postgresql.conf "$PGDATA/postgresql.conf"
`

const postgresqlUnit = `[Unit]
Description=PostgreSQL Server
After=network.target

[Service]
Type=notify
User=postgres
Group=postgres
Environment=PGDATA=/var/lib/postgresql/15
ExecStartPre=` + storePrefix + `postgresql-pre-start/pre-start
ExecStart=/usr/lib/postgresql/15/bin/postgres
ExecReload=/bin/kill -HUP $MAINPID
KillMode=mixed
KillSignal=SIGINT
TimeoutSec=120
RuntimeDirectory=postgresql
RuntimeDirectoryPreserve=yes
`

const setupUnit = `[Unit]
Description=PostgreSQL Setup Scripts
Requires=postgresql.service
After=postgresql.service

[Service]
Type=oneshot
RemainAfterExit=yes
User=postgres
ExecStart=/bin/true
`

const targetUnit = `[Unit]
Description=PostgreSQL
Requires=postgresql.service postgresql-setup.service
`

// iptablesFirewall is NixOS's own of iptables: a chain that is appended last and drops, of which a reload replaces no more.
const iptablesFirewall = `#!/bin/sh
set -eu
for t in iptables ip6tables; do
	$t -w -D INPUT -j nixos-fw 2>/dev/null || true
	$t -w -F nixos-fw 2>/dev/null || $t -w -N nixos-fw
	$t -w -A nixos-fw -i lo -j ACCEPT
	$t -w -A nixos-fw -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
	$t -w -A nixos-fw -p tcp --dport 22 -j ACCEPT
	$t -w -A nixos-fw -j DROP
	$t -w -A INPUT -j nixos-fw
done
`

// nftablesFirewall is NixOS's own of nftables, with the module's rules in its place.
const nftablesFirewall = `table inet nixos-fw {
	chain input {
		type filter hook input priority filter; policy drop;
		iifname "lo" accept
		ct state vmap { invalid : drop, established : accept, related : accept, new : jump input-allow, untracked : jump input-allow }
	}
	chain input-allow {
		tcp dport 22 accept
		%s
	}
}
`

const firewallUnit = `[Unit]
Description=Firewall
DefaultDependencies=no
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=` + storePrefix + `firewall/start
ExecReload=` + storePrefix + `firewall/start
`

//go:build integration

package main

import "sessiondbd/internal/operate"

// bootTroubles are daemons that run and would not after a boot.
var bootTroubles = []trouble{
	{
		name: "the daemon is not enabled", do: "systemctl disable sessiondbd", area: operate.AreaServices, severity: operate.Risk,
		says: "sessiondbd.service runs, and does not start by itself at the next boot", remedy: "sudo systemctl enable sessiondbd",
	},
	{
		name: "the firewall is masked", do: "systemctl mask sessiondbd-firewall", area: operate.AreaServices, severity: operate.Risk,
		says: "sessiondbd-firewall.service runs, and does not start at the next boot (it is masked)", remedy: "sudo systemctl unmask sessiondbd-firewall && sudo systemctl enable sessiondbd-firewall",
	},
}

const (
	stopped = "systemctl stop postgresql@15-main; "
	started = "; systemctl start postgresql@15-main; systemctl stop sessiondbd-firewall" // which it pulls in
)

// mendTroubles are those whose first remedy was the wrong one.
var mendTroubles = []trouble{
	{
		name: "another port than that of database.url", do: "echo 'port = 5433 # ours' >>" + mainConfig + "; systemctl restart postgresql@15-main; systemctl stop sessiondbd-firewall",
		undo: "sed -i '/# ours/d' " + mainConfig + "; systemctl restart postgresql@15-main; systemctl stop sessiondbd-firewall", area: operate.AreaPostgreSQL, severity: operate.Broken,
		says: "a server listens at /run/postgresql/.s.PGSQL.5433", remedy: "sudo -u postgres psql -p 5433 -c 'SHOW config_file'    # if it is the right server: port = 5432 there", vm: "vm1", ends: "listener",
	},
	{
		name: "a masked server", do: stopped + "systemctl mask postgresql@15-main", undo: "sudo systemctl unmask postgresql@15-main.service" + started, area: operate.AreaPostgreSQL, severity: operate.Broken,
		says: "is not running", remedy: "sudo systemctl unmask postgresql@15-main.service && sudo systemctl start postgresql@15-main.service", vm: "vm1", ends: "listener",
	},
	{
		name: "a server whose disk is full", do: stopped + "mount -t tmpfs -o size=1m tmpfs /var/lib/postgresql/15/main", undo: "umount /var/lib/postgresql/15/main" + started,
		area: operate.AreaDisk, severity: operate.Broken, says: "/var/lib/postgresql/15/main has 1024 kB free", remedy: "df -h /var/lib/postgresql/15/main",
	},
	{
		name: "a disk for backups that is full while PostgreSQL is down", area: operate.AreaDisk, severity: operate.Broken, says: "/var/backups/sessiondb has nothing free", remedy: "df -h /var/backups/sessiondb",
		do:   stopped + "mkdir -p /var/backups/sessiondb; mount -t tmpfs -o size=64k tmpfs /var/backups/sessiondb; head -c 128k /dev/zero >/var/backups/sessiondb/full || true",
		undo: "umount /var/backups/sessiondb" + started,
	},
	{
		name: "a file where the backups belong", do: backups + "touch /var/backups/sessiondb", undo: noBackups, area: operate.AreaDisk, severity: operate.Risk,
		says: "/var/backups/sessiondb: it is in the way of a folder: a file", remedy: "backup.directory in the config",
	},
	{
		name: "a link to nowhere where the backups belong", do: backups + "ln -s /mnt/none /var/backups/sessiondb", undo: noBackups, area: operate.AreaDisk, severity: operate.Risk,
		says: "it is in the way of a folder: /var/backups/sessiondb is a link that leads nowhere", remedy: "backup.directory in the config",
	},
	{
		name: "a folder for backups that is root's alone", do: withConfig("backup: {directory: /root/backups}"), undo: noConfig,
		area: operate.AreaDisk, severity: operate.Unseen, says: "/root/backups: permission denied", remedy: "choose a folder that user postgres",
	},
	{
		name: "a wrong password in database.url", do: withConfig(`database: {url: "host=127.0.0.1 user=postgres password=wrong dbname=postgres"}`), undo: noConfig,
		area: operate.AreaDatabase, severity: operate.Unseen, says: "SQLSTATE 28P01", remedy: "mend the password, or the user, of database.url",
	},
	{
		name: "a table that is gone", do: inDatabase + `"ALTER TABLE session RENAME TO away"`, undo: inDatabase + `"ALTER TABLE away RENAME TO session"`,
		area: operate.AreaDatabase, severity: operate.Broken, says: "schema/session: ", vm: "vm1", ends: "schema",
	},
	{
		name: "a role that may not connect", do: inDatabase + `"REVOKE CONNECT ON DATABASE sessiondb FROM sessionuser, PUBLIC"`, area: operate.AreaDatabase, severity: operate.Broken,
		says: "grants/sessionuser differs from the config: CONNECT on database sessiondb", remedy: "sudo sessiondbd apply", vm: "vm1", ends: "rights",
	},
	{
		name: "a role that may not read", do: inDatabase + `"REVOKE ALL ON session FROM sessionuser"`, area: operate.AreaDatabase, severity: operate.Broken,
		says: "grants/sessionuser differs from the config: SELECT on public.session", remedy: "sudo sessiondbd apply", vm: "vm1", ends: "rights",
	},
	{
		name: "a role that may connect as everybody may", do: inDatabase + `"REVOKE CONNECT ON DATABASE sessiondb FROM sessionuser; GRANT CONNECT ON DATABASE sessiondb TO PUBLIC"`,
		area: operate.AreaDatabase, severity: operate.Broken, says: "grants/sessionuser differs from the config: CONNECT on database sessiondb", remedy: "sudo sessiondbd apply", vm: "vm1",
	},
}

const (
	backups   = "mv /var/backups/sessiondb /root/away; "
	noBackups = "rm /var/backups/sessiondb; mv /root/away /var/backups/sessiondb"
)

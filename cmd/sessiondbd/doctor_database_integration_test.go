//go:build integration

package main

import "sessiondbd/internal/operate"

const inDatabase = "runuser -u postgres -- psql -qd sessiondb -c "

// earlyTroubles are those that a transaction which stays open would not let be made, or mended.
var earlyTroubles = []trouble{
	{
		name: "an index that is missing", do: inDatabase + `"DROP INDEX idx_session_parent"`, area: operate.AreaDatabase, severity: operate.Broken,
		says: "idx_session_parent", remedy: "sudo sessiondbd apply", vm: "vm1",
	},
	{
		name: "a database that is gone", do: "runuser -u postgres -- psql -qc 'ALTER DATABASE sessiondb RENAME TO away'", undo: "runuser -u postgres -- psql -qc 'ALTER DATABASE away RENAME TO sessiondb'",
		area: operate.AreaDatabase, severity: operate.Broken, says: "is gone", remedy: "sudo sessiondbd apply --accept-new-database", vm: "vm1", ends: "schema",
	},
	{
		name: "an old oneshot while PostgreSQL is down", area: operate.AreaUnits, severity: operate.Risk,
		do:   "printf '[Service]\\nExecStart=/bin/true\\n' >/etc/systemd/system/set-sessionuser-password.service; systemctl daemon-reload; systemctl stop postgresql@15-main",
		undo: "sudo systemctl disable --now set-sessionuser-password.service; rm -f /etc/systemd/system/set-sessionuser-password.service; systemctl daemon-reload; systemctl start postgresql@15-main; systemctl stop sessiondbd-firewall", // which PostgreSQL has pulled in
		says: "set-sessionuser-password.service", remedy: "sudo rm -r /etc/systemd/system/set-sessionuser-password.service",
	},
}

// databaseTroubles are PostgreSQL's own, and the host's around it. Two VMs hold a connection meanwhile.
var databaseTroubles = []trouble{
	{
		name: "a VM at its limit", do: withConfig("firewall: {max_connections_per_vm: 1}"), undo: noConfig, area: operate.AreaActivity, severity: operate.Broken,
		says: "vm1 holds 1 of its 1 connections", remedy: "sudo sessiondbd status --sessions", vm: "vm1", ends: "limit",
	},
	{
		name: "a role at its limit", do: withConfig("roles: [{name: sessionuser, password: {credential: sessionuser.password}, connection_limit: 2}]"), undo: noConfig,
		area: operate.AreaActivity, severity: operate.Broken, says: "role sessionuser has 2 of its 2 connections in use", remedy: "sudo sessiondbd status --sessions",
	},
	{
		name: "an identity that cannot be read", do: "cd /var/lib/sessiondbd; mv identity.json was; mkdir identity.json", undo: "cd /var/lib/sessiondbd; rmdir identity.json; mv was identity.json",
		area: operate.AreaDatabase, severity: operate.Unseen, says: "identity.json", remedy: "sudo journalctl -u sessiondbd",
	},
	{
		name: "pg_hba.conf without our block", do: "sed -i /sessiondb/d /etc/postgresql/15/main/pg_hba.conf", area: operate.AreaHBA, severity: operate.Broken,
		says: "vm5 (10.5.0.0/24) as sessionuser (no line lets it in)", remedy: "sudo sessiondbd apply --only database", vm: "vm5", ends: operate.AreaHBA,
	},
	{
		name: "a line that rejects one VM", do: "sed -i '1i host sessiondb sessionuser 10.4.0.0/24 reject' /etc/postgresql/15/main/pg_hba.conf",
		undo: "sed -i 1d /etc/postgresql/15/main/pg_hba.conf", area: operate.AreaHBA, severity: operate.Broken,
		says: "vm4 (10.4.0.0/24) as sessionuser (/etc/postgresql/15/main/pg_hba.conf:1 rejects it)", vm: "vm4", ends: operate.AreaHBA,
	},
	{
		name: "a role that may not log in", do: inDatabase + `"ALTER ROLE sessionuser NOLOGIN"`, area: operate.AreaDatabase, severity: operate.Broken,
		says: "role/sessionuser: it may not log in", remedy: `ALTER ROLE "sessionuser" LOGIN`, vm: "vm1", ends: "role",
	},
	{
		name: "a role without a password", do: inDatabase + `"ALTER ROLE sessionuser PASSWORD NULL"`, area: operate.AreaDatabase, severity: operate.Broken,
		says: "role/sessionuser differs from the config: password", remedy: "sudo sessiondbd apply", vm: "vm1", ends: "password",
	},
	{
		name: "a password that somebody changed", do: inDatabase + `"ALTER ROLE sessionuser PASSWORD 'another'"`, area: operate.AreaDatabase, severity: operate.Broken,
		says: "role/sessionuser differs from the config: password", remedy: "sudo sessiondbd apply", vm: "vm1", ends: "password",
	},
	{
		name: "a role that is not there", do: inDatabase + `"ALTER ROLE sessionuser RENAME TO away"`, undo: inDatabase + `"ALTER ROLE away RENAME TO sessionuser"`,
		area: operate.AreaDatabase, severity: operate.Broken, says: "role/sessionuser differs from the config", remedy: "sudo sessiondbd apply", vm: "vm1", ends: "role",
	},
	{
		name: "a role that has expired", do: inDatabase + `"ALTER ROLE sessionuser VALID UNTIL '2020-01-01'"`, area: operate.AreaDatabase, severity: operate.Broken,
		says: "role/sessionuser differs", remedy: "sudo sessiondbd apply", vm: "vm1", ends: "role",
	},
	{
		name: "a role that may have no connection", do: inDatabase + `"ALTER ROLE sessionuser CONNECTION LIMIT 0"`, area: operate.AreaDatabase, severity: operate.Broken,
		says: "role/sessionuser differs", remedy: "sudo sessiondbd apply", vm: "vm1", ends: "connections",
	},
	{
		name: "a VM that may not come", do: withConfig("roles: [{name: sessionuser, password: {credential: sessionuser.password}, networks: [vm1]}]"), undo: noConfig,
		area: operate.AreaHBA, severity: operate.Broken, says: "hba differs from the config", vm: "vm2", ends: "role",
	},
	{
		name: "the documented password", area: operate.AreaDatabase, severity: operate.Risk, vm: "vm1",
		do:   "mv " + credentialFile + " /root/password; " + inDatabase + `"ALTER ROLE sessionuser PASSWORD 'sessionpass123'"`,
		undo: "mv /root/password " + credentialFile + "; sessiondbd apply --only database",
		says: "the documented initial password is in use", remedy: "/etc/credstore/sessionuser.password", why: "everybody can read it in the documentation",
	},
	{
		name: "a locked table", area: operate.AreaDatabase, severity: operate.Unseen, says: "the table is locked by process",
		do:     "runuser -u postgres -- sh -c '(echo \"BEGIN; LOCK TABLE session;\"; sleep 300) | psql -qd sessiondb' >/dev/null 2>&1 & echo $! >/root/locker",
		remedy: "sudo sessiondbd status --sessions", undo: inDatabase + `"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE mode = 'AccessExclusiveLock'"; kill $(cat /root/locker) || true`,
	},
	{
		name: "no room for a backup", do: "mkdir -p /var/backups/sessiondb; mount -t tmpfs -o size=64k tmpfs /var/backups/sessiondb", undo: "umount /var/backups/sessiondb",
		area: operate.AreaDisk, severity: operate.Risk, says: "/var/backups/sessiondb has 64 kB free", remedy: "df -h /var/backups/sessiondb",
	},
	{
		name: "a backup that failed", do: "rm -rf /var/backups/sessiondb; touch /var/backups/sessiondb; sessiondbd backup || true", undo: "rm /var/backups/sessiondb; sessiondbd backup",
		area: operate.AreaBackups, severity: operate.Risk, says: "/var/backups/sessiondb is not a folder", remedy: "sudo sessiondbd backup",
	},
	{
		name: "a backup that cannot be restored", do: `sed -i.bak 's/"public.session": [0-9]*/"public.session": 7777/' /var/backups/sessiondb/*.json; sessiondbd backup --verify || true`,
		undo: "mv /var/backups/sessiondb/*.bak $(ls /var/backups/sessiondb/*.json); sessiondbd backup --verify",
		area: operate.AreaBackups, severity: operate.Risk, says: "public.session has ", remedy: "sudo sessiondbd backup && sudo sessiondbd backup --verify",
	},
	{
		name: "a newer backup that was not tested", do: `sed -i.bak 's/"public.session": [0-9]*/"public.session": 7777/' /var/backups/sessiondb/*.json; sessiondbd backup --verify || true; sleep 1; sessiondbd backup`,
		undo: "mv /var/backups/sessiondb/*.bak $(ls /var/backups/sessiondb/*.json | head -n 1); sessiondbd backup --verify",
		area: operate.AreaBackups, severity: operate.Risk, says: "a backup could not be restored for a test", remedy: "sudo sessiondbd backup --verify",
	},
	{
		name: "an old backup", do: `sed -i '/last_good/,/}/s/"at": "20[^T]*T/"at": "2020-01-01T/' /var/lib/sessiondbd/backup.json`, undo: "sleep 1; sessiondbd backup",
		area: operate.AreaBackups, severity: operate.Risk, says: "the newest backup was made ", remedy: "sudo systemctl enable --now sessiondbd-backup.timer",
	},
	{
		name: "backups that were not tested for long", do: `sed -i '/last_verified/,/}/s/"at": "20[^T]*T/"at": "2020-01-01T/' /var/lib/sessiondbd/backup.json`, undo: "sessiondbd backup --verify",
		area: operate.AreaBackups, severity: operate.Risk, says: "no backup was restored for a test for ", remedy: "sudo systemctl enable --now sessiondbd-backup-verify.timer",
	},
	{
		name: "no way in for a restore", do: `sed -i.own -E 's/^host +all +all +(127|::1)/# &/' /etc/postgresql/*/main/pg_hba.conf; ` + reloadsHBA, undo: `for f in /etc/postgresql/*/main/pg_hba.conf; do cat $f.own >$f; rm $f.own; done; ` + reloadsHBA,
		area: operate.AreaBackups, severity: operate.Risk, says: "sessiondbd_restore, the role that executes a dump, cannot log in", remedy: "put at the end of pg_hba.conf: host  all  sessiondbd_restore  127.0.0.1/32  scram-sha-256",
	},
	{
		name: "a line that keeps a restore out", do: `sed -i '1i host all all 127.0.0.1/32 reject\nhost all all ::1/128 reject' ` + hbaFile + "; " + reloadsHBA, undo: "sed -i 1,2d " + hbaFile + "; " + reloadsHBA,
		area: operate.AreaBackups, severity: operate.Risk, says: "sessiondbd_restore, the role that executes a dump, cannot log in", remedy: "put above " + hbaFile + ":1 (host all all 127.0.0.1/32 reject): host  all  sessiondbd_restore",
	},
	{
		name: "a folder for backups that nobody may look into", do: withConfig("backup: {directory: /root/backups}"), undo: noConfig,
		area: operate.AreaDisk, severity: operate.Unseen, says: "/root/backups: permission denied",
	},
	{
		name: "an old oneshot", do: "printf '[Service]\\nExecStart=/bin/true\\n' >/etc/systemd/system/set-sessionuser-password.service; systemctl daemon-reload",
		area: operate.AreaUnits, severity: operate.Risk, says: "set-sessionuser-password.service", remedy: "sudo systemctl disable --now set-sessionuser-password.service",
	},
}

const reloadsHBA = `runuser -u postgres -- psql -qc 'SELECT pg_reload_conf()' >/dev/null`

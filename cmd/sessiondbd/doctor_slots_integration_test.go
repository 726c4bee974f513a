//go:build integration

package main

import (
	"fmt"

	"sessiondbd/internal/operate"
)

// crowded has as many clients of another database as are given, on a server that takes eight. The daemons would be counted, too.
func crowded(n int) string {
	return "echo 'max_connections = 8' >>" + mainConfig + "; systemctl restart postgresql@15-main; systemctl stop sessiondbd-firewall\n" +
		fmt.Sprintf("for i in $(seq %d); do runuser -u postgres -- psql -qc 'SELECT pg_sleep(600)' >/dev/null 2>&1 & done\n", n) +
		// Before doctor comes, which takes a place, too.
		fmt.Sprintf("for i in $(seq 100); do [ $(pgrep -fc 'postgres: 15/main: .* SELECT$') -lt %d ] || break; sleep 0.1; done", n)
}

const (
	mainConfig = "/etc/postgresql/15/main/postgresql.conf"
	uncrowded  = "sed -i '/^max_connections = 8/d' " + mainConfig + "; systemctl restart postgresql@15-main; systemctl stop sessiondbd-firewall"
)

// slotTroubles are VMs that are let in everywhere, and for which there is no connection.
var slotTroubles = []trouble{
	{
		name: "a server that is full", do: crowded(5), undo: uncrowded, area: operate.AreaActivity, severity: operate.Broken,
		says: "5 of max_connections = 8 are in use, and 3 are kept for administrators", remedy: "FROM pg_stat_activity", vm: "vm1", ends: "connections",
	},
	{
		name: "a server that keeps more for administrators", do: "echo 'superuser_reserved_connections = 5 # ours' >>" + mainConfig + "\n" + crowded(3),
		undo: "sed -i '/# ours/d' " + mainConfig + "; " + uncrowded,
		area: operate.AreaActivity, severity: operate.Broken, says: "3 of max_connections = 8 are in use, and 5 are kept", remedy: "FROM pg_stat_activity", vm: "vm1", ends: "connections",
	},
	{
		name: "a server that is full for administrators too", do: crowded(8), undo: uncrowded, area: operate.AreaPostgreSQL, severity: operate.Broken,
		says: "SQLSTATE 53300", remedy: "ps -o pid,etime,args -C postgres", vm: "vm1", ends: "connections",
	},
	{
		name: "a database that may have no connection", do: inDatabase + `"ALTER DATABASE sessiondb CONNECTION LIMIT 0"`, area: operate.AreaActivity, severity: operate.Broken,
		says: "database sessiondb has 0 of its 0 connections in use", remedy: `ALTER DATABASE "sessiondb" CONNECTION LIMIT -1`, vm: "vm1", ends: "connections",
	},
	{
		name: "a database that takes no connection", do: "runuser -u postgres -- psql -qc 'ALTER DATABASE sessiondb ALLOW_CONNECTIONS false'", area: operate.AreaDatabase, severity: operate.Broken,
		says: "sessiondb", remedy: `ALTER DATABASE "sessiondb" ALLOW_CONNECTIONS true`, vm: "vm1", ends: "connections",
	},
}

package operate

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"sessiondbd/internal/postgres"
)

// Slots are the connections of everybody, which the VMs have to share.
type Slots struct {
	Clients int `json:"clients"` // of the whole server, without who asks
	Limit   int `json:"limit"`   // of the session database; -1: none
}

const slotsSQL = `SELECT (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS clients,
	coalesce((SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = $1), -1) AS "limit"`

func slotsQuery(database string, into *Usage) postgres.Query {
	var rows []Slots
	return postgres.Query{Name: "the server's connections", SQL: slotsSQL, Args: []string{database}, Into: &rows, Then: func() {
		if len(rows) == 1 {
			into.Slots = &rows[0]
		}
	}}
}

// full says why the server takes no further connection to the session database from anybody but an administrator; empty: it does.
func (c *Case) full() (what, reason, remedy string) {
	if c.Slots == nil {
		return "", "", ""
	}
	if limit := c.Slots.Limit; limit >= 0 && len(c.Sessions) >= limit {
		return fmt.Sprintf("database %s has %d of its %d connections in use (CONNECTION LIMIT)", c.ServerWant.Database, len(c.Sessions), limit),
			"PostgreSQL refuses the next one: too many connections for database", c.alterDatabase("CONNECTION LIMIT -1")
	}
	number := func(setting string) int { // 0: a version without it
		n, _ := strconv.Atoi(c.Server.Value(setting))
		return n
	}
	most, kept := number("max_connections"), number("superuser_reserved_connections")+number("reserved_connections")
	if most > 0 && c.Slots.Clients >= most-kept {
		return fmt.Sprintf("%d of max_connections = %d are in use, and %d are kept for administrators", c.Slots.Clients, most, kept),
			"PostgreSQL refuses the next one: too many clients",
			"sudo -u postgres psql -c \"SELECT datname, usename, client_addr, count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 1, 2, 3 ORDER BY 4 DESC\"    # who they are; then smaller pools there, or a higher max_connections"
	}
	return "", "", ""
}

func (c *Case) alterDatabase(clause string) string {
	return fmt.Sprintf(`sudo -u postgres psql -c 'ALTER DATABASE "%s" %s'`, c.ServerWant.Database, clause)
}

// shut says whether it is the session database itself that takes no connection, not even an administrator's
// (SQLSTATE 55000 before anything was asked: ALLOW_CONNECTIONS false).
func (c *Case) shut() bool {
	for _, f := range c.DatabasePlan.Unobserved {
		if e := (*postgres.Error)(nil); errors.As(f.Err, &e) && e.Code == "55000" && strings.HasPrefix(e.Error(), "connect to ") {
			return true
		}
	}
	return false
}

// crowded says whether the server had no connection left for an administrator either.
func (c *Case) crowded() bool {
	for _, f := range c.DatabasePlan.Unobserved {
		if e := (*postgres.Error)(nil); errors.As(f.Err, &e) && e.Code == "53300" {
			return true
		}
	}
	return false
}

// crowd is how who holds them is seen without a connection.
const crowd = "ps -o pid,etime,args -C postgres    # who holds them (database, role and address stand behind the name); end one: sudo kill PID; then smaller pools there, or a higher max_connections"

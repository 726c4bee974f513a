package operate

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"sessiondbd/internal/firewall"
	"sessiondbd/internal/postgres"
)

const (
	// SlowQuery is from when on a query counts as slow: the documentation's five seconds.
	SlowQuery = 5 * time.Second
	// OldTransaction is from when on an open transaction holds others up: VACUUM keeps every row version since it began.
	OldTransaction = 30 * time.Second
)

// Session is somebody's connection to the session database. Times are in milliseconds; what does not apply is 0.
type Session struct {
	PID         int    `json:"pid"`
	Role        string `json:"role"`
	Address     string `json:"address"` // empty: the Unix socket
	From        string `json:"from"`    // the same in the config's words, see Place
	Application string `json:"application"`
	State       string `json:"state"`
	QueryAge    int    `json:"query_ms"`
	Transaction int    `json:"transaction_ms"`
	Waits       string `json:"waits_for"` // type of the event, as pg_stat_activity names it
	Query       string `json:"query"`     // see mask
}

// activitySQL does not name the query of whoever asks. Only what the server knows of it is asked: no lock is taken.
const activitySQL = `SELECT pid, usename AS role, host(client_addr) AS address, application_name AS application, state,
	(1000 * extract(epoch FROM clock_timestamp() - query_start))::int8 AS query_ms,
	(1000 * extract(epoch FROM clock_timestamp() - xact_start))::int8 AS transaction_ms, wait_event_type AS waits_for, left(query, 1000) AS query
	FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid`

func activityQuery(database string, into *[]Session) postgres.Query {
	return postgres.Query{Name: "sessions", SQL: activitySQL, Args: []string{database}, Into: into, Then: func() {
		for i := range *into {
			s := &(*into)[i]
			s.Query, s.Role, s.Application = mask(s.Query), printable(s.Role), printable(s.Application)
		}
	}}
}

// own says whether a session is one of sessiondbd's.
func (s Session) own() bool { return s.Application == postgres.ApplicationName && s.Address == "" }

// slow are the queries that have been running for long, the longest first.
func slow(all []Session) []Session {
	list := slices.DeleteFunc(slices.Clone(all), func(s Session) bool {
		return s.own() || s.State != "active" || time.Duration(s.QueryAge)*time.Millisecond <= SlowQuery
	})
	slices.SortStableFunc(list, func(a, b Session) int { return cmp.Compare(b.QueryAge, a.QueryAge) })
	return list
}

// old are the transactions that have been open for long, the longest first.
func old(all []Session) []Session {
	list := slices.DeleteFunc(slices.Clone(all), func(s Session) bool {
		return s.own() || time.Duration(s.Transaction)*time.Millisecond <= OldTransaction
	})
	slices.SortStableFunc(list, func(a, b Session) int { return cmp.Compare(b.Transaction, a.Transaction) })
	return list
}

// The places that no network is.
const (
	ThisHost = "this host"
	Itself   = "sessiondbd itself"
)

// Place is where a session comes from, in the config's words: the name of a VM's network, or the address.
func Place(spec firewall.Spec, address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ThisHost
	}
	for _, n := range spec.Networks {
		switch {
		case n.Gateway == a.Unmap(): // a gateway is the host's own
			return ThisHost
		case n.Subnet.Contains(a.Unmap()):
			return n.Name
		}
	}
	if a.IsLoopback() {
		return ThisHost
	}
	return address
}

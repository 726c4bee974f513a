package role

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// Transaction is one of a declared role in the session database. It says nothing of what the role does in it: a query may
// hold data.
type Transaction struct {
	Role    string `json:"role"`
	PID     int    `json:"pid"`
	Client  string `json:"client"`  // address; empty: the Unix socket
	Backend string `json:"backend"` // start of the connection, in seconds since 1970
	Start   string `json:"start"`   // of the transaction, likewise
	Since   string `json:"since"`   // the same for people
	Age     int    `json:"age"`     // in milliseconds
}

// activity is what the server tells of one session, with times as it writes them: each function or cast costs a backend that
// has just been forked its look-up, so we do the arithmetic.
type activity struct {
	Role    string `json:"role"`
	PID     int    `json:"pid"`
	Client  string `json:"client"`
	Backend string `json:"backend"`
	Start   string `json:"start"`
	Now     string `json:"now"`
}

// transactions asks for those that are open. The function behind pg_stat_activity reads the server's memory, and nothing has
// to be joined to it.
func transactions(want Want, into *Observation) []postgres.Query {
	if want.TransactionAge == 0 {
		return nil
	}
	var all []activity
	return []postgres.Query{{
		Name: "open transactions", Into: &all, Session: true,
		Then: func() {
			for _, a := range all {
				if t, ok := a.transaction(); ok && want.declares(t.Role) {
					into.Transactions = append(into.Transactions, t)
				}
			}
		},
		SQL: `SELECT pg_get_userbyid(usesysid) AS role, pid, client_addr AS client, backend_start AS backend, xact_start AS start, clock_timestamp() AS now
			FROM pg_stat_get_activity(NULL) WHERE xact_start IS NOT NULL AND backend_type = 'client backend'
			AND datid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
	}}
}

// transaction is false for one that cannot be told from others.
func (a activity) transaction() (Transaction, bool) {
	backend, ok := postgres.Timestamp(a.Backend)
	start, also := postgres.Timestamp(a.Start)
	now, too := postgres.Timestamp(a.Now)
	epoch := func(t time.Time) string { return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000) }
	return Transaction{
		Role: a.Role, PID: a.PID, Client: a.Client, Backend: epoch(backend), Start: epoch(start),
		Since: start.UTC().Format("2006-01-02 15:04:05 UTC"), Age: int(now.Sub(start).Milliseconds()),
	}, ok && also && too
}

// Limits ends transactions that are too old. It comes before whatever might have to wait for them.
func Limits(want Want, have Observation) []plan.Resource {
	var list []plan.Resource
	for _, s := range want.Roles {
		r := plan.Resource{Name: "role/" + s.Name}
		for _, t := range have.Transactions {
			if t.Role == s.Name && time.Duration(t.Age)*time.Millisecond > want.TransactionAge && want.TransactionAge > 0 && !have.ours(t.Role) {
				r.Add(plan.Run, t.field(), "open since "+t.Since, "at most "+brief(want.TransactionAge)+" old",
					"its locks shut others out of the table, and VACUUM cannot clean up behind it; its connection is ended", t.end())
			}
		}
		if len(r.Changes) > 0 {
			slices.SortFunc(r.Changes, func(a, b plan.Change) int { return strings.Compare(a.Have+a.Field, b.Have+b.Field) })
			list = append(list, r)
		}
	}
	return list
}

// ours says whether we are connected as a role: its transactions may be our own.
func (o Observation) ours(role string) bool {
	return len(o.Server) != 1 || o.Server[0].User == role
}

// field tells one transaction from another, and stays the same while it lasts.
func (t Transaction) field() string {
	from := t.Client
	if from == "" {
		from = "the Unix socket"
	}
	return fmt.Sprintf("transaction of process %d from %s", t.PID, from)
}

// brief is a duration without the units that are zero.
func brief(d time.Duration) string {
	s := d.String()
	for _, tail := range []string{"0s", "0m"} {
		if rest := strings.TrimSuffix(s, tail); rest != s && rest != "" && strings.ContainsAny(rest[len(rest)-1:], "hm") {
			s = rest
		}
	}
	return s
}

// dying is how long a connection may take to end before the step gives up and the next look finds it again.
const dying = 5 * time.Second

// end is by process, connection and transaction: a number that was taken again, or a transaction that came to its own end
// meanwhile, is somebody else. It runs in the maintenance database, where nothing that it ends can be in the way.
func (t Transaction) end() postgres.SQL {
	return postgres.SQL{Where: postgres.Maintenance, Label: "end the " + t.field(), Statements: []string{fmt.Sprintf(
		`SELECT pg_terminate_backend(pid, %d) FROM pg_stat_get_activity(%d)
	WHERE extract(epoch FROM backend_start) = %s AND extract(epoch FROM xact_start) = %s`, dying.Milliseconds(), t.PID, t.Backend, t.Start)}}
}

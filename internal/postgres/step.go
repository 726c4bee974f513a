package postgres

import (
	"fmt"
	"strings"
	"time"
)

// Where says in which database a step runs.
type Where int

// Session is the session database; Maintenance the one of the connection string, which is there before it.
const (
	Session Where = iota
	Maintenance
)

// SQL is a step: statements that run in one transaction, or one statement that cannot run in any.
type SQL struct {
	Where      Where
	Statements []string
	// Before runs ahead of the statements in the same transaction; positions in errors count from the statements.
	Before []string
	// Alone marks a statement that cannot run inside a transaction (CREATE DATABASE, CREATE INDEX CONCURRENTLY).
	Alone bool
	// Sweep is a query for the keys (uuid) of the rows that the one statement is about. It runs once for some of them at a
	// time, each time in a transaction that is short enough for writers; :keys in it becomes their array literal.
	Sweep string
	// Group lets consecutive steps of one group share a transaction; empty: a transaction of its own.
	Group string
	// Secret switches every kind of statement logging off for the transaction: a statement holds a verifier.
	Secret bool
	// Replica switches triggers off for the transaction (session_replication_role), so that a repair of rows does not
	// look like their users' work.
	Replica bool
	// LockTimeout bounds the wait for each lock; whoever queues behind us waits as long. 0: the default of 50 ms, which is
	// tried again. Alone steps wait without bound: a timeout would leave an invalid index behind.
	LockTimeout time.Duration
	// Label is what errors and logs call the step.
	Label string
}

// String names the step without its text, which may hold a secret.
func (s SQL) String() string {
	if s.Label != "" {
		return s.Label
	}
	if s.Secret || len(s.Statements) == 0 {
		return "SQL (not shown)"
	}
	first, _, _ := strings.Cut(s.Statements[0], "\n")
	if n := len(s.Statements) - 1; n > 0 {
		first += fmt.Sprintf(" (and %d more)", n)
	}
	return first
}

// QuoteIdent quotes an identifier (PostgreSQL manual, 4.1.1). A NUL byte cannot be in one; it is dropped.
func QuoteIdent(name string) string {
	return `"` + strings.ReplaceAll(strings.ReplaceAll(name, "\x00", ""), `"`, `""`) + `"`
}

// QuoteLiteral quotes a string constant whatever standard_conforming_strings says.
func QuoteLiteral(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\x00", ""), "'", "''")
	if strings.Contains(s, `\`) {
		return ` E'` + strings.ReplaceAll(s, `\`, `\\`) + `'`
	}
	return "'" + s + "'"
}

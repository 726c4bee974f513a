package operate

import (
	"fmt"
	"time"

	"sessiondbd/internal/postgres"
)

// Bounds limit what a look may do to others, and to us.
type Bounds struct {
	// Statement ends a query that takes longer; 0: none is ended.
	Statement time.Duration
	// Around and Inside are the roles whose rights the questions about the server and about the table have. Empty: those of
	// whoever is connected.
	Around, Inside string
}

// boundsSQL: a look cannot write, waits for no lock that an ALTER TABLE queues behind, and gives up rights that it does not need.
const boundsSQL = `SELECT concat(set_config('transaction_read_only', 'on', true), set_config('lock_timeout', '1s', true),
	set_config('statement_timeout', $1::text, true), CASE WHEN $2::text <> '' THEN set_config('role', $2::text, true) END) AS done`

func (b Bounds) query(role string) postgres.Query {
	return postgres.Query{Name: "the bounds of a look", SQL: boundsSQL, Args: []string{fmt.Sprint(b.Statement.Milliseconds()), role}, Into: new([]done)}
}

type done struct {
	Done string `json:"done"`
}

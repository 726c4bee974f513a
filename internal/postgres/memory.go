package postgres

import "github.com/jackc/pgx/v5/pgconn"

// memory is what a connection that is kept remembers of the answers to durable queries. A snapshot names the transactions
// that have ended; two equal ones see the same rows, catalogues included. So while it stays the same the answers do, and
// the server is asked for nothing but it.
type memory struct {
	snapshot string
	quiet    bool // it was the same twice: worth asking for alone first
	answers  map[string]*pgconn.Result
}

type snapshot struct {
	Text string `json:"snapshot"`
}

// query goes before all durable ones: what they see is at least as new.
func (m *memory) query() Query {
	var rows []snapshot
	return Query{Name: "the snapshot", Into: &rows, SQL: "SELECT pg_current_snapshot() AS snapshot", Then: func() {
		m.quiet = len(rows) == 1 && rows[0].Text == m.snapshot
		if !m.quiet {
			m.answers = map[string]*pgconn.Result{}
		}
		if len(rows) == 1 {
			m.snapshot = rows[0].Text
		}
	}}
}

// key tells queries apart.
func (q Query) key() string { return q.SQL + Array(q.Args) }

func (m *memory) keep(q Query, r *pgconn.Result) {
	if m != nil && q.Durable {
		m.answers[q.key()] = r
	}
}

// recall gives the queries their former answers, and returns those that have none.
func (m *memory) recall(queries []Query) (left []Query, err error) {
	for _, q := range queries {
		if m == nil || !q.Durable || m.answers[q.key()] == nil {
			left = append(left, q)
		} else if err := q.take(m.answers[q.key()]); err != nil {
			return nil, err
		}
	}
	return left, nil
}

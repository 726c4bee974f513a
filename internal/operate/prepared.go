package operate

import (
	"context"
	"fmt"

	"sessiondbd/internal/postgres"
)

// NothingPrepared refuses while the database in service has transactions that were prepared (PREPARE TRANSACTION): they belong to no
// session that could be ended, and PostgreSQL renames no database that has some.
func (b Beside) NothingPrepared(ctx context.Context, c *postgres.Conn, user string) error {
	var got []struct {
		Owner string `json:"owner"`
		Age   string `json:"age"`
		Quote string `json:"quote"`
	}
	q := postgres.Query{Name: "prepared transactions", Args: []string{b.Live}, Into: &got, SQL: `SELECT owner, pg_catalog.date_trunc('second', pg_catalog.now() - prepared)::pg_catalog.text AS age, pg_catalog.quote_literal(gid) AS quote
		FROM pg_catalog.pg_prepared_xacts WHERE database = $1 ORDER BY prepared LIMIT 10`}
	if err := c.Ask(ctx, []postgres.Query{q}); err != nil || len(got) == 0 {
		return err
	}
	list := ""
	for _, p := range got {
		gid := printable(p.Quote) // whoever may log in chooses it
		list += fmt.Sprintf("\n  of %s, for %s: ROLLBACK PREPARED %s or COMMIT PREPARED %s", p.Owner, p.Age, gid, gid)
	}
	return postgres.NewError(postgres.Refused, fmt.Sprintf("%s has prepared transactions, which keep it from being put aside; ask who began them, end each with sudo -u %s psql %s, and restore then; the database in service is as it was:%s", b.Live, user, b.Live, list))
}

package operate

import (
	"context"
	"fmt"

	"sessiondbd/internal/postgres"
)

// CountSessions counts the rows of public.session, -1 where there is no such table.
func CountSessions(ctx context.Context, c *postgres.Conn) (int64, error) {
	var there []struct {
		Table bool `json:"there"`
	}
	if err := noViews(ctx, c); err != nil {
		return 0, err
	}
	if err := c.Ask(ctx, []postgres.Query{{Name: "the table", SQL: "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass('public.session') AND relkind IN ('r', 'p')) AS there", Into: &there}}); err != nil {
		return 0, err
	}
	if len(there) != 1 || !there[0].Table {
		return -1, nil
	}
	var rows []struct {
		N int64 `json:"n"`
	}
	err := c.Ask(ctx, []postgres.Query{{Name: "counting sessions", SQL: "SELECT count(*) AS n FROM public.session", Into: &rows}})
	if err != nil || len(rows) != 1 {
		return 0, err
	}
	return rows[0].N, nil
}

// noViews has PostgreSQL refuse what is no table from here on, where it knows how (17, and the minor releases of August 2024; see
// CVE-2024-7348): what was a table when we looked may be a view of somebody's when we count, and would execute his code as us.
func noViews(ctx context.Context, c *postgres.Conn) error {
	var set []struct {
		Value string `json:"value"`
	}
	return c.Ask(ctx, []postgres.Query{{Name: "no views", Into: &set, SQL: "SELECT pg_catalog.set_config(name, 'view, foreign-table', false) AS value FROM pg_catalog.pg_settings WHERE name = 'restrict_nonsystem_relation_kind'"}})
}

// NoDatabase is what SessionsIn says of a database that does not exist.
const NoDatabase = "no database"

// SessionsIn says, for people, how many sessions are in the session database.
func SessionsIn(ctx context.Context, t postgres.Target) (string, error) {
	c, err := t.ConnectSession(ctx)
	if postgres.IsNoDatabase(err) {
		return NoDatabase, nil
	}
	if err != nil {
		return "", err
	}
	defer c.CloseSoon()
	n, err := CountSessions(ctx, c)
	switch {
	case err != nil:
		return "", err
	case n < 0:
		return "no table session", nil
	}
	return fmt.Sprint(n), nil
}

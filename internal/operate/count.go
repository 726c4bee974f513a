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
	if err := c.Ask(ctx, []postgres.Query{{Name: "the table", SQL: "SELECT pg_catalog.to_regclass('public.session') IS NOT NULL AS there", Into: &there}}); err != nil {
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

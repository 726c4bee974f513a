package operate

import (
	"context"
	"strconv"

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

// InService is what the session database holds.
type InService struct {
	Sessions int64
	instead  string // of a number, for people
}

// What is said instead.
const (
	noDatabase = "no database"
	noTable    = "no table session"
	notTold    = "a number that cannot be told, since somebody has locked the table"
)

func (s InService) String() string {
	if s.instead != "" {
		return s.instead
	}
	return strconv.FormatInt(s.Sessions, 10)
}

// NoDatabase says that there is none.
func (s InService) NoDatabase() bool { return s.instead == noDatabase }

// None says that there are no sessions to lose. A table that is locked may have some.
func (s InService) None() bool { return s.Sessions == 0 && s.instead != notTold }

// lockNotAvailable is the SQLSTATE of a lock that was not to be had in time (PostgreSQL manual, appendix A).
const lockNotAvailable = "55P03"

// SessionsIn counts the sessions in the session database. Whoever has locked the table, which a VM may, is not waited for.
func SessionsIn(ctx context.Context, t postgres.Target) (InService, error) {
	c, err := t.ConnectSession(ctx)
	if postgres.IsNoDatabase(err) {
		return InService{instead: noDatabase}, nil
	}
	if err != nil {
		return InService{}, err
	}
	defer c.CloseSoon()
	if _, err := c.Run(ctx, "SET lock_timeout = '1s'"); err != nil {
		return InService{}, err
	}
	n, err := CountSessions(ctx, c)
	switch {
	case postgres.CodeOf(err) == lockNotAvailable:
		return InService{instead: notTold}, nil
	case err != nil:
		return InService{}, err
	case n < 0:
		return InService{instead: noTable}, nil
	}
	return InService{Sessions: n}, nil
}

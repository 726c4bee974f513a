package operate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sessiondbd/internal/postgres"
)

// Snapshot is the state of a database at one moment, which pg_dump can look at, too, as long as the connection is open.
type Snapshot struct {
	ID       string
	Sessions int64
	Rows     map[string]int64 // by table, in all schemas but PostgreSQL's own
}

// TakeSnapshot begins a transaction on c that shows what is now, and counts.
func TakeSnapshot(ctx context.Context, c *postgres.Conn) (Snapshot, error) {
	if _, err := c.Run(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
		return Snapshot{}, err
	}
	var id []struct {
		ID string `json:"id"`
	}
	if err := c.Ask(ctx, []postgres.Query{{Name: "the snapshot", SQL: "SELECT pg_catalog.pg_export_snapshot() AS id", Into: &id}}); err != nil || len(id) != 1 {
		return Snapshot{}, err
	}
	rows, err := CountRows(ctx, c)
	if err != nil {
		return Snapshot{}, err
	}
	n, there := rows["public.session"]
	if !there {
		return Snapshot{}, postgres.NewError(postgres.Refused, "there is no table session to back up: sudo sessiondbd plan")
	}
	return Snapshot{ID: id[0].ID, Sessions: n, Rows: rows}, nil
}

// CountRows counts the rows of every table that a dump holds.
func CountRows(ctx context.Context, c *postgres.Conn) (map[string]int64, error) {
	var tables []struct {
		Schema string `json:"nspname"`
		Table  string `json:"relname"`
	}
	if err := noViews(ctx, c); err != nil {
		return nil, err
	}
	err := c.Ask(ctx, []postgres.Query{{Name: "the tables", Into: &tables, SQL: `SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
		ORDER BY 1, 2`}})
	if err != nil {
		return nil, err
	}
	counts := make([][]struct {
		N int64 `json:"n"`
	}, len(tables))
	queries := make([]postgres.Query, len(tables))
	for i, t := range tables {
		queries[i] = postgres.Query{
			Name: "counting " + t.Table, Into: &counts[i],
			SQL: "SELECT count(*) AS n FROM ONLY " + postgres.QuoteIdent(t.Schema) + "." + postgres.QuoteIdent(t.Table),
		}
	}
	rows := map[string]int64{}
	if err := c.Ask(ctx, queries); err != nil {
		return nil, err
	}
	for i, t := range tables {
		if len(counts[i]) == 1 {
			rows[t.Schema+"."+t.Table] = counts[i][0].N
		}
	}
	return rows, nil
}

// RolesOf writes the roles that own something in the database or may do something with it as SQL, without any password.
func RolesOf(ctx context.Context, c *postgres.Conn, declared []string) (string, error) {
	var roles []struct {
		Name        string `json:"rolname"`
		Super       bool   `json:"rolsuper"`
		Inherit     bool   `json:"rolinherit"`
		CreateRole  bool   `json:"rolcreaterole"`
		CreateDB    bool   `json:"rolcreatedb"`
		Login       bool   `json:"rolcanlogin"`
		Replication bool   `json:"rolreplication"`
		BypassRLS   bool   `json:"rolbypassrls"`
		Limit       int    `json:"rolconnlimit"`
	}
	var in []struct {
		Role   string `json:"role"`
		Member string `json:"member"`
	}
	err := c.Ask(ctx, []postgres.Query{
		{Name: "the roles", Into: &roles, SQL: `SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit
			FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' AND oid <> 10 ORDER BY 1`},
		{Name: "their memberships", Into: &in, SQL: `SELECT pg_catalog.pg_get_userbyid(roleid) AS role, pg_catalog.pg_get_userbyid(member) AS member FROM pg_catalog.pg_auth_members WHERE member <> 10 ORDER BY 1, 2`},
	})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("-- The server's roles. Passwords are not in it: sessiondbd sets those of its config, others are to be set again.\n")
	for _, r := range roles {
		of := func(is bool, word string) string {
			if is {
				return " " + word
			}
			return " NO" + word
		}
		note := ""
		if slices.Contains(declared, r.Name) {
			note = " -- of the config"
		}
		fmt.Fprintf(&b, "CREATE ROLE %s WITH%s%s%s%s%s%s%s CONNECTION LIMIT %d;%s\n", postgres.QuoteIdent(r.Name), of(r.Super, "SUPERUSER"), of(r.Inherit, "INHERIT"),
			of(r.CreateRole, "CREATEROLE"), of(r.CreateDB, "CREATEDB"), of(r.Login, "LOGIN"), of(r.Replication, "REPLICATION"), of(r.BypassRLS, "BYPASSRLS"), r.Limit, note)
	}
	for _, m := range in {
		fmt.Fprintf(&b, "GRANT %s TO %s;\n", postgres.QuoteIdent(m.Role), postgres.QuoteIdent(m.Member))
	}
	return b.String(), nil
}

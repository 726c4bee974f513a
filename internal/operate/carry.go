package operate

import (
	"context"
	"slices"
	"strconv"

	"sessiondbd/internal/postgres"
)

// Shut takes the rights of roles on the database in service away, as statements for the swap: nobody is to find the one that is
// kept by mistake, or to be warned of rights there. Back in service, it gets them again.
func (b Beside) Shut(ctx context.Context, c *postgres.Conn, roles []string) ([]string, error) {
	var got []struct {
		Name string `json:"rolname"`
	}
	q := postgres.Query{Name: "the roles", SQL: "SELECT rolname FROM pg_catalog.pg_roles ORDER BY 1", Into: &got}
	if err := c.Ask(ctx, []postgres.Query{q}); err != nil {
		return nil, err
	}
	var all []string
	for _, r := range got {
		if slices.Contains(roles, r.Name) {
			all = append(all, "REVOKE ALL ON DATABASE "+postgres.QuoteIdent(b.Live)+" FROM "+postgres.QuoteIdent(r.Name))
		}
	}
	return all, nil
}

// Carry has what administrators have set for the database in service as a whole hold for the fresh one, too: settings,
// rights of roles that are not ours, the comment, the limit of connections. A dump of the one database has none of that. What cannot be
// carried over is returned, as what to type.
func (b Beside) Carry(ctx context.Context, c *postgres.Conn, ours []string) (notes []string, err error) {
	all, err := b.carried(ctx, c, ours)
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		// Each in a transaction of its own: how a list is quoted differs from setting to setting, so that each is set for the
		// transaction and taken from there, and a timeout among them is nobody else's.
		sql := one.sql
		if one.name != "" {
			sql = "BEGIN; SELECT pg_catalog.set_config(" + postgres.QuoteLiteral(one.name) + ", " + postgres.QuoteLiteral(one.value) + ", true); " + sql + " FROM CURRENT; COMMIT"
		}
		if _, err := c.Run(ctx, sql); err != nil {
			if c.IsClosed() {
				return nil, err
			}
			if _, err := c.Run(ctx, "ROLLBACK"); err != nil {
				return nil, err
			}
			notes = append(notes, "not carried over from the database before: "+one.sql)
		}
	}
	return notes, nil
}

// carry is a statement about the fresh database; with a name, the beginning of one that gives a setting its value.
type carry struct{ sql, name, value string }

func (b Beside) carried(ctx context.Context, c *postgres.Conn, ours []string) (all []carry, err error) {
	var rights []struct {
		Grantee   string `json:"grantee"`
		Privilege string `json:"privilege_type"`
		Grantable bool   `json:"is_grantable"`
	}
	var settings []struct {
		Role  string `json:"role"`
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	var rest []struct {
		Limit   int    `json:"datconnlimit"`
		Comment string `json:"comment"`
	}
	live, fresh := []string{b.Live}, postgres.QuoteIdent(b.Fresh)
	err = c.Ask(ctx, []postgres.Query{
		{Name: "rights on the database", Args: live, Into: &rights, SQL: `SELECT CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END AS grantee, a.privilege_type, a.is_grantable
			FROM pg_catalog.pg_database d, pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) a WHERE d.datname = $1 AND a.grantee <> d.datdba ORDER BY 1, 2`},
		{Name: "settings of the database", Args: live, Into: &settings, SQL: `SELECT CASE WHEN s.setrole <> 0 THEN pg_catalog.pg_get_userbyid(s.setrole) ELSE '' END AS role,
			pg_catalog.split_part(c, '=', 1) AS name, pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) AS value
			FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase AND d.datname = $1, pg_catalog.unnest(s.setconfig) c ORDER BY 1, 2`},
		{Name: "the limit of connections and the comment", Args: live, Into: &rest, SQL: "SELECT datconnlimit, coalesce(pg_catalog.shobj_description(oid, 'pg_database'), '') AS comment FROM pg_catalog.pg_database WHERE datname = $1"},
	})
	if err != nil {
		return nil, err
	}
	for _, r := range rights {
		if slices.Contains(ours, r.Grantee) {
			continue
		}
		to, option := "PUBLIC", ""
		if r.Grantee != "" {
			to = postgres.QuoteIdent(r.Grantee)
		}
		if r.Grantable {
			option = " WITH GRANT OPTION"
		}
		all = append(all, carry{sql: "GRANT " + r.Privilege + " ON DATABASE " + fresh + " TO " + to + option})
	}
	for _, s := range settings {
		whose := "DATABASE " + fresh
		switch {
		case slices.Contains(ours, s.Role):
			continue
		case s.Role != "":
			whose = "ROLE " + postgres.QuoteIdent(s.Role) + " IN DATABASE " + fresh
		}
		all = append(all, carry{"ALTER " + whose + " SET " + s.Name, s.Name, s.Value})
	}
	for _, d := range rest {
		if d.Limit >= 0 {
			all = append(all, carry{sql: "ALTER DATABASE " + fresh + " CONNECTION LIMIT " + strconv.Itoa(d.Limit)})
		}
		if d.Comment != "" {
			all = append(all, carry{sql: "COMMENT ON DATABASE " + fresh + " IS " + postgres.QuoteLiteral(d.Comment)})
		}
	}
	return all, nil
}

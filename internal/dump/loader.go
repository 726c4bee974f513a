package dump

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sessiondbd/internal/postgres"
)

// loader executes.
type loader struct {
	c *postgres.Conn
	Into
	execute postgres.Statement
}

func (l loader) asOwner() string { return "SET ROLE " + postgres.QuoteIdent(l.Owner) }

// executorSQL makes a function that executes a statement. SET ROLE alone can be taken back by any code that a dump has executed, a
// CHECK constraint of somebody's table, and then that code is an administrator. Within a function that is SECURITY DEFINER
// PostgreSQL refuses to change roles (GUC_NOT_WHILE_SEC_REST of role and session_authorization, its guc_tables.c).
const executorSQL = `CREATE FUNCTION pg_temp.sessiondbd_execute(text) RETURNS int8 LANGUAGE plpgsql SECURITY DEFINER AS
	'DECLARE n int8; BEGIN EXECUTE $1; GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END'`

// executed is what the function returns.
type executed struct {
	Rows int64 `json:"n"`
}

func (l loader) do(ctx context.Context, sql string) (int64, error) {
	var n []executed
	if _, err := l.execute.Run(ctx, &n, sql); err != nil || len(n) != 1 {
		return 0, err
	}
	return n[0].Rows, nil
}

// run executes a statement in a transaction of its own. A large object's content has to come in one, which the dump asks for.
func (l loader) run(ctx context.Context, p Piece) (int64, error) {
	if strings.HasPrefix(p.Text, "SELECT pg_catalog.lo_open(") {
		if _, err := l.c.Run(ctx, "BEGIN"); err != nil {
			return 0, err
		}
	}
	n, err := l.do(ctx, p.Text)
	if err == nil && strings.HasPrefix(p.Text, "SELECT pg_catalog.lo_close(") {
		_, err = l.c.Run(ctx, "COMMIT")
	}
	if name := extensionOf(p.Text); name != "" && postgres.CodeOf(err) == notPrivileged {
		err = l.extension(ctx, name, err)
	}
	return n, err
}

// extension makes one that only an administrator may, if there is one who has; in our words, for a dump is anybody's.
func (l loader) extension(ctx context.Context, name string, denied error) error {
	schema, wanted := l.Extensions[name]
	if !wanted {
		return fmt.Errorf("%w; if it is to be trusted, an administrator makes it in the database in service, sudo -u postgres psql -c 'CREATE EXTENSION %s' %s, and restores again", denied, postgres.QuoteIdent(name), l.Live)
	}
	_, err := l.c.Run(ctx, "RESET ROLE")
	if err == nil {
		_, err = l.c.Run(ctx, "CREATE EXTENSION "+postgres.QuoteIdent(name)+" SCHEMA "+postgres.QuoteIdent(schema))
		_, back := l.c.Run(ctx, l.asOwner())
		err = errors.Join(err, back)
	}
	return err
}

var extends = lazy(`(?i)^CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:"((?:[^"]|"")+)"|([\w$]+))`)

// extensionOf is which extension a statement makes; empty: none.
func extensionOf(sql string) string {
	m := extends().FindStringSubmatch(sql[:min(len(sql), judged)])
	switch {
	case m == nil:
		return ""
	case m[1] != "":
		return strings.ReplaceAll(m[1], `""`, `"`)
	}
	return strings.ToLower(m[2])
}

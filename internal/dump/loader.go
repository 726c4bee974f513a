package dump

import (
	"context"
	"fmt"
	"io"
	"strings"

	"sessiondbd/internal/postgres"
)

// loader executes.
type loader struct {
	c *postgres.Conn
	Into
}

// run executes a statement in a transaction of its own. A large object's content has to come in one, which the dump asks for.
func (l loader) run(ctx context.Context, p Piece) (int64, error) {
	if strings.HasPrefix(p.Text, "SELECT pg_catalog.lo_open(") {
		if _, err := l.c.Run(ctx, "BEGIN"); err != nil {
			return 0, err
		}
	}
	n, err := l.c.Run(ctx, p.Text)
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
		return fmt.Errorf("%w; %s", denied, Wanted(name, l.Live))
	}
	_, err := l.Administrator.Run(ctx, "CREATE EXTENSION "+postgres.QuoteIdent(name)+" SCHEMA "+postgres.QuoteIdent(schema))
	return err
}

// Wanted says how the database in service, live, comes to have an extension that restores make.
func Wanted(name, live string) string {
	return fmt.Sprintf("if it is to be trusted, an administrator makes it in the database in service, sudo -u postgres psql -c 'CREATE EXTENSION %s' %s, and restores again", postgres.QuoteIdent(name), live)
}

// rows executes a COPY.
func (l loader) rows(ctx context.Context, p Piece, data io.Reader) (int64, error) {
	return l.c.CopyIn(ctx, p.Text, data)
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

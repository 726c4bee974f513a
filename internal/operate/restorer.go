package operate

import (
	"context"
	"fmt"

	"sessiondbd/internal/postgres"
	"sessiondbd/internal/role"
)

// Restorer is the role that executes a dump. A dump is a program, and what a VM has put into tables of its own is one, too, that is
// executed where rows are checked or indexed. PostgreSQL keeps such code within the rights of the role that has logged in: what SET
// ROLE has taken from an administrator it can give back, and a function that is SECURITY DEFINER leaves it cursors, triggers and
// prepared statements that come after. Hence a login, that owns the database beside and nothing else, is a member of no role and
// lives until the dump is in.
const Restorer = "sessiondbd_restore"

// mark is how we know the role for ours.
const mark = "sessiondbd makes this role for the time in which it executes a dump"

// loginBy is until when the restorer may log in: it does at once, and a killed restore leaves nothing that could.
const loginBy = "5 minutes"

// restorer are the statements, of one transaction, that make the role.
func restorer(verifier string) string {
	r := postgres.QuoteIdent(Restorer)
	return "CREATE ROLE " + r + " LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 1 PASSWORD " + postgres.QuoteLiteral(verifier) +
		"; COMMENT ON ROLE " + r + " IS " + postgres.QuoteLiteral(mark) +
		"; " + do("EXECUTE pg_catalog.format('ALTER ROLE %I VALID UNTIL %L', '"+Restorer+"', pg_catalog.now() + interval '"+loginBy+"');")
}

// tooMany is the SQLSTATE of a server that takes no more connections (PostgreSQL manual, appendix A).
const tooMany = "53300"

// do is a statement that executes statements of PL/pgSQL.
func do(statements string) string {
	return "DO " + postgres.QuoteLiteral("DECLARE said record; BEGIN "+statements+" END")
}

// Login makes the restorer and the fresh database, which is its own and which nobody but it and administrators may enter, and
// connects to that as the restorer. The database becomes owner's when HandOver has done its work.
func (b Beside) Login(ctx context.Context, c *postgres.Conn, t postgres.Target, owner string) (*postgres.Conn, error) {
	var there []struct {
		Owner bool `json:"owner"`
	}
	q := postgres.Query{Name: "the owner", SQL: "SELECT pg_catalog.quote_ident($1)::pg_catalog.regrole IS NOT NULL AS owner", Args: []string{owner}, Into: &there}
	if err := c.Ask(ctx, []postgres.Query{q}); err != nil {
		return nil, err
	}
	password, verifier, err := role.Once()
	if err != nil {
		return nil, err
	}
	if _, err := c.Run(ctx, restorer(verifier)); err != nil {
		return nil, fmt.Errorf("role %s: %w", Restorer, err)
	}
	locale, err := b.locale(ctx, c)
	if err != nil {
		return nil, err
	}
	fresh := postgres.QuoteIdent(b.Fresh)
	for _, sql := range []string{
		"CREATE DATABASE " + fresh + " OWNER " + postgres.QuoteIdent(Restorer) + " TEMPLATE template0 ENCODING 'UTF8'" + locale,
		"REVOKE ALL ON DATABASE " + fresh + " FROM PUBLIC",
	} {
		if _, err := c.Run(ctx, sql); err != nil {
			return nil, fmt.Errorf("database %s: %w", b.Fresh, err)
		}
	}
	in, err := t.ConnectAs(ctx, Restorer, password)
	if postgres.CodeOf(err) == tooMany {
		return nil, fmt.Errorf("%w; the role that executes a dump is no administrator, and has to find a place: see who holds them with sudo sessiondbd status --sessions", err)
	}
	if postgres.ClassOf(err) == postgres.NotPermitted {
		return nil, postgres.NewError(postgres.NotPermitted, fmt.Sprintf("a dump is executed by a role of its own, %s, which cannot log in from this host: %s; let it in, with a line of pg_hba.conf such as  host  all  %s  127.0.0.1/32  scram-sha-256  and a reload", Restorer, err, Restorer))
	}
	return in, err
}

// HandOver ends what the restorer may, and makes owner's what is its. Inside is an administrator's connection to the fresh database
// that was there before the dump; what the dump said of who may enter that database, and of settings there, ends, too.
func (b Beside) HandOver(ctx context.Context, c, inside *postgres.Conn, owner string) error {
	r, to, fresh := postgres.QuoteIdent(Restorer), postgres.QuoteIdent(owner), postgres.QuoteIdent(b.Fresh)
	for _, s := range []struct {
		c   *postgres.Conn
		sql string
	}{
		{c, "ALTER ROLE " + r + " NOLOGIN"},
		{c, "ALTER DATABASE " + fresh + " WITH ALLOW_CONNECTIONS true IS_TEMPLATE false CONNECTION LIMIT -1"},
		{c, "ALTER DATABASE " + fresh + " RESET ALL"},
		{c, do("FOR said IN SELECT DISTINCT d.datname, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END AS whose " +
			"FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a WHERE d.datname = " + postgres.QuoteLiteral(b.Fresh) + " AND a.grantee <> d.datdba " +
			"LOOP EXECUTE pg_catalog.format('REVOKE ALL ON DATABASE %I FROM %s CASCADE', said.datname, said.whose); END LOOP;")},
		{inside, "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid() AND usename <> " + postgres.QuoteLiteral(Restorer)},
		{inside, "BEGIN; REASSIGN OWNED BY " + r + " TO " + to + "; DROP OWNED BY " + r + "; COMMIT"},
		{c, "DROP ROLE " + r},
	} {
		if _, err := s.c.Run(ctx, s.sql); err != nil {
			return fmt.Errorf("handing over %s: %w", b.Fresh, err)
		}
	}
	return nil
}

// Discard takes the fresh database away, which never was in service, and the restorer.
func (b Beside) Discard(ctx context.Context, c *postgres.Conn) error {
	if err := drop(ctx, c, b.Fresh); err != nil {
		return err
	}
	return dismiss(ctx, c)
}

// drop drops a database that a restore has filled, and that its owner may have called a template, which PostgreSQL drops for nobody.
func drop(ctx context.Context, c *postgres.Conn, name string) error {
	id := postgres.QuoteIdent(name)
	_, err := c.Run(ctx, do("IF EXISTS (SELECT FROM pg_catalog.pg_database WHERE datistemplate AND datname = "+postgres.QuoteLiteral(name)+") THEN ALTER DATABASE "+id+" IS_TEMPLATE false; END IF;"))
	if err == nil {
		_, err = c.Run(ctx, "DROP DATABASE IF EXISTS "+id+" WITH (FORCE)")
	}
	return err
}

// dismiss drops the restorer that a killed restore has left, and no role that only has its name.
func dismiss(ctx context.Context, c *postgres.Conn) error {
	var got []struct {
		Ours bool `json:"ours"`
	}
	q := postgres.Query{
		Name: "the role of restores", Args: []string{Restorer, mark}, Into: &got,
		SQL: "SELECT coalesce(pg_catalog.shobj_description(oid, 'pg_authid') = $2, false) AS ours FROM pg_catalog.pg_roles WHERE rolname = $1",
	}
	if err := c.Ask(ctx, []postgres.Query{q}); err != nil || len(got) == 0 {
		return err
	}
	if !got[0].Ours {
		return postgres.NewError(postgres.Refused, fmt.Sprintf("there is a role %s that sessiondbd did not make, and restores need the name: ALTER ROLE %s RENAME TO another", Restorer, Restorer))
	}
	_, err := c.Run(ctx, "DROP ROLE "+postgres.QuoteIdent(Restorer))
	return err
}

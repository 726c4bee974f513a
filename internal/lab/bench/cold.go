package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/migrations"
)

// takeCold measures the first apply to an empty database, which brings role, password, rights and history besides the
// schema, and looks at all of it before and after, against those who bring less and look at nothing: psql the schema alone,
// whose owner is there; then for information all that apply writes in one transaction. Settings and pg_hba.conf are as they
// should be, since the others have none.
func takeCold(ctx context.Context, o options, t *table) error {
	return with(ctx, o, "cold", func(h *host) error {
		if err := h.run(h.ours(ctx, h.postgres, "apply", "--only", "database")); err != nil {
			return err
		}
		if err := errors.Join(h.writeSchema(), h.writeOneshot()); err != nil {
			return err
		}
		if err := h.writeAll(); err != nil {
			return err
		}
		all, err := rounds(
			ctx, o.pairs,
			h.afresh("", func(ctx context.Context) *exec.Cmd { return h.ours(ctx, h.postgres, "apply", "--only", "database") }),
			h.afresh("CREATE ROLE sessiondb_owner", h.psqlFile("schema.sql")),
			h.afresh("CREATE ROLE sessionuser LOGIN", func(ctx context.Context) *exec.Cmd {
				cmd := h.command(ctx, h.postgres, "sh", "-eu", h.path("oneshot.sh"))
				cmd.Env = append(cmd.Env, "PGHOST="+h.Socket)
				return cmd
			}),
			h.afresh("", h.psqlFile("all.sql")),
		)
		if err != nil {
			return err
		}
		t.against("apply --only database, empty database", all[0], "psql -1 -f of the schema", all[1], 1.6)
		t.against("  the same", all[0], "the shell oneshots, Debian's psql", all[2], 0.5)
		t.also("  the same", all[0], "psql -1 -f of schema, history, roles, rights, password", all[3])
		return nil
	})
}

// afresh empties the database and forgets the roles before the clock runs.
func (h *host) afresh(also string, cmd func(context.Context) *exec.Cmd) side {
	return func(ctx context.Context) (time.Duration, error) {
		_, err := h.PSQL(ctx, "postgres", "DROP DATABASE IF EXISTS sessiondb WITH (FORCE);\nDROP ROLE IF EXISTS sessionuser;\nDROP ROLE IF EXISTS sessiondb_owner;\nCREATE DATABASE sessiondb;\nCHECKPOINT;\n"+also)
		if err != nil {
			return 0, err
		}
		if err := os.Remove(h.path("state/identity.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
		return h.timed(cmd(ctx))
	}
}

func (h *host) psqlFile(name string) func(context.Context) *exec.Cmd {
	return func(ctx context.Context) *exec.Cmd {
		return h.psql(ctx, "-q", "-v", "ON_ERROR_STOP=1", "-d", "sessiondb", "-1", "-f", h.path(name))
	}
}

// ahead and behind are what apply writes besides the schema, as the server is told. The verifier is nobody's.
const (
	ahead = `CREATE ROLE sessiondb_owner NOLOGIN;
CREATE SCHEMA sessiondbd AUTHORIZATION sessiondb_owner;
CREATE TABLE sessiondbd.migrations (number integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, adopted boolean NOT NULL,
	minimum integer NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(), duration interval NOT NULL, applied_by text NOT NULL DEFAULT session_user);
ALTER TABLE sessiondbd.migrations OWNER TO sessiondb_owner;
`
	behind = `INSERT INTO sessiondbd.migrations (number, name, sha256, adopted, minimum, duration)
	SELECT n, 'one of them', repeat('0', 64), false, 1, '1 ms' FROM generate_series(1, 4) n;
ALTER DATABASE sessiondb OWNER TO sessiondb_owner;
CREATE ROLE sessionuser NOLOGIN CONNECTION LIMIT 80;
REVOKE TEMPORARY ON DATABASE sessiondb FROM PUBLIC;
GRANT CONNECT ON DATABASE sessiondb TO sessionuser;
GRANT USAGE ON SCHEMA public TO sessionuser;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.session TO sessionuser;
ALTER ROLE sessionuser PASSWORD 'SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
ALTER ROLE sessionuser LOGIN;
`
)

// writeAll writes what apply does, for psql.
func (h *host) writeAll() error {
	schema, err := os.ReadFile(h.path("schema.sql"))
	if err != nil {
		return err
	}
	return os.WriteFile(h.path("all.sql"), []byte(ahead+string(schema)+behind), 0o644)
}

// writeSchema writes the migrations as one file.
func (h *host) writeSchema() error {
	entries, err := migrations.Files.ReadDir(".")
	if err != nil {
		return err
	}
	var all strings.Builder
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".sql" {
			continue
		}
		b, err := migrations.Files.ReadFile(e.Name())
		if err != nil {
			return err
		}
		all.Write(b)
		all.WriteString("\n")
	}
	return os.WriteFile(h.path("schema.sql"), []byte(all.String()), 0o644)
}

// writeOneshot writes what sessiondbd replaces: init-session-schema and set-sessionuser-password, each a call of psql. The
// role was there before them.
func (h *host) writeOneshot() error {
	top, err := lab.Checkout()
	if err != nil {
		return err
	}
	sql, err := os.ReadFile(filepath.Join(top, "testdata/legacy/oneshot.sql"))
	if err != nil {
		return err
	}
	script := fmt.Sprintf("psql -d sessiondb >/dev/null <<'EOF'\n%sEOF\npsql -c \"ALTER USER sessionuser WITH PASSWORD 'sessionpass123';\" >/dev/null\n", sql)
	return os.WriteFile(h.path("oneshot.sh"), []byte(script), 0o644)
}

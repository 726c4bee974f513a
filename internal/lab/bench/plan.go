package main

import (
	"context"
	"os/exec"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// takePlan measures a look at a converged database against the least that anybody can ask of it.
func takePlan(ctx context.Context, o options, t *table) error {
	return with(ctx, o, "plan", func(h *host) error {
		if err := h.run(h.ours(ctx, h.postgres, "apply", "--only", "database")); err != nil {
			return err
		}
		all, err := rounds(
			ctx, o.pairs,
			h.each(func(ctx context.Context) *exec.Cmd { return h.ours(ctx, h.postgres, "plan", "--only", "database") }),
			h.each(func(ctx context.Context) *exec.Cmd { return h.psql(ctx, "-d", "postgres", "-c", "select 1") }),
			h.each(func(ctx context.Context) *exec.Cmd { return h.ours(ctx, nil, "plan", "--only", "database") }),
			h.each(func(ctx context.Context) *exec.Cmd { return h.ours(ctx, h.postgres, "version") }),
			h.selectOne,
			h.glance,
		)
		if err != nil {
			return err
		}
		t.against("plan --only database, converged", all[0], "psql select 1", all[1], 1.25)
		t.also("  started by root, who hands over to postgres", all[2], "psql select 1", all[1])
		t.also("  of it the process itself (version)", all[3], "psql select 1", all[1])
		t.also("  of it a connection and select 1", all[4], "psql select 1", all[1])
		t.also("  the floor: a connection and a row of each catalogue", all[5], "psql select 1", all[1])
		return nil
	})
}

// selectOne connects from this process as pgx does, and asks for nothing.
func (h *host) selectOne(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	c, err := pgconn.Connect(ctx, h.URL("sessiondb"))
	if err != nil {
		return 0, err
	}
	if _, err := c.Exec(ctx, "select 1").ReadAll(); err != nil {
		return 0, err
	}
	err = c.Close(ctx)
	return time.Since(begin), err
}

// catalogues are what the expected state lives in. On a backend that has just been forked the first use of each costs more
// than what is read of it.
var catalogues = strings.Fields(`pg_authid pg_auth_members pg_db_role_setting pg_database pg_shdescription pg_shdepend pg_default_acl pg_namespace
	pg_class pg_attribute pg_type pg_enum pg_attrdef pg_constraint pg_index pg_proc pg_trigger sessiondbd.migrations pg_lock_status()
	pg_stat_get_activity(NULL) pg_show_all_file_settings() pg_hba_file_rules() pg_control_system()`)

// spelled has the server spell what it keeps as trees.
const spelled = `SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'public.session'::regclass;
	SELECT pg_get_functiondef('public.update_updated_at_column()'::regprocedure);
	SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal;
	SELECT pg_get_expr(adbin, 0) FROM pg_attrdef WHERE adrelid = 'public.session'::regclass;
	SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'public.session'::regclass`

// glance is the least that a look at everything can cost: it connects, reads a row of each catalogue in one round trip, and
// compares nothing.
func (h *host) glance(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	c, err := pgconn.Connect(ctx, h.URL("sessiondb"))
	if err != nil {
		return 0, err
	}
	var all strings.Builder
	for _, name := range catalogues {
		all.WriteString("SELECT * FROM " + name + " LIMIT 1;\n")
	}
	if _, err := c.Exec(ctx, all.String()+spelled).ReadAll(); err != nil {
		return 0, err
	}
	err = c.Close(ctx)
	return time.Since(begin), err
}

package main

import (
	"context"
	"os/exec"
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
		)
		if err != nil {
			return err
		}
		t.against("plan --only database, converged", all[0], "psql select 1", all[1], 1.25)
		t.also("  started by root, who hands over to postgres", all[2], "psql select 1", all[1])
		t.also("  of it the process itself (version)", all[3], "psql select 1", all[1])
		t.also("  of it a connection and select 1", all[4], "psql select 1", all[1])
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

package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// quiet switches off whatever could write a statement down (facts: each of them alone leaks it).
var quiet = []string{
	"SET LOCAL log_statement = 'none'",
	"SET LOCAL log_min_error_statement = 'panic'",
	"SET LOCAL log_min_duration_statement = -1",
	"SET LOCAL log_min_duration_sample = -1",
	"SET LOCAL log_duration = off",
	"SET LOCAL track_activities = off",
	// From PostgreSQL 16 on these write a verifier out as part of the statement's tree.
	"SET LOCAL debug_print_parse = off",
	"SET LOCAL debug_print_rewritten = off",
	"SET LOCAL debug_print_plan = off",
	// Exists only where the library is loaded; a placeholder setting is harmless where it is not.
	"SET LOCAL pg_stat_statements.track = 'none'",
}

// run sends one step: what opens the transaction and the statements in one message, then COMMIT in another, which is not
// sent once the lock is lost. A secret travels behind the settings that hide it: log_statement looks at a message before it runs.
func (c *Conn) run(ctx context.Context, s SQL) error {
	if s.Alone {
		return c.simple(ctx, s.Statements[0])
	}
	if s.Secret {
		// Whether a transaction is sampled is decided when it starts: SET LOCAL inside it comes too late. It stays so for
		// this connection of ours.
		if err := c.simple(ctx, "SET log_transaction_sample_rate = 0"); err != nil {
			return err
		}
	}
	begin := []string{"BEGIN", "SET LOCAL search_path = pg_catalog"}
	timeout := s.LockTimeout
	if timeout == 0 {
		timeout = defaultLockTimeout
	}
	begin = append(begin, fmt.Sprintf("SET LOCAL lock_timeout = '%dms'", timeout.Milliseconds()))
	if s.Secret {
		begin = append(begin, quiet...)
	}
	if s.Replica {
		begin = append(begin, "SET LOCAL session_replication_role = 'replica'")
	}
	opening := strings.Join(append(begin, s.Before...), ";\n") + ";\n"
	var err error
	if s.Secret || c.boundary != nil {
		err = c.simple(ctx, opening)
		opening = ""
	}
	if err == nil {
		err = c.statements(ctx, opening, s.Statements)
	}
	if err == nil {
		// A COMMIT of a failed transaction succeeds as a ROLLBACK: the tag tells.
		err = c.commit(ctx)
	}
	if err != nil && !c.Dead() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = c.simple(ctx, "ROLLBACK")
	}
	return err
}

// statements travel in one message behind the opening; one by one where a test wants to be in between.
func (c *Conn) statements(ctx context.Context, opening string, list []string) error {
	if c.boundary == nil {
		return c.behind(ctx, opening, strings.Join(list, ";\n"))
	}
	for _, s := range list {
		if err := c.simple(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (c *Conn) simple(ctx context.Context, sql string) error { return c.behind(ctx, "", sql) }

// behind sends statements in one message with what opens their transaction. Places in errors count from the statements.
func (c *Conn) behind(ctx context.Context, opening, sql string) error {
	defer c.cross()()
	if _, err := c.Exec(ctx, opening+sql).ReadAll(); err != nil {
		return at(err, opening, sql)
	}
	return nil
}

// cross calls the boundary now, and again when what it returns is called.
func (c *Conn) cross() func() {
	if c.boundary == nil {
		return func() {}
	}
	c.boundary()
	return c.boundary
}

func (c *Conn) commit(ctx context.Context) error {
	defer c.cross()()
	res, err := c.Exec(ctx, "COMMIT").ReadAll()
	if err != nil {
		return queryError(err)
	}
	if tag := commandTag(res); tag != "COMMIT" {
		return queryError(errors.New("the transaction ended in " + tag))
	}
	return nil
}

func commandTag(res []*pgconn.Result) string {
	if len(res) == 0 {
		return "nothing"
	}
	return res[len(res)-1].CommandTag.String()
}

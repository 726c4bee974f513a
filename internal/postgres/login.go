package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// ConnectAs connects to the session database as another role, with its password. Over the socket the administrator comes in as
// whoever he is to the system (peer), which that role is not; and so it comes over the loopback, where PostgreSQL's own
// pg_hba.conf takes every role with a password, and over the socket only where that fails. Class NotPermitted: no way lets it in,
// and the error names each.
func (t Target) ConnectAs(ctx context.Context, role, password string) (*Conn, error) {
	ways, err := t.ways()
	if err != nil {
		return nil, err
	}
	var no []string
	for _, cfg := range ways {
		cfg.User, cfg.Password = role, password
		c, err := connect(ctx, cfg, t.database)
		if err == nil {
			return c, nil
		}
		var pe *pgconn.PgError
		switch {
		case errors.As(err, &pe) && classify(pe.Code) != NotPermitted, ctx.Err() != nil:
			return nil, connectError(t.database, err)
		case pe != nil:
			no = append(no, pe.Message)
		default:
			no = append(no, last(err))
		}
	}
	return nil, &Error{Class: NotPermitted, msg: strings.Join(no, "; ")}
}

// ways are the configs to log in with that may lead to the server, the better one first.
func (t Target) ways() ([]*pgconn.Config, error) {
	own := t.maintenance.Copy()
	if network, _ := pgconn.NetworkAddress(own.Host, own.Port); network != "unix" {
		return []*pgconn.Config{own}, nil
	}
	loopback, err := pgconn.ParseConfig(fmt.Sprintf("host=127.0.0.1,::1 port=%d sslmode=allow", own.Port))
	if err != nil {
		return nil, fmt.Errorf("the loopback: %w", err)
	}
	loopback.RuntimeParams, loopback.ConnectTimeout = own.Copy().RuntimeParams, own.ConnectTimeout
	return []*pgconn.Config{loopback, own}, nil
}

//go:build integration

package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// joined is an attack on another VM that is asleep in a query.
func joined(sql string) func(*scene) error {
	return func(x *scene) error {
		if err := x.joined(); err != nil {
			return err
		}
		_, err := ask(x.vm, sql)
		return err
	}
}

// hold keeps a connection until the attack is over.
func (x *scene) hold(conn *pgconn.PgConn, err error) error {
	if err == nil {
		x.held = append(x.held, conn)
	}
	return err
}

// reaches logs in to another database of the server.
func reaches(database string) func(*scene) error {
	return func(x *scene) error {
		return x.hold(x.site.login(1, database, "&application_name=elsewhere"))
	}
}

// squats takes a lock where the daemon takes its own.
func squats(x *scene) error {
	conn, err := x.site.login(1, "postgres", "")
	if err = x.hold(conn, err); err == nil {
		_, err = ask(conn, "SELECT pg_advisory_lock(1)")
	}
	return err
}

// streams logs in as a standby would.
func streams(parameter string) func(*scene) error {
	return func(x *scene) error {
		return x.hold(x.site.login(1, "sessiondb", "&application_name=streamer&"+parameter))
	}
}

// guessesKey sends cancel requests for the other VM's process with keys that are not its own.
func guessesKey(x *scene) error {
	if err := x.joined(); err != nil {
		return err
	}
	for key := range uint32(20) {
		conn, err := inside(x.site.ns)(context.Background(), "tcp", "10.1.0.1:5432")
		if err != nil {
			return err
		}
		request := pgproto3.CancelRequest{ProcessID: x.victim.PID(), SecretKey: []byte{byte(key), 0, 0, 0}}
		if err := sent(conn, &request); err != nil {
			return err
		}
	}
	return nil
}

func sent(conn net.Conn, message pgproto3.FrontendMessage) error {
	defer conn.Close()
	b, err := message.Encode(nil)
	if err == nil {
		_, err = conn.Write(b)
	}
	if err == nil {
		_, _ = conn.Read(make([]byte, 1)) // the server closes once it has looked
	}
	return err
}

// exhausts opens connections until it is told to stop.
func exhausts(x *scene) error {
	for range 15 {
		if err := x.hold(x.site.login(1, "sessiondb", "")); err != nil {
			return err
		}
	}
	return nil
}

// floods sends notifications to a session that does not read them: it is in a transaction.
func floods(x *scene) error {
	conn, err := x.site.login(2, "sessiondb", "")
	if err = x.hold(conn, err); err != nil {
		return err
	}
	_, err = ask(conn, "SELECT pg_notify('a', repeat('x', 7000) || n) FROM generate_series(1, 2000) n")
	return err
}

// emitMessages writes WAL without a row. It measures its own effect.
func emitMessages(x *scene) error {
	return measured(x, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn", 900000, func() error {
		_, err := ask(x.vm, "SELECT pg_logical_emit_message(false, 'a', repeat('x', 1000000))")
		return err
	})
}

// switchesWAL makes the server begin a new file of 16 MB.
func switchesWAL(x *scene) error {
	return measured(x, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn", 100000, func() error {
		_, err := ask(x.vm, "SELECT pg_switch_wal()")
		return err
	})
}

// endsAdministrator ends a session of an administrator.
func endsAdministrator(x *scene) error {
	keeper := x.site.dial("sessiondb")
	_ = x.hold(keeper, nil)
	if _, err := ask(keeper, "SET application_name = 'keeper'"); err != nil {
		return err
	}
	_, err := ask(x.vm, fmt.Sprintf("SELECT pg_terminate_backend(%d, 3000)", keeper.PID()))
	return err
}

// rewritten is where the table and an index lie.
const rewritten = "SELECT pg_relation_filenode('public.session')::bigint + pg_relation_filenode('public.idx_session_parent')::bigint"

// rewrites is an attack that locks everybody out while it copies the table or its indexes. One that is not allowed may be
// passed over without an error.
func rewrites(sql string) func(*scene) error {
	return func(x *scene) error {
		return measured(x, rewritten, 1, func() error {
			_, err := ask(x.vm, sql)
			return err
		})
	}
}

// burns takes a transaction id at each step.
func burns(x *scene) error {
	return measured(x, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text", 200, func() error {
		var err error
		for i := 0; i < 210 && err == nil; i++ {
			_, err = ask(x.vm, "SELECT pg_current_xact_id()")
		}
		return err
	})
}

var errNoEffect = errors.New("nothing happened")

// measured fails unless a number of the server grows by at least so much.
func measured(x *scene, sql string, least float64, do func() error) error {
	number := func() (n float64) {
		text, err := ask(x.admin, sql)
		if err == nil {
			_, err = fmt.Sscan(text, &n)
		}
		x.site.must(err)
		return n
	}
	before := number()
	err := do()
	if err == nil && number()-before < least {
		err = errNoEffect
	}
	return err
}

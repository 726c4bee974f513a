// Package postgres is the conversation with the server: connecting, asking in one batch, the lock, writing, error classes.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// MinVersion is the oldest server_version_num that is served.
const MinVersion = 140000

// ApplicationName is how our connections are called in pg_stat_activity.
const ApplicationName = "sessiondbd"

// connectTimeout bounds one try; who wants longer tries again.
const connectTimeout = 5 * time.Second

// Target says where the server is and which of its databases is the session database.
type Target struct {
	maintenance *pgconn.Config
	database    string
	tls         []string // for programs of PostgreSQL, see ClientEnv
}

// NewTarget parses an administrator's connection string (libpq keywords or URL). The error never quotes the string: it
// may hold a password.
func NewTarget(url, database string) (Target, error) {
	cfg, err := pgconn.ParseConfig(url)
	if err != nil {
		return Target{}, errors.New("not a connection string that libpq would take (it is not shown: it may hold a password)")
	}
	// What role or database settings, or a PGAPPNAME of whoever typed the command, say otherwise must not change what we
	// observe.
	for k, v := range map[string]string{
		"application_name":  ApplicationName,
		"search_path":       "pg_catalog",
		"datestyle":         "ISO",
		"client_encoding":   "UTF8",
		"jit":               "off",
		"statement_timeout": "0",
		"lock_timeout":      "0",
		// A connection that holds a lock or a snapshot of ours idles while another works.
		"idle_session_timeout":                "0",
		"idle_in_transaction_session_timeout": "0",
		"client_connection_check_interval":    "250ms", // else the backend of a killed client goes on and keeps its locks
	} {
		cfg.RuntimeParams[k] = v
	}
	if cfg.ConnectTimeout <= 0 || cfg.ConnectTimeout > connectTimeout {
		cfg.ConnectTimeout = connectTimeout
	}
	if cfg.Database == "" {
		cfg.Database = "postgres"
	}
	return Target{cfg, database, tlsEnv(url)}, nil
}

// OverNetwork says whether any of the servers that may be connected to is reached over the network.
func (t Target) OverNetwork() bool {
	over := func(host string, port uint16) bool {
		network, _ := pgconn.NetworkAddress(host, port)
		return network != "unix"
	}
	return over(t.maintenance.Host, t.maintenance.Port) ||
		slices.ContainsFunc(t.maintenance.Fallbacks, func(f *pgconn.FallbackConfig) bool { return over(f.Host, f.Port) })
}

// Database is the name of the session database.
func (t Target) Database() string { return t.database }

// Conn is one administrator's connection.
type Conn struct {
	*pgconn.PgConn
	Database string

	asked    map[string]*pgconn.StatementDescription // on a connection that is kept: queries that were asked, and the statement once prepared
	prepared int
	memory   *memory // nil until it is asked again
	boundary func()  // see Writer.Boundary
}

// keep says that the connection will be asked the same again and again.
func (c *Conn) keep() {
	switch {
	case c.asked == nil:
		c.asked = map[string]*pgconn.StatementDescription{}
	case c.memory == nil:
		c.memory = &memory{answers: map[string]*pgconn.Result{}}
	}
}

func (t Target) connect(ctx context.Context, database string) (*Conn, error) {
	c, err := connect(ctx, t.maintenance.Copy(), database)
	if err != nil {
		return nil, connectError(database, err)
	}
	return c, nil
}

// connect connects to a server that is new enough. Errors are pgconn's, or *Error.
func connect(ctx context.Context, cfg *pgconn.Config, database string) (*Conn, error) {
	cfg.Database = database
	pc, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	c := &Conn{PgConn: pc, Database: database}
	switch v := c.Version(); {
	case v < MinVersion:
		_ = pc.Close(ctx)
		return nil, &Error{Class: Unavailable, msg: fmt.Sprintf("PostgreSQL %s is older than %d, the oldest that sessiondbd serves", pc.ParameterStatus("server_version"), MinVersion/10000)}
	case v >= 170000: // an older one would refuse the connection for a parameter that it does not know
		if _, err := c.Run(ctx, "SET transaction_timeout = 0"); err != nil {
			_ = pc.Close(ctx)
			return nil, err
		}
	}
	return c, nil
}

// ConnectMaintenance connects to the database of the connection string.
func (t Target) ConnectMaintenance(ctx context.Context) (*Conn, error) {
	return t.connect(ctx, t.maintenance.Database)
}

// ConnectSession connects to the session database. IsNoDatabase tells the error of one that does not exist.
func (t Target) ConnectSession(ctx context.Context) (*Conn, error) { return t.connect(ctx, t.database) }

// Version is the server's version in the form of server_version_num (150018), as far as the handshake tells it: the
// server reports "15.18 (Debian …)" or "18beta1" there.
func (c *Conn) Version() int {
	major, rest, _ := strings.Cut(c.ParameterStatus("server_version"), ".")
	major = strings.TrimRightFunc(major, func(r rune) bool { return r < '0' || r > '9' })
	if i := strings.IndexFunc(major, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		major = major[:i]
	}
	if i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		rest = rest[:i]
	}
	ma, _ := strconv.Atoi(major)
	mi, _ := strconv.Atoi(rest)
	return ma*10000 + mi
}

// Dead says whether the connection can no longer be used.
func (c *Conn) Dead() bool { return c == nil || c.IsClosed() }

// CloseSoon ends the connection politely, but waits at most a second for it.
func (c *Conn) CloseSoon() {
	if c == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.Close(ctx)
}

package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ClusterOptions say what server to start. The zero value listens on a Unix socket only, trusts it, and never fsyncs.
type ClusterOptions struct {
	Bindir        string            // folder with initdb and postgres; default: the newest below /usr/lib/postgresql
	Settings      map[string]string // into postgresql.conf, over the defaults
	HBA           string            // the whole pg_hba.conf; default: trust on the socket and the loopback
	FreshIdentity bool              // a system identifier of its own, not the one that all from the template share
	Namespace     *Namespace        // network namespace to listen in; default: the machine's
	Legacy        bool              // with the database that init-session-schema leaves
	LegacyRows    bool              // the same with rows
}

// Cluster is a running PostgreSQL server in a folder of its own. When root starts it, the server runs as postgres.
type Cluster struct {
	Bindir  string
	DataDir string
	Socket  string // folder of the Unix socket; the port is 5432

	options ClusterOptions
	dir     string
	server  *Process
	logs    []string // of servers that were stopped
	once    sync.Once
	err     error
}

// StartCluster makes a cluster and starts it, in well under a second once the template is cached.
func StartCluster(ctx context.Context, o ClusterOptions) (*Cluster, error) {
	if err := Require(ctx, NeedCluster); err != nil {
		return nil, err
	}
	if o.Bindir == "" {
		var err error
		if o.Bindir, err = newestBindir(); err != nil {
			return nil, err
		}
	}
	_, dir, err := acquire("pg")
	if err != nil {
		return nil, err
	}
	c := &Cluster{Bindir: o.Bindir, DataDir: filepath.Join(dir, "data"), Socket: filepath.Join(dir, "s"), options: o, dir: dir}
	err = c.create(ctx)
	if err == nil {
		err = c.Start(ctx)
	}
	if err == nil && (o.Legacy || o.LegacyRows) {
		err = LoadLegacy(ctx, c, o.LegacyRows)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cluster: %w", err), c.Close())
	}
	return c, nil
}

func (c *Cluster) create(ctx context.Context) error {
	if err := c.copyTemplate(ctx); err != nil {
		return err
	}
	if err := os.Mkdir(c.Socket, 0o755); err != nil {
		return err
	}
	uid, gid, err := serverUser()
	if err != nil {
		return err
	}
	if err := os.Chown(c.Socket, uid, gid); err != nil {
		return err
	}
	conf := filepath.Join(c.DataDir, "postgresql.conf")
	settings := map[string]string{
		"listen_addresses": "", "unix_socket_directories": c.Socket, "fsync": "off", "synchronous_commit": "off",
		"full_page_writes": "off", "log_line_prefix": "%m [%p] %q%u@%d ", "shared_buffers": "32MB", "timezone": "UTC", "log_timezone": "UTC",
	}
	maps.Copy(settings, c.options.Settings)
	f, err := os.OpenFile(conf, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(f, "%s = '%s'\n", k, strings.ReplaceAll(settings[k], "'", "''"))
	}
	if c.options.HBA != "" {
		err = os.WriteFile(filepath.Join(c.DataDir, "pg_hba.conf"), []byte(c.options.HBA), 0o600)
	}
	return errors.Join(err, f.Close())
}

// Start starts the server and waits until it accepts connections. The context bounds the wait, not the server.
func (c *Cluster) Start(ctx context.Context) error {
	if c.server != nil {
		return errors.New("it runs already")
	}
	var place Place
	if n := c.options.Namespace; n != nil {
		place = n.Place
	}
	argv, err := asServer(filepath.Join(c.Bindir, "postgres"), "-D", c.DataDir)
	if err != nil {
		return err
	}
	_ = os.Remove(filepath.Join(c.DataDir, "postmaster.pid")) // of one that was killed; nobody else uses this folder
	if c.server, err = place.Start(closing(ctx), argv...); err != nil {
		c.server = nil
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errors.New("not ready after 30s"))
	defer cancel()
	err = poll(ctx, func() (bool, error) {
		select {
		case <-c.server.Done():
			return false, errors.New("the server ended")
		default:
		}
		pidfile, _ := os.ReadFile(filepath.Join(c.DataDir, "postmaster.pid"))
		lines := strings.Split(string(pidfile), "\n")
		return len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready", nil
	})
	if err != nil {
		return fmt.Errorf("start: %w; log:\n%s", err, lastLines(c.Log(), 20))
	}
	return nil
}

// Stop shuts the server down, disconnecting everybody; one that takes longer than 10 s is killed.
func (c *Cluster) Stop(ctx context.Context) error { return c.end(ctx, syscall.SIGINT) }

// Crash ends the server as a power cut would: the next Start recovers from the write-ahead log.
func (c *Cluster) Crash(ctx context.Context) error { return c.end(ctx, syscall.SIGQUIT) }

func (c *Cluster) end(ctx context.Context, s syscall.Signal) error {
	if c.server == nil {
		return nil
	}
	// To the postmaster alone: its children would take the signal for their own.
	err := syscall.Kill(c.server.PID(), s)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	select {
	case <-c.server.Done():
		err = nil
	case <-ctx.Done():
		err = errors.Join(err, fmt.Errorf("stop: %w", context.Cause(ctx)), c.server.Kill())
	}
	c.logs = append(c.logs, c.server.Output())
	c.server = nil
	return err
}

// Restart is Stop then Start.
func (c *Cluster) Restart(ctx context.Context) error {
	return errors.Join(c.Stop(ctx), c.Start(ctx))
}

// PID is the postmaster's process id.
func (c *Cluster) PID() int { return c.server.PID() }

// URL is a connection string for pgx and libpq: the administrator over the socket.
func (c *Cluster) URL(db string) string { return c.URLAs("postgres", db) }

// URLAs is URL for another role.
func (c *Cluster) URLAs(role, db string) string {
	return fmt.Sprintf("postgres://%s@/%s?host=%s&port=5432", url.PathEscape(role), url.PathEscape(db), url.QueryEscape(c.Socket))
}

// psqlFlags: no psqlrc, quiet, tuples only, unaligned, script on standard input, stop at the first error.
var psqlFlags = []string{"-XqAt", "-v", "ON_ERROR_STOP=1", "-f", "-"}

// PSQL runs SQL as the administrator with the real psql and returns unaligned rows.
func (c *Cluster) PSQL(ctx context.Context, db, sql string) (string, error) {
	var machine Place
	r, err := machine.Exec(ctx, Command{
		Argv:  append([]string{"psql", "-d", c.URL(db)}, psqlFlags...),
		Stdin: strings.NewReader(sql),
	})
	return strings.TrimSuffix(r.Stdout, "\n"), err
}

// Log is everything the server has logged, over restarts.
func (c *Cluster) Log() string {
	all := strings.Join(c.logs, "")
	if c.server != nil {
		all += c.server.Output()
	}
	return all
}

// Close ends the server and removes the cluster. Further calls do nothing.
func (c *Cluster) Close() error {
	c.once.Do(func() { // its data is thrown away: no checkpoint needed
		c.err = errors.Join(c.Crash(context.Background()), release(c.dir))
	})
	return c.err
}

// serverUser is whom the server runs as: postgres for root, who may not, else ourselves.
func serverUser() (uid, gid int, err error) {
	if os.Geteuid() != 0 {
		return os.Geteuid(), os.Getegid(), nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return 0, 0, fmt.Errorf("%w; run: make setup", err)
	}
	uid, _ = strconv.Atoi(u.Uid)
	gid, err = strconv.Atoi(u.Gid)
	return uid, gid, err
}

// asServer has a command run as the server's user.
func asServer(argv ...string) ([]string, error) {
	if os.Geteuid() != 0 {
		return argv, nil
	}
	uid, gid, err := serverUser()
	return append([]string{"setpriv", fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", gid), "--clear-groups", "--pdeathsig=QUIT", "--"}, argv...), err
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sessiondbd/internal/lab"
)

// host is the documented hypervisor without a boot: its networks in a namespace, a PostgreSQL laid out as on Debian, the
// program with a config, and folders for the state.
type host struct {
	*lab.Cluster
	ns       *lab.Namespace
	dir      string
	postgres *syscall.Credential
	stderr   *os.File // of what was run last; a pipe would cost a goroutine
}

// with makes a host and calls f in its namespace: what f starts is there, too.
func with(ctx context.Context, o options, name string, f func(*host) error) (err error) {
	h := &host{}
	defer func() { err = errors.Join(err, h.close()) }()
	if err := h.create(ctx, o, name); err != nil {
		return err
	}
	done := make(chan error)
	go func() { // on a thread of its own, which ends with it
		runtime.LockOSThread()
		done <- errors.Join(h.enter(), f(h))
	}()
	return <-done
}

func (h *host) enter() error {
	ns, err := os.Open("/run/netns/" + h.ns.Name)
	if err != nil {
		return err
	}
	defer func() { _ = ns.Close() }()
	return unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
}

func (h *host) create(ctx context.Context, o options, name string) error {
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	h.postgres = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if h.dir, err = os.MkdirTemp("", "sessiondbd-bench-"); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(h.dir, 0o755), copyFile(o.binary, h.path("sessiondbd"))); err != nil {
		return err
	}
	if h.stderr, err = os.OpenFile(h.path("stderr"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600); err != nil {
		return err
	}
	for _, dir := range []string{"conf.d", "run/database", "run/firewall", "state", "credentials"} {
		if err := errors.Join(os.MkdirAll(h.path(dir), 0o755), h.own(h.path(dir))); err != nil {
			return err
		}
	}
	if h.ns, err = lab.NewNamespace(ctx, name); err != nil {
		return err
	}
	var links []string
	for n := 1; n <= 5; n++ {
		links = append(links, fmt.Sprintf("link add br-vm%d type bridge", n), fmt.Sprintf("link set br-vm%d up", n), fmt.Sprintf("addr add 10.%d.0.1/24 dev br-vm%d", n, n))
	}
	if err := h.ns.IP(ctx, links...); err != nil {
		return err
	}
	return h.start(ctx, o.settings)
}

func (h *host) start(ctx context.Context, also map[string]string) (err error) {
	files := map[string]string{
		"ident":                            "lab postgres postgres\nlab root postgres\n",
		"credentials/sessionuser.password": "a password of the bench",
	}
	for name, content := range files {
		if err := errors.Join(os.WriteFile(h.path(name), []byte(content), 0o600), h.own(h.path(name))); err != nil {
			return err
		}
	}
	settings := map[string]string{"listen_addresses": "*", "include_dir": h.path("conf.d"), "ident_file": h.path("ident")}
	maps.Copy(settings, also)
	h.Cluster, err = lab.StartCluster(ctx, lab.ClusterOptions{
		Namespace: h.ns, HBA: "local all postgres peer map=lab\nlocal all all peer\nhost all all 127.0.0.1/32 scram-sha-256\n",
		Settings: settings,
	})
	if err != nil {
		return err
	}
	return h.configure("10s")
}

// configure writes the config: the defaults but for the connection, and an interval.
func (h *host) configure(interval string) error {
	text := fmt.Sprintf("database: {url: %q}\nreconcile: {interval: %s}\n", "host="+h.Socket+" dbname=postgres", interval)
	return errors.Join(os.WriteFile(h.path("config.yaml"), []byte(text), 0o644))
}

func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

func (h *host) own(path string) error {
	return os.Chown(path, int(h.postgres.Uid), int(h.postgres.Gid))
}

func (h *host) close() error {
	var errs []error
	if h.Cluster != nil {
		errs = append(errs, h.Cluster.Close())
	}
	if h.ns != nil {
		errs = append(errs, h.ns.Close())
	}
	if h.stderr != nil {
		_ = h.stderr.Close()
	}
	if h.dir != "" {
		errs = append(errs, os.RemoveAll(h.dir))
	}
	return errors.Join(errs...)
}

// command is a command as a user; nil is root.
func (h *host) command(ctx context.Context, as *syscall.Credential, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "LANG=C.UTF-8",
		"SESSIONDBD_RUN_DIR=" + h.path("run"), "SESSIONDBD_STATE_DIR=" + h.path("state"), "CREDENTIALS_DIRECTORY=" + h.path("credentials"),
	}
	cmd.Stderr = h.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	return cmd
}

// ours is a command of sessiondbd.
func (h *host) ours(ctx context.Context, as *syscall.Credential, args ...string) *exec.Cmd {
	return h.command(ctx, as, append([]string{h.path("sessiondbd"), "--config", h.path("config.yaml")}, args...)...)
}

// psql is the real psql, not Debian's wrapper around it.
func (h *host) psql(ctx context.Context, args ...string) *exec.Cmd {
	return h.command(ctx, h.postgres, append([]string{filepath.Join(h.Bindir, "psql"), "-X", "-h", h.Socket}, args...)...)
}

// timed runs a command to its end.
func (h *host) timed(cmd *exec.Cmd) (time.Duration, error) {
	if err := h.stderr.Truncate(0); err != nil {
		return 0, err
	}
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	if err != nil {
		_, _ = h.stderr.Seek(0, io.SeekStart)
		said, _ := io.ReadAll(h.stderr)
		return took, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(said))
	}
	return took, nil
}

// run runs a command whose time nobody wants.
func (h *host) run(cmd *exec.Cmd) error {
	_, err := h.timed(cmd)
	return err
}

// each makes a side of a command.
func (h *host) each(cmd func(context.Context) *exec.Cmd) side {
	return func(ctx context.Context) (time.Duration, error) { return h.timed(cmd(ctx)) }
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("%w; run: make build", err)
	}
	return os.WriteFile(to, b, 0o755)
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/util"

	"sessiondbd/internal/firewall"
	"sessiondbd/internal/postgres"
	"sessiondbd/internal/systemd"
)

// switchUser, when root runs us, runs the same command as the database's user and ends with its exit code: peer
// authentication wants that user, and nothing that talks to the database needs root. What keeps it from that, and concerns
// the database part alone, is returned as noUser. Who only looks makes no folders.
func switchUser(s setup, withFirewall bool, opt options) (noUser, err error) {
	cfg := s.cfg
	if os.Geteuid() != 0 || cfg.Database.OSUser == "root" {
		return nil, nil
	}
	u, err := user.Lookup(cfg.Database.OSUser)
	if err != nil {
		return postgres.NewError(postgres.Unavailable, fmt.Sprintf("database.os_user: there is no user %s on this host; is PostgreSQL installed?", cfg.Database.OSUser)), nil
	}
	cred, err := credential(u)
	if err != nil {
		return fmt.Errorf("database.os_user: %w", err), nil
	}
	var dirs []string
	if !opt.look {
		dirs = []string{stateDir(), runDir(database)}
	}
	if opt.backup {
		dirs = append(dirs, cfg.Backup.Directory)
	}
	if opt.stay && withFirewall {
		dirs = append(dirs, runDir(fire))
	}
	for _, dir := range dirs {
		if err := ownedDir(dir, cred); err != nil {
			return fmt.Errorf("a folder for the database's user: %w", err), nil
		}
	}
	var caps []uintptr
	if withFirewall {
		caps = firewallRights(firewall.Found(context.Background(), string(cfg.Firewall.Backend)), cred)
	}
	started, err := rerun(s, u, cred, caps, opt.file)
	if !started {
		return err, nil
	}
	return nil, err
}

func credential(u *user.User) (*syscall.Credential, error) {
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	c := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			c.Groups = append(c.Groups, uint32(n))
		}
	}
	return c, nil
}

// ownedDir makes a folder that the database's user writes to. One that exists is left as it is: systemd made it.
func ownedDir(dir string, c *syscall.Credential) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Chown(dir, int(c.Uid), int(c.Gid))
}

// rerun never returns without an error: once started, the child's exit code ends the process.
func rerun(s setup, u *user.User, cred *syscall.Credential, caps []uintptr, file *os.File) (started bool, err error) {
	cfg := s.cfg
	h := handover{Path: cfg.Path, Secrets: map[string]string{}, Faults: s.faults.text()}
	for name, secret := range s.secrets {
		h.Secrets[name] = string(secret)
	}
	if cfg.Path != "" {
		data, err := os.ReadFile(cfg.Path)
		if err != nil {
			return false, configError{err}
		}
		h.Config = data
	}
	r, w, err := os.Pipe()
	if err != nil {
		return false, err
	}
	// The kernel's link to our own executable works also where the path to it is closed to the other user.
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{r}
	cmd.Dir = "/"
	cmd.Env = childEnv(u)
	if file != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, file)
		cmd.Env = append(cmd.Env, fileEnv+"=4")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Pdeathsig: syscall.SIGTERM, AmbientCaps: caps}
	if err := cmd.Start(); err != nil {
		if errors.Is(err, os.ErrPermission) {
			return false, fmt.Errorf("%w: user %s may not execute %s: put the binary where everybody may (/usr/bin), or run it as that user", err, u.Username, os.Args[0])
		}
		return false, fmt.Errorf("as user %s: %w", u.Username, err)
	}
	_ = r.Close()
	stop := attend(cmd.Process)
	defer stop()
	err = json.NewEncoder(w).Encode(h)
	_ = w.Close()
	if werr := cmd.Wait(); werr != nil {
		var exit *exec.ExitError
		if !errors.As(werr, &exit) {
			return true, errors.Join(werr, err)
		}
		if exit.Exited() {
			return true, code(exit.ExitCode())
		}
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && (ws.Signal() == syscall.SIGTERM || ws.Signal() == syscall.SIGINT) {
			return true, errInterrupted
		}
		return true, errors.Join(werr, err)
	}
	return true, done
}

// done ends a command that a child has carried out.
var done = code(exitOK)

// attend does for the child what it cannot do itself, until stop is called: it passes signals on, so that stopping us stops
// it in its own order, and restarts PostgreSQL when it asks for that, as the path unit does for the daemon.
func attend(child *os.Process) (stop func()) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(context.Background())
	var flags <-chan time.Time
	if util.IsRunningSystemd() {
		t := time.NewTicker(50 * time.Millisecond)
		context.AfterFunc(ctx, t.Stop)
		flags = t.C
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-signals:
				_ = child.Signal(s)
			case <-flags:
				// The path unit may have been faster.
				if err := restartRequested(ctx); err != nil && !errors.Is(err, fs.ErrNotExist) {
					fmt.Fprintln(os.Stderr, "sessiondbd: "+err.Error())
				}
			}
		}
	})
	return func() {
		signal.Stop(signals)
		cancel()
		running.Wait()
	}
}

// restartRequested restarts PostgreSQL if the flag for it is there.
func restartRequested(ctx context.Context) error {
	return systemd.RestartPostgreSQL(ctx, restartFlag(), systemd.SystemctlRestart)
}

// childEnv is the environment without what belongs to root: with its HOME, libpq would look for root's password file.
func childEnv(u *user.User) []string {
	env := []string{
		"HOME=" + u.HomeDir, "USER=" + u.Username, "LOGNAME=" + u.Username, handoverEnv + "=3",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin",
	}
	for _, name := range []string{"TERM", "NO_COLOR", "LANG", "LC_ALL", "TZ", "NOTIFY_SOCKET", "JOURNAL_STREAM", "INVOCATION_ID", "WATCHDOG_USEC", "SESSIONDBD_RUN_DIR", "SESSIONDBD_STATE_DIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

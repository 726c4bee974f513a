package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"syscall"

	"sessiondbd/internal/config"
)

// firewallUser is whom sessiondbd-firewall.service runs as (deploy/systemd/sessiondbd.sysusers).
const firewallUser = "sessiondbd-firewall"

// unreadable lists what root can read and the services cannot: by hand all is well, and the next boot fails. A config
// elsewhere than where the services look is a draft, in a folder that may be nobody else's business.
func unreadable(cfg *config.Config) error {
	if os.Geteuid() != 0 || cfg.Path != config.DefaultPath {
		return nil
	}
	var errs []error
	for _, name := range []string{cfg.Database.OSUser, firewallUser} {
		if !mayRead(name, cfg.Path) {
			errs = append(errs, fmt.Errorf("%s: user %s, whom a service runs as, may not read it: %s", cfg.Path, name, openToAll(cfg.Path)))
		}
	}
	for i, r := range cfg.Roles {
		if path := r.Password.File; path != "" && !mayRead(cfg.Database.OSUser, path) {
			errs = append(errs, configPathError(cfg, fmt.Sprintf("roles[%d].password.file", i),
				fmt.Errorf("%s: user %s, whom the service runs as, may not read it: %s", path, cfg.Database.OSUser, giveTo(cfg.Database.OSUser, path))))
		}
	}
	if len(errs) > 0 {
		return configError{errors.Join(errs...)}
	}
	return nil
}

// mayRead has the kernel judge, in a process of that user. A user that is not there has no service to fail.
func mayRead(name, path string) bool {
	u, err := user.Lookup(name)
	if err != nil {
		return true
	}
	cred, err := credential(u)
	if err != nil {
		return true
	}
	cmd := exec.Command("test", "-r", path)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	var exit *exec.ExitError
	return !errors.As(cmd.Run(), &exit) || exit.ExitCode() != 1
}

// withRemedy adds the next step where a file is closed to whoever runs us.
func withRemedy(err error, remedy string) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("%w: run it as root, or for the services: %s", err, remedy)
}

func openToAll(path string) string { return "sudo chmod a+rX " + filepath.Dir(path) + " " + path }

func giveTo(name, path string) string { return "sudo chown " + name + " " + path }

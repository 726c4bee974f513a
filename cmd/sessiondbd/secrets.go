package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"sessiondbd/internal/config"
	"sessiondbd/internal/role"
	"sessiondbd/internal/systemd"
)

// maxSecret bounds what is read of a password file, in bytes: SCRAM has no use for more.
const maxSecret = 1024

// secrets are the passwords by role, as files and credentials hold them. They print as hidden.
type secrets map[string]role.Secret

// readSecrets reads every configured source. A credential that is not there is no source; one that cannot be read, and a
// file in either case, is an error: it must never pass for "no password".
func readSecrets(cfg *config.Config) (secrets, error) {
	s := secrets{}
	var errs []error
	for i, r := range cfg.Roles {
		path, name := r.Password.File, "file"
		remedy := giveTo(cfg.Database.OSUser, path)
		if c := r.Password.Credential; c != "" {
			p, ok := systemd.Credential(c)
			if !ok {
				continue
			}
			path, name, remedy = p, "credential", "sudo systemctl restart sessiondbd"
		}
		if path == "" {
			continue
		}
		text, err := readSecret(path)
		if err == nil {
			err = role.CheckPassword(text)
		}
		if err != nil {
			errs = append(errs, configPathError(cfg, fmt.Sprintf("roles[%d].password.%s", i, name), withRemedy(fmt.Errorf("%s: %w", path, err), remedy)))
			continue
		}
		s[r.Name] = role.Secret(text)
	}
	if len(errs) > 0 {
		return nil, configError{errors.Join(errs...)}
	}
	return s, nil
}

// readSecret reads a password; one line end at the end is the editor's, not the password's.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", errors.Unwrap(err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxSecret {
		return "", fmt.Errorf("longer than %d bytes", maxSecret)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
}

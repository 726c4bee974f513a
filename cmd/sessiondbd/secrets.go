package main

import (
	"errors"
	"fmt"

	"sessiondbd/internal/config"
	"sessiondbd/internal/role"
	"sessiondbd/internal/systemd"
)

// secrets are the passwords by role, as files and credentials hold them. They print as hidden.
type secrets map[string]role.Secret

// readSecrets reads every configured source. A credential that is not there is no source; one that cannot be read, and a
// file in either case, is an error: it must never pass for "no password".
func readSecrets(cfg *config.Config) (secrets, error) {
	s := secrets{}
	var errs []error
	for i, r := range cfg.Roles {
		file := secretFile{path: r.Password.File, owner: cfg.Database.OSUser}
		name, remedy := "file", giveTo(cfg.Database.OSUser, file.path)
		if c := r.Password.Credential; c != "" {
			p, ok := systemd.Credential(c)
			if !ok {
				continue
			}
			file.path, file.owner = p, "root"
			name, remedy = "credential", "sudo systemctl restart sessiondbd"
		}
		if file.path == "" {
			continue
		}
		file.keepers = keepersOf(cfg.Database.OSUser)
		text, err := file.read()
		if err == nil && name == "credential" {
			err = file.judgeSource(systemd.CredentialStores)
		}
		if err == nil {
			err = role.CheckPassword(text)
		}
		if err != nil {
			errs = append(errs, configPathError(cfg, fmt.Sprintf("roles[%d].password.%s", i, name), withRemedy(fmt.Errorf("%s: %w", file.path, err), remedy)))
			continue
		}
		s[r.Name] = role.Secret(text)
	}
	if len(errs) > 0 {
		return nil, configError{errors.Join(errs...)}
	}
	return s, nil
}

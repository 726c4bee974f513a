package systemd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// CredentialStores are the folders where systemd looks for a credential that a unit names without a path
// (systemd.exec(5), LoadCredential=), in its order.
var CredentialStores = []string{"/etc/credstore", "/run/credstore"}

// Credential says where the credential of that name lies: among those that the unit was given, or, for a command that
// no unit started, in the credential stores. It reads nothing. ok is false when there is none.
func Credential(name string) (path string, ok bool) {
	return FindCredential(os.Getenv("CREDENTIALS_DIRECTORY"), CredentialStores, name)
}

// FindCredential is Credential over given folders. A unit's folder, when there is one, is the only place: systemd has
// looked through the stores on our behalf, and a service's user cannot enter them. A store that may not be entered
// counts as holding the credential, so that reading it fails loudly: what cannot be read is an error, never "no password".
func FindCredential(unit string, stores []string, name string) (path string, ok bool) {
	if name == "" || name != filepath.Base(name) || name == "." || name == ".." {
		return "", false
	}
	if unit != "" {
		stores = []string{unit}
	}
	for _, dir := range stores {
		path = filepath.Join(dir, name)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, true
		}
	}
	return "", false
}

package operate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"sessiondbd/internal/postgres"
)

// Open makes the folder private, or says how to make it. One that belongs to somebody else, or that others use for something else, is
// not ours to change: whoever named it may have named the wrong one.
func (b Backups) Open() error {
	fi, err := os.Stat(b.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return b.explain(os.MkdirAll(b.Dir, 0o700))
	case err == nil && !fi.IsDir():
		err = fmt.Errorf("%s is not a folder", b.Dir)
	}
	if err != nil {
		return b.explain(err)
	}
	me := os.Geteuid()
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && int(st.Uid) != me {
		return postgres.NewError(postgres.NotPermitted, fmt.Sprintf("backup.directory: %s belongs to %s, and backups are made as %s: name a folder of its own, or, where it is that, sudo install -d -o %[3]s -m 0700 %[1]s",
			b.Dir, called(int(st.Uid)), called(me)))
	}
	if fi.Mode().Perm() == 0o700 {
		return nil
	}
	other, err := b.other()
	if err == nil && other != "" && fi.Mode().Perm()&0o077 != 0 {
		return postgres.NewError(postgres.Refused, fmt.Sprintf("backup.directory: %s is open to others (%s) and holds what is no backup, %s: name a folder of its own, or, where nobody else needs it, sudo chmod 0700 %[1]s",
			b.Dir, fi.Mode(), other))
	}
	if err == nil {
		err = os.Chmod(b.Dir, 0o700)
	}
	return b.explain(err)
}

// other is something in the folder that is no part of a backup. A file system of its own brings a folder with it.
func (b Backups) other() (string, error) {
	entries, err := os.ReadDir(b.Dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if _, end := b.part(e.Name()); end == "" && e.Name() != "lost+found" {
			return e.Name(), nil
		}
	}
	return "", nil
}

// called is a user's name, or his number.
func called(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "user " + id
}

func (b Backups) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("backup.directory: %w; it belongs to database.os_user: sudo install -d -o postgres -g postgres -m 0700 %s", err, b.Dir)
}

package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// newFileMode is for a file that was not there: the server's group may read it, like pg_hba.conf on Debian.
const newFileMode = 0o640

// replace writes a file so that a reader, or a power cut, finds either the old or the new one. Owner and mode stay.
func replace(path, content string) (err error) {
	mode, uid, gid := fs.FileMode(newFileMode), -1, -1
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			uid, gid = int(st.Uid), int(st.Gid)
		}
	} else if info, err := os.Stat(filepath.Dir(path)); err == nil && os.Geteuid() == 0 {
		// What root makes with that mode, the server could not read.
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			uid, gid = int(st.Uid), int(st.Gid)
		}
	}
	dir := filepath.Dir(path)
	// One name, so that crashes leave one file at most; hidden, or include_dir would read it.
	temp := filepath.Join(dir, "."+filepath.Base(path)+".sessiondbd")
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp)
		}
	}()
	if err := fill(f, content, mode, uid, gid); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncDir(dir)
}

func fill(f *os.File, content string, mode fs.FileMode, uid, gid int) error {
	if _, err := f.WriteString(content); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil { // the umask took some
		return err
	}
	if uid >= 0 && (uid != os.Geteuid() || gid != os.Getegid()) {
		if err := f.Chown(uid, gid); err != nil {
			return fmt.Errorf("keep its owner: %w", err)
		}
	}
	return f.Sync()
}

// remove takes a file away for good.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

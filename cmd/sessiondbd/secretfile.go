package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSecret bounds what is read of a password file, in bytes: SCRAM has no use for more.
const maxSecret = 1024

// keepers are the users who may own a password file and the folders that lead to it: root, the database's user, and
// whoever runs us, who trusts himself.
type keepers map[uint32]bool

func keepersOf(osUser string) keepers {
	k := keepers{0: true, uint32(os.Geteuid()): true}
	if u, err := user.Lookup(osUser); err == nil {
		if uid, err := strconv.ParseUint(u.Uid, 10, 32); err == nil {
			k[uint32(uid)] = true
		}
	}
	return k
}

// secretFile is a file that holds a password, and who should own it.
type secretFile struct {
	path, owner string
	keepers     keepers
}

// read returns the password; one line end at the end is the editor's, not the password's. What is judged is the file that
// was opened, whatever the path leads to by then, and opening it waits for nobody at the other end of a pipe.
func (s secretFile) read() (string, error) {
	f, err := os.OpenFile(s.path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return "", errors.Unwrap(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", errors.Unwrap(err)
	}
	if err := s.judge(info, accessList(f)); err != nil {
		return "", err
	}
	if err := s.judgeFolders(); err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", errors.Unwrap(err)
	}
	if len(data) > maxSecret {
		return "", fmt.Errorf("longer than %d bytes", maxSecret)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
}

// judgeSource judges the file that systemd copied a unit's credential from, where the unit's user may look at all.
func (s secretFile) judgeSource(stores []string) error {
	for _, dir := range stores {
		s.path = filepath.Join(dir, filepath.Base(s.path))
		if info, err := os.Stat(s.path); err == nil {
			if err := s.judge(info, nil); err != nil {
				return fmt.Errorf("it comes from %s, which %w", s.path, err)
			}
			return nil
		}
	}
	return nil
}

// judge says why a file is no place for a password, and what makes it one.
func (s secretFile) judge(info os.FileInfo, acl []byte) error {
	uid, mode := owner(info), info.Mode()
	read, write := s.others(uint32(mode.Perm()), acl)
	switch {
	case mode.IsDir():
		return errors.New("is a directory")
	case !mode.IsRegular():
		return fmt.Errorf("is no regular file (%s)", mode.Type())
	case !s.keepers[uid]:
		return fmt.Errorf("belongs to %s, who could put another password there: sudo chown %s %s && sudo chmod 0600 %s", userName(uid), s.owner, s.path, s.path)
	case read || write:
		what := "read"
		if write {
			what = "change"
		}
		remedy := "sudo chmod 0600 " + s.path
		if userName(uid) != s.owner {
			// Closed to its group it may be closed to the service, too.
			remedy = "sudo chown " + s.owner + " " + s.path + " && " + remedy
		}
		return fmt.Errorf("is open to others than its owner, who may %s it (mode %04o): %s", what, mode.Perm(), remedy)
	}
	return nil
}

// others says what users beside the keepers may do. An access list moves its mask to where the group's bits were: systemd
// lets a unit's user read a credential that way, and its mode then shows 0440.
func (s secretFile) others(mode uint32, acl []byte) (read, write bool) {
	const user, group, namedGroup, mask, world = 0x02, 0x04, 0x08, 0x10, 0x20
	bits := mode>>3 | mode
	if len(acl) > 4 {
		bits = 0
		for e := acl[4:]; len(e) >= 8; e = e[8:] {
			tag, perm := binary.LittleEndian.Uint16(e), uint32(binary.LittleEndian.Uint16(e[2:]))
			switch tag {
			case user:
				if !s.keepers[binary.LittleEndian.Uint32(e[4:])] {
					bits |= perm & (mode >> 3)
				}
			case group, namedGroup:
				bits |= perm & (mode >> 3)
			case world:
				bits |= perm
			case mask: // is the group's bits of the mode
			}
		}
	}
	return bits&4 != 0, bits&2 != 0
}

// accessList is a file's POSIX access list (acl(5)) as the kernel hands it out; nil: it has none, its mode says all.
func accessList(f *os.File) []byte {
	buf := make([]byte, 4096)
	n, err := unix.Fgetxattr(int(f.Fd()), "system.posix_acl_access", buf)
	if err != nil {
		return nil
	}
	return buf[:n]
}

// judgeFolders holds the folders on the way to the file to what it needs: who can write to one can put another file there.
func (s secretFile) judgeFolders() error {
	folders, err := way(s.path)
	if err != nil {
		return err
	}
	for _, dir := range folders {
		info, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		switch uid := owner(info); {
		case !s.keepers[uid]:
			return fmt.Errorf("the folder %s belongs to %s, who could put another file there: sudo chown root %s, or keep it elsewhere", dir, userName(uid), dir)
		case info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0:
			return fmt.Errorf("others may write to the folder %s (mode %04o), and put another file there: sudo chmod go-w %s", dir, info.Mode().Perm(), dir)
		}
	}
	return nil
}

// maxLinks is how many symbolic links the kernel follows, too.
const maxLinks = 40

// way lists the folders in which a name is looked up on the way to a file, those that symbolic links lead through included.
func way(path string) ([]string, error) {
	if !filepath.IsAbs(path) { // not filepath.Abs, which takes the folder before a .. for no link
		wd, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		path = wd + "/" + path
	}
	var list []string
	at, links := "/", 0
	for rest := strings.Split(path, "/"); len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		list = append(list, at)
		target, err := os.Readlink(filepath.Join(at, name))
		switch {
		case errors.Is(err, syscall.EINVAL): // no link
			at = filepath.Join(at, name)
		case err != nil:
			return nil, err
		case links == maxLinks:
			return nil, syscall.ELOOP
		default:
			links++
			if filepath.IsAbs(target) {
				at = "/"
			}
			rest = append(strings.Split(target, "/"), rest...)
		}
	}
	return list, nil
}

func owner(info os.FileInfo) uint32 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Uid
	}
	return ^uint32(0)
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "uid " + id
}

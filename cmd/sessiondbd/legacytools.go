package main

import (
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"sessiondbd/internal/firewall"
)

// xtablesLock is what all tools of the legacy back end wait for (iptables(8)). Whoever comes first makes it, as root's alone.
const xtablesLock = "/run/xtables.lock"

// firewallGroup is that of the firewall's daemon, which with examples/legacy-iptables.conf shares the lock, too.
const firewallGroup = "sessiondbd-firewall"

// firewallRights are the capabilities that the tools of a back end want of the database's user. Those of the legacy one talk
// over a raw socket, and take the lock, for which the user gets a group. A lock that cannot be shared the tools tell themselves.
func firewallRights(backend string, c *syscall.Credential) []uintptr {
	if backend != firewall.Legacy {
		return []uintptr{unix.CAP_NET_ADMIN}
	}
	if group, err := shareLock(xtablesLock, c.Gid); err == nil && !slices.Contains(c.Groups, group) {
		c.Groups = append(c.Groups, group)
	}
	return []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW}
}

// shareLock opens the lock to its group, and says which that is. Root's own group opens much else: the lock is then given to
// that of the daemon or, where there is none, to fallback.
func shareLock(path string, fallback uint32) (group uint32, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return 0, fs.ErrInvalid
	}
	if group = st.Gid; group == 0 {
		if group, err = daemonGroup(fallback); err != nil {
			return 0, err
		}
		if err := f.Chown(-1, int(group)); err != nil {
			return 0, err
		}
	}
	return group, f.Chmod(info.Mode().Perm() | 0o060)
}

func daemonGroup(fallback uint32) (uint32, error) {
	g, err := user.LookupGroup(firewallGroup)
	if err != nil { // it is not installed as a service
		return fallback, nil
	}
	gid, err := strconv.ParseUint(g.Gid, 10, 32)
	return uint32(gid), err
}

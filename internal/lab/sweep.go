package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Sweep removes what processes that no longer live have left: their servers, containers, namespaces, mounts, folders.
// What belongs to a living process is not touched.
func Sweep() error {
	locks, err := filepath.Glob(filepath.Join(baseDir(), "*.lock"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range locks {
		pid, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(path), ".lock"))
		if err != nil || pid == os.Getpid() {
			continue
		}
		lock, err := lockFile(path, unix.LOCK_EX|unix.LOCK_NB)
		if err != nil { // alive, or just gone by itself
			continue
		}
		if err := reap(pid); err != nil {
			errs = append(errs, err)
		} else {
			_ = os.Remove(path)
		}
		_ = lock.Close()
	}
	return errors.Join(errs...)
}

// reap removes everything that the process pid owns. The caller holds the owner's lock, or is the owner.
func reap(pid int) error {
	dir, mine := ownerDir(pid), fmt.Sprintf("%s%d-", prefix, pid)
	errs := []error{killAll(func() []int { return servers(dir) })}
	spaces, _ := filepath.Glob("/run/netns/" + mine + "*")
	for _, path := range spaces {
		errs = append(errs, removeNamespace(filepath.Base(path)))
	}
	errs = append(errs, unmountBelow(dir))
	groups, _ := filepath.Glob("/sys/fs/cgroup/" + mine + "*")
	more, _ := filepath.Glob("/sys/fs/cgroup/*/" + mine + "*")
	for _, g := range append(groups, more...) {
		errs = append(errs, removeCgroup(g))
	}
	return errors.Join(append(errs, os.RemoveAll(dir))...)
}

// servers lists the postmasters and containers whose command line names a path below dir.
func servers(dir string) []int {
	return processes(func(proc string) bool {
		exe, err := os.Readlink(proc + "/exe")
		if err != nil {
			return false
		}
		switch filepath.Base(strings.TrimSuffix(exe, " (deleted)")) {
		case "postgres", "systemd-nspawn":
			line, err := os.ReadFile(proc + "/cmdline")
			return err == nil && strings.Contains(string(line), dir+"/")
		}
		return false
	})
}

// members lists the processes inside a network namespace, whatever other namespaces they are in.
func members(netns string) []int {
	var ns, st unix.Stat_t
	if unix.Stat("/run/netns/"+netns, &ns) != nil {
		return nil
	}
	return processes(func(proc string) bool {
		return unix.Stat(proc+"/ns/net", &st) == nil && st.Ino == ns.Ino && st.Dev == ns.Dev
	})
}

func processes(match func(proc string) bool) []int {
	all, _ := filepath.Glob("/proc/[0-9]*")
	var pids []int
	for _, proc := range all {
		pid, _ := strconv.Atoi(filepath.Base(proc))
		if pid != os.Getpid() && match(proc) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killAll kills what list finds until it finds nothing more, at most 10 s long.
func killAll(list func() []int) error {
	for deadline := time.Now().Add(10 * time.Second); ; {
		pids := list()
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v survive SIGKILL", pids)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func unmountBelow(dir string) error {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var points []string
	for line := range strings.Lines(string(info)) {
		if f := strings.Fields(line); strings.HasPrefix(f[4]+"/", dir+"/") {
			points = append(points, f[4])
		}
	}
	var errs []error
	for _, p := range slices.Backward(points) { // the youngest first: they lie on top
		if err := unix.Unmount(p, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && err != unix.EINVAL {
			errs = append(errs, fmt.Errorf("unmount %s: %w", p, err))
		}
	}
	return errors.Join(errs...)
}

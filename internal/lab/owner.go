package lab

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// prefix begins the name of everything that lab makes outside its own folders; the owner's pid follows.
const prefix = "sdlab-"

// A process owns what it makes through the flock on BASE/PID.lock: the kernel drops it with the process, however that
// ends, so whoever gets the lock knows that the owner is gone even when its pid is in use again.
var owner struct {
	sync.Mutex
	users int
	lock  *os.File
	swept bool
	seq   atomic.Int64
}

func baseDir() string {
	if os.Geteuid() == 0 {
		return "/run/sessiondbd-lab"
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("sessiondbd-lab-%d", os.Geteuid()))
}

func ownerDir(pid int) string { return filepath.Join(baseDir(), strconv.Itoa(pid)) }

// acquire makes a folder for one thing of this process and a unique name for it; release gives both back.
func acquire(kind string) (name, dir string, err error) {
	owner.Lock()
	defer owner.Unlock()
	if !owner.swept {
		owner.swept = true
		if err := Sweep(); err != nil {
			return "", "", fmt.Errorf("sweep: %w", err)
		}
	}
	if owner.users == 0 {
		if err := claim(); err != nil {
			return "", "", err
		}
	}
	name = fmt.Sprintf("%s%d-%s%d", prefix, os.Getpid(), kind, owner.seq.Add(1))
	dir = filepath.Join(ownerDir(os.Getpid()), name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		if owner.users == 0 {
			disclaim()
		}
		return "", "", err
	}
	owner.users++
	return name, dir, nil
}

// release removes what acquire made; the last one takes the process's own folder away.
func release(dir string) error {
	owner.Lock()
	defer owner.Unlock()
	err := os.RemoveAll(dir)
	if owner.users--; owner.users == 0 {
		disclaim()
	}
	return err
}

func claim() error {
	if err := makeBase(); err != nil {
		return err
	}
	lock, err := lockFile(ownerDir(os.Getpid())+".lock", unix.LOCK_EX)
	if err != nil {
		return err
	}
	owner.lock = lock
	if err := reap(os.Getpid()); err != nil { // of an earlier process with our pid
		return err
	}
	dir := ownerDir(os.Getpid())
	if err := os.Mkdir(dir, 0o755); err != nil || os.Geteuid() != 0 {
		return err
	}
	// Data folders and overlays are many small files: on a busy disk a cluster takes seconds instead of tenths. The size
	// is the kernel's default limit, half of the memory, and not what it takes.
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount tmpfs on %s: %w", dir, err)
	}
	return nil
}

func disclaim() {
	dir := ownerDir(os.Getpid())
	_ = unix.Unmount(dir, 0) // busy if something is still inside: then it stays for Sweep
	_ = os.Remove(dir)
	_ = os.Remove(owner.lock.Name())
	_ = owner.lock.Close()
	_ = os.Remove(baseDir()) // while others use it this fails, as it should
}

func makeBase() error {
	base := baseDir()
	if err := os.MkdirAll(base, 0o755); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(base, &st); err != nil {
		return err
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return fmt.Errorf("%s: not a folder of ours; remove it", base)
	}
	return nil
}

// lockFile opens and locks a file that its last holder may unlink: what we hold must still be what the path names.
func lockFile(path string, how int) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
		if os.IsNotExist(err) { // the folder went with its last user
			if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), how); err != nil {
			_ = f.Close()
			if err == unix.EINTR {
				continue
			}
			return nil, fmt.Errorf("%s: flock: %w", path, err)
		}
		var mine, there unix.Stat_t
		if unix.Fstat(int(f.Fd()), &mine) == nil && unix.Stat(path, &there) == nil && mine.Ino == there.Ino {
			return f, nil
		}
		_ = f.Close()
	}
}

var onSignal sync.Once

// CloseOnSignal makes SIGINT, SIGTERM and SIGHUP remove everything this process made with lab before they end it. The
// test helpers call it; a program with a context of its own closes what it booted instead.
func CloseOnSignal() {
	onSignal.Do(func() {
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
		go func() { // owned by the process: ends with it
			s := <-c
			if err := reap(os.Getpid()); err != nil {
				fmt.Fprintln(os.Stderr, "lab:", err)
			}
			_ = os.Remove(ownerDir(os.Getpid()) + ".lock")
			signal.Reset(s)
			_ = syscall.Kill(os.Getpid(), s.(syscall.Signal))
		}()
	})
}

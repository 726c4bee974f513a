package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// CacheDir is where images, database templates and prepared clients stay between runs: $SESSIONDBD_LAB_CACHE, or
// /var/cache/sessiondbd-lab for root, or a folder in the user's cache.
func CacheDir() (string, error) {
	if dir := os.Getenv("SESSIONDBD_LAB_CACHE"); dir != "" {
		return dir, nil
	}
	if os.Geteuid() == 0 {
		return "/var/cache/sessiondbd-lab", nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "sessiondbd-lab"), err
}

// cached returns the folder CACHE/name, and has it built first if it is not there. However many processes ask, one
// builds; what one that died left half done is thrown away.
func cached(ctx context.Context, name string, build func(dir string) error) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, name)
	if exists(path) {
		return path, nil
	}
	lock, err := waitForLock(ctx, path+".lock")
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if exists(path) {
		return path, nil
	}
	part := path + ".part"
	if err := discard(part); err != nil {
		return "", err
	}
	if err := build(part); err != nil {
		return "", errors.Join(fmt.Errorf("%s: %w", name, err), discard(part))
	}
	return path, os.Rename(part, path)
}

// waitForLock polls, since a blocked flock cannot be cancelled.
func waitForLock(ctx context.Context, path string) (*os.File, error) {
	for {
		lock, err := lockFile(path, unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: another process is still building: %w", path, context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// discard removes a folder in which a build may have left something mounted.
func discard(dir string) error {
	if err := unmountBelow(dir); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

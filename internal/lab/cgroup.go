package lab

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// newCgroup makes a control group in every hierarchy that systemd keeps its units in, and lists the folders. Two
// containers in one group would share one /payload, where each systemd would kill the other's services.
func newCgroup(name string) ([]string, error) {
	var made []string
	for _, top := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"} {
		if _, err := os.Stat(top + "/cgroup.procs"); err != nil {
			continue
		}
		dir := filepath.Join(top, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return made, err
		}
		made = append(made, dir)
	}
	if len(made) == 0 {
		return nil, fmt.Errorf("/sys/fs/cgroup: no hierarchy that systemd could use; mount cgroup2 there")
	}
	return made, nil
}

// removeCgroup removes a group with everything below it. Dead members leave a moment after their last process.
func removeCgroup(dir string) error {
	var err error
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var dirs []string
		_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, p)
			}
			return nil
		})
		for _, d := range slices.Backward(dirs) {
			err = os.Remove(d)
		}
		if err == nil || os.IsNotExist(err) {
			return nil
		}
	}
	return err
}

package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"sessiondbd/internal/systemd"
)

// PauseFile is where a pause is kept, so that it outlasts the daemon. It ends by itself, by the clock that counts from boot
// on and goes on while the machine sleeps (clock_gettime(2), CLOCK_BOOTTIME): nobody can set that. A boot ends it, too.
type PauseFile struct{ Path string }

type pause struct {
	BootID string        `json:"boot_id"` // without dashes
	Until  time.Duration `json:"until"`   // since boot, in nanoseconds
	By     string        `json:"by"`
}

// Begin pauses for so long from now on, in place of a pause that is on already. The error is fs.ErrPermission for who may
// not write there.
func (f PauseFile) Begin(d time.Duration, by string) error {
	now, err := systemd.SinceBoot()
	if err != nil {
		return err
	}
	b, err := json.Marshal(pause{bootID(), now + d, by})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	tmp := f.Path + ".new"
	err = os.WriteFile(tmp, append(b, '\n'), 0o600)
	if err == nil {
		err = owned(tmp, filepath.Dir(f.Path))
	}
	if err == nil {
		err = os.Rename(tmp, f.Path)
	}
	if err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	return nil
}

// owned gives a file that root wrote to whom its folder belongs to: the daemon has to read it.
func owned(file, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Chown(file, int(st.Uid), int(st.Gid))
}

// End ends a pause, and says whether there was one.
func (f PauseFile) End() (was bool, err error) {
	_, was, err = f.Left()
	if rerr := os.Remove(f.Path); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
		return was, fmt.Errorf("pause: %w", rerr)
	}
	if errors.Is(err, errPause) {
		err = nil // it is gone now
	}
	return was, err
}

// errPause is a file that cannot be understood.
var errPause = errors.New("does not hold a pause: it was cut off or edited")

func (f PauseFile) read() (p pause, err error) {
	b, err := os.ReadFile(f.Path)
	if err != nil {
		return p, fmt.Errorf("pause: %w", err)
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("pause: %s %w", f.Path, errPause)
	}
	return p, nil
}

// By is who began the pause that the file holds; empty: nobody that could be told.
func (f PauseFile) By() string {
	p, err := f.read()
	if err != nil {
		return ""
	}
	return p.By
}

// Left says how long a pause still lasts, and whether there is one.
func (f PauseFile) Left() (left time.Duration, paused bool, err error) {
	p, err := f.read()
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	now, err := systemd.SinceBoot()
	if err != nil {
		return 0, false, err
	}
	left, paused = p.left(now, bootID())
	return left, paused, nil
}

// left is that of a pause at a time of a boot. Where the boot's id is hidden from us, or was from who wrote it, it counts as on: what
// was to be left alone and is not, is worse than what waits for no reason, and is told.
func (p pause) left(now time.Duration, boot string) (time.Duration, bool) {
	if boot != "" && p.BootID != "" && boot != p.BootID || p.Until <= now {
		return 0, false
	}
	return p.Until - now, true
}

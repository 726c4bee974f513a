package systemd

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// SinceBoot is the time since the machine was started, also while it slept (clock_gettime(2), CLOCK_BOOTTIME). Unlike the time
// of day nobody can set it.
func SinceBoot() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0, fmt.Errorf("CLOCK_BOOTTIME: %w", err)
	}
	return time.Duration(ts.Nano()), nil
}

package daemon

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// bootEnv carries the boot's id (%b) into a unit whose ProcSubset=pid hides /proc/sys.
const bootEnv = "SESSIONDBD_BOOT_ID"

// bootID is the id of this boot without dashes, or "" where it is hidden.
func bootID() string {
	id := os.Getenv(bootEnv)
	if b, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		id = string(b)
	}
	return strings.ReplaceAll(strings.TrimSpace(id), "-", "")
}

// pidStart is when a process started, in clock ticks since boot (proc_pid_stat(5), field 22).
func pidStart(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The command name, in parentheses, may hold anything.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// Stale says that the daemon which wrote the state is gone: another boot, no such process, or a process that got its
// number later. A process that may not be looked at counts as ours.
func (s State) Stale() bool {
	if id := bootID(); id != "" && s.BootID != "" && id != s.BootID {
		return true
	}
	if s.PID <= 0 || errors.Is(syscall.Kill(s.PID, 0), syscall.ESRCH) {
		return true
	}
	start, err := pidStart(s.PID)
	return err == nil && s.PIDStart != 0 && start != s.PIDStart
}

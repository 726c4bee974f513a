package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fileEnv tells the child of root on which descriptor it gets the file that root has opened.
const fileEnv = "SESSIONDBD_FILE_FD"

// standardInput is what it is called as a FILE.
const standardInput = "-"

// openInput opens the file that a command is about, or takes it as it is handed over, open and by root perhaps. Of a pipe that
// delivers nothing neither opening nor reading outlasts the context.
func openInput(ctx context.Context, path string) (f *os.File, handed bool, err error) {
	switch fd, err := strconv.Atoi(os.Getenv(fileEnv)); {
	case err == nil:
		_ = os.Unsetenv(fileEnv)
		f, handed = inherited(fd, path), true
	case path == standardInput:
		if _, err := unix.IoctlGetTermios(0, unix.TCGETS); err == nil {
			return nil, false, usageError{errors.New("standard input is a terminal: name a FILE, or have a program write into a pipe")}
		}
		// Another descriptor, since Go may watch the first one already.
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, false, fmt.Errorf("standard input: %w", err)
		}
		f, handed = inherited(fd, "standard input"), true
	default:
		if f, err = opened(ctx, path); err != nil {
			return nil, false, err
		}
	}
	context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	return f, handed, nil
}

// inherited is an open file that can be left while it is read, if it is a pipe.
func inherited(fd int, name string) *os.File {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err == nil && st.Mode&syscall.S_IFMT == syscall.S_IFIFO {
		_ = syscall.SetNonblock(fd, true)
	}
	return os.NewFile(uintptr(fd), name)
}

// opened opens a file, which blocks where nobody has begun to write into a pipe.
func opened(ctx context.Context, path string) (*os.File, error) {
	type result struct {
		f   *os.File
		err error
	}
	done := make(chan result, 1)
	go func() {
		f, err := os.Open(path)
		done <- result{f, err}
	}()
	select {
	case r := <-done:
		return r.f, r.err
	case <-ctx.Done():
		return nil, errInterrupted
	}
}

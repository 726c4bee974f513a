package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sessiondbd/internal/operate"
)

// uploadIdle is how long the administrator's command may go on without taking anything. A large backup over a slow line takes as long
// as it takes. A test shortens it.
var uploadIdle = time.Hour

var errIdle = errors.New("hangs")

// upload gives a file to the administrator's command. What that says is for whoever reads standard error or the journal, and in no
// error of ours: nobody knows what is in it.
func (a *app) upload(ctx context.Context, argv []string, path, name string) error {
	if len(argv) == 0 {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	args := make([]string, len(argv)-1)
	for i, arg := range argv[1:] {
		args[i] = strings.ReplaceAll(arg, "{file}", name)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(uploadIdle, func() { cancel(errIdle) })
	defer idle.Stop()
	cmd := exec.CommandContext(ctx, argv[0], args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = a.stderr, a.stderr, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	taken, err := feed(cmd, f, func() { idle.Reset(uploadIdle) })
	fi, serr := f.Stat()
	switch {
	case err != nil && errors.Is(context.Cause(ctx), errIdle):
		return fmt.Errorf("backup.upload: %s has taken nothing for %s, and was ended", argv[0], uploadIdle)
	case err != nil:
		return fmt.Errorf("backup.upload: %s: %w; what it said is on standard error, of the timer's: journalctl -u sessiondbd-backup", argv[0], err)
	case serr == nil && taken < fi.Size():
		// A program that ends well and leaves the half unread has not stored it.
		return fmt.Errorf("backup.upload: %s has read %s of %s and ended", argv[0], operate.Size(taken), operate.Size(fi.Size()))
	}
	return serr
}

// feed runs a command with a file on its standard input, through a pipe: of a file nobody could tell how much was read by who opens
// /dev/stdin. It returns how much the command has taken, and calls on each time that it takes some.
func feed(cmd *exec.Cmd, f *os.File, on func()) (taken int64, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	defer w.Close()
	cmd.Stdin = r
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	in := make(chan error, 1)
	go func() {
		_, err := io.Copy(&meter{w, &taken, on}, f)
		in <- errors.Join(err, w.Close())
	}()
	if err = cmd.Wait(); errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it has ended well; something that it started holds on to its output
	}
	_ = w.SetWriteDeadline(time.Now().Add(time.Second)) // nobody will take the rest
	if rerr := <-in; rerr != nil && !errors.Is(rerr, os.ErrDeadlineExceeded) && err == nil {
		err = rerr
	}
	left, ierr := unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
	if ierr == nil {
		taken -= int64(left)
	}
	return taken, err
}

// meter counts what goes to a pipe.
type meter struct {
	to *os.File
	n  *int64
	on func()
}

func (m *meter) Write(b []byte) (int, error) {
	n, err := m.to.Write(b)
	*m.n += int64(n)
	m.on()
	return n, err
}

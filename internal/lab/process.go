package lab

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// Process is a command that runs in the background until it ends, is signalled, or its context is done.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
	mu   sync.Mutex
	out  []byte
}

// Start runs a command in the background. It is killed with ctx, with its place, and with this process.
func (p *Place) Start(ctx context.Context, argv ...string) (*Process, error) {
	return p.StartCommand(ctx, Command{Argv: argv})
}

// StartCommand is Start for a command with an environment or standard input.
func (p *Place) StartCommand(ctx context.Context, c Command) (*Process, error) {
	cmd, err := p.command(ctx, c)
	if err != nil {
		return nil, err
	}
	proc := &Process{cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = proc, proc
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return proc, proc.start()
}

// start starts the command and waits for it on one locked thread: the kernel sends Pdeathsig when the thread that
// started it ends, and Go may end any other.
func (p *Process) start() error {
	started := make(chan error)
	go func() { // ends with the process
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	return <-started
}

// Write collects what the process says.
func (p *Process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = append(p.out, b...)
	return len(b), nil
}

// Output is everything said until now, standard output and error in one.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.out)
}

// PID is the process's id outside; inside a hypervisor it is another.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal to the process and those that it started. One that has ended meanwhile gets none.
func (p *Process) Signal(s syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
		if err := syscall.Kill(-p.cmd.Process.Pid, s); !errors.Is(err, syscall.ESRCH) {
			return err
		}
		return nil
	}
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the end of the process and returns how it ended; an *exec.ExitError tells the status.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Kill ends the process at once and waits until it is gone.
func (p *Process) Kill() error {
	err := p.Signal(syscall.SIGKILL)
	<-p.done
	return err
}

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Command is what to run in a Place. Env is added to the place's small clean environment.
type Command struct {
	Argv  []string
	Env   []string
	Stdin io.Reader
}

// Result is what a command that ran to its end said.
type Result struct {
	Stdout, Stderr string
	Code           int
}

// ExitError is a command that ran and did not exit with 0.
type ExitError struct {
	Argv []string
	Result
}

func (e *ExitError) Error() string {
	said := strings.TrimSpace(e.Stderr)
	if said == "" {
		said = strings.TrimSpace(e.Stdout)
	}
	return fmt.Sprintf("%s: exit status %d: %s", strings.Join(e.Argv, " "), e.Code, lastLines(said, 20))
}

// ExitCode is the exit status that err tells of: 0 for nil, -1 if the command did not run to its end.
func ExitCode(err error) int {
	var exit *ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Code
	}
	return -1
}

// Place is somewhere commands can run: a network namespace, a folder with a system in it, the booted hypervisor. The
// zero value is the machine itself.
type Place struct {
	enter []string // what goes before the command
}

// Exec runs a command to its end. A status other than 0 is an *ExitError beside the full result.
func (p *Place) Exec(ctx context.Context, c Command) (Result, error) {
	cmd, err := p.command(ctx, c)
	if err != nil {
		return Result{Code: -1}, err
	}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	r := Result{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return r, nil
	case ctx.Err() != nil:
		return r, fmt.Errorf("%s: %w: %s", strings.Join(c.Argv, " "), context.Cause(ctx), lastLines(r.Stderr, 5))
	case errors.As(err, &exit):
		return r, &ExitError{c.Argv, r}
	}
	return r, fmt.Errorf("%s: %w", strings.Join(c.Argv, " "), err)
}

// Run is Exec for the common case: the standard output without its last newline.
func (p *Place) Run(ctx context.Context, argv ...string) (string, error) {
	r, err := p.Exec(ctx, Command{Argv: argv})
	return strings.TrimSuffix(r.Stdout, "\n"), err
}

func (p *Place) command(ctx context.Context, c Command) (*exec.Cmd, error) {
	if len(c.Argv) == 0 {
		return nil, errors.New("no command")
	}
	argv := slices.Concat(p.enter, c.Argv)
	program, err := lookPath(argv[0])
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, argv[1:]...)
	cmd.Env = append(cleanEnv(), c.Env...)
	cmd.Stdin = c.Stdin
	cmd.Dir = "/"
	// A group of its own: Ctrl-C reaches only us, who then take things down in order, and a timeout can end it whole.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	return cmd, nil
}

// cleanEnv keeps settings of whoever runs the tests, PG* above all, out of them.
func cleanEnv() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb"}
}

// host runs a command on the machine itself with the environment of this process: package managers and compilers
// are configured there.
func host(ctx context.Context, dir string, argv ...string) (string, error) {
	program, err := lookPath(argv[0])
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, program, argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PATH="+os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, lastLines(string(out), 20))
	}
	return string(out), nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
)

// Root is the file system of a hypervisor that is not running: where a hook installs units and files before it boots.
type Root struct {
	Place // runs commands by chroot, as root, without /proc
	Dir   string
}

func newRoot(dir string) *Root {
	r := &Root{Dir: dir}
	r.enter = []string{"chroot", dir}
	return r
}

// WriteFile writes a file as root:root with this mode, and the folders above it.
func (p *Place) WriteFile(ctx context.Context, name string, data []byte, mode os.FileMode) error {
	return p.store(ctx, name, Command{Stdin: bytes.NewReader(data)}, mode)
}

// Put copies a file of this machine to name, as root:root with this mode, and makes the folders above it.
func (p *Place) Put(ctx context.Context, local, name string, mode os.FileMode) error {
	f, err := os.Open(local)
	if err != nil {
		return err
	}
	defer f.Close()
	return p.store(ctx, name, Command{Stdin: f}, mode)
}

// store lets the place's own shell resolve the path: seen from outside, an absolute link in it would lead to a file of
// this machine. The rename replaces a program that is running.
func (p *Place) store(ctx context.Context, name string, c Command, mode os.FileMode) error {
	const script = `umask 022; mkdir -p "$(dirname "$1")"; cat >"$1.lab"; chmod "$2" "$1.lab"; mv -fT "$1.lab" "$1"`
	c.Argv = []string{"sh", "-euc", script, "sh", path.Clean(name), fmt.Sprintf("%o", mode.Perm())}
	if _, err := p.Exec(ctx, c); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// ReadFile reads a file of the place.
func (p *Place) ReadFile(ctx context.Context, name string) ([]byte, error) {
	r, err := p.Exec(ctx, Command{Argv: []string{"cat", name}})
	return []byte(r.Stdout), err
}

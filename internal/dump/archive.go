package dump

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/klauspost/compress/zstd"
)

// Archive is a file that pg_dump wrote, whatever its form and compression.
type Archive struct {
	io.Reader        // the dump as SQL
	Form      string // for people
	close     []func()
}

// Close ends what was started to read it.
func (a *Archive) Close() {
	for _, f := range a.close {
		f()
	}
}

// The first bytes of what is told apart: RFC 1952 2.3.1, RFC 8878 3.1.1, PostgreSQL's pg_backup_archiver.c, POSIX ustar.
const (
	gzipMagic    = "\x1f\x8b"
	zstdMagic    = "\x28\xb5\x2f\xfd"
	archiveMagic = "PGDMP"
	tarMagic     = "ustar"
	tarAt        = 257

	byteOrderMark = "\xef\xbb\xbf"
)

// unread names the program for what is compressed in a way that we do not read.
func unread(in *bufio.Reader, file string) error {
	for _, p := range []struct{ magic, tool string }{{"\xfd7zXZ\x00", "xz"}, {"BZh", "bzip2"}, {"\x04\x22\x4d\x18", "lz4"}} {
		if head, _ := in.Peek(len(p.magic)); string(head) == p.magic {
			return fmt.Errorf("it is compressed with %s, which is not read: %s -dc %s | sudo sessiondbd restore -", p.tool, p.tool, file)
		}
	}
	return nil
}

// OpenArchive finds out by its content what f is. Archives of pg_dump are turned into SQL by pg_restore; look finds that.
func OpenArchive(ctx context.Context, f *os.File, look func(string) (string, error)) (*Archive, error) {
	if fi, err := f.Stat(); err == nil && fi.IsDir() {
		return nil, fmt.Errorf("%s is a folder: pg_dump's directory format is not read; write it as one file: pg_restore -f FILE.sql %s", f.Name(), f.Name())
	}
	a := &Archive{Form: "SQL"}
	in := bufio.NewReaderSize(f, 64<<10)
	if err := unread(in, f.Name()); err != nil {
		return nil, err
	}
	in, err := a.decompress(in)
	if err != nil {
		return nil, err
	}
	if mark, _ := in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark { // psql takes it, too
		_, _ = in.Discard(len(byteOrderMark))
	}
	head, err := in.Peek(tarAt + len(tarMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		a.Close()
		return nil, a.damaged(err)
	}
	switch {
	case len(head) == 0:
		a.Close()
		return nil, errors.New("the file is empty")
	case bytes.HasPrefix(head, []byte(archiveMagic)), len(head) > tarAt && string(head[tarAt:]) == tarMagic:
		a.Form = "archive of pg_dump" + strings.TrimPrefix(a.Form, "SQL")
		if err := a.restored(ctx, in, look); err != nil {
			a.Close()
			return nil, err
		}
		return a, nil
	case bytes.IndexByte(head, 0) >= 0:
		a.Close()
		return nil, errors.New("this is neither SQL nor an archive of pg_dump, nor one of them compressed with gzip or zstd")
	}
	a.Reader = complaining{in, a}
	return a, nil
}

func (a *Archive) decompress(in *bufio.Reader) (*bufio.Reader, error) {
	head, _ := in.Peek(4)
	switch {
	case bytes.HasPrefix(head, []byte(gzipMagic)):
		r, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("as gzip: %w", err)
		}
		a.Form += ", gzip"
		return bufio.NewReaderSize(r, 64<<10), nil
	case string(head) == zstdMagic:
		r, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("as zstd: %w", err)
		}
		a.Form += ", zstd"
		a.close = append(a.close, r.Close)
		return bufio.NewReaderSize(r, 64<<10), nil
	}
	return in, nil
}

// damaged explains what a decompressor found.
func (a *Archive) damaged(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w (%s): the compressed data ends too early", ErrCutOff, a.Form)
	}
	return fmt.Errorf("the file is damaged (%s): %w", a.Form, err)
}

type complaining struct {
	in io.Reader
	a  *Archive
}

func (c complaining) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = c.a.damaged(err)
	}
	return n, err
}

// restored has pg_restore write the archive as SQL.
func (a *Archive) restored(ctx context.Context, in io.Reader, look func(string) (string, error)) error {
	tool, err := look("pg_restore")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, tool, "--file=-")
	cmd.Stdin, cmd.Dir = in, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	says := &bytes.Buffer{}
	cmd.Stderr = says
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", tool, err)
	}
	p := &piped{out: out, cmd: cmd, says: says}
	a.Reader = p
	a.close = append(a.close, func() { _ = cmd.Process.Kill(); _ = p.wait() })
	return nil
}

// piped reads what a program writes; that it failed is an error of the last read.
type piped struct {
	out    io.Reader
	cmd    *exec.Cmd
	says   *bytes.Buffer
	waited bool
	err    error
}

func (p *piped) Read(b []byte) (int, error) {
	n, err := p.out.Read(b)
	if n == 0 && errors.Is(err, io.EOF) {
		if werr := p.wait(); werr != nil {
			return 0, werr
		}
	}
	if n > 0 {
		err = nil
	}
	return n, err
}

func (p *piped) wait() error {
	if p.waited {
		return p.err
	}
	p.waited = true
	if err := p.cmd.Wait(); err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(p.says.String()), "\n")
		p.err = fmt.Errorf("the file is damaged, or of a newer PostgreSQL than %s: %s (%w)", p.cmd.Path, first, err)
	}
	return p.err
}

// Tool finds a program of PostgreSQL: the newest that Debian has below /usr/lib/postgresql, else what is in PATH.
func Tool(name string) (string, error) {
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	best, version := "", 0
	for _, path := range all {
		if v, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))); err == nil && v > version {
			best, version = path, v
		}
	}
	if best != "" {
		return best, nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is not on this host: install PostgreSQL's client programs (Debian: apt install postgresql-client)", name)
	}
	return path, nil
}

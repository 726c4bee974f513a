package operate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"sync"
)

// Sum reads a file once: how long it is, and its SHA-256 in hex.
func Sum(ctx context.Context, path string) (bytes int64, sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	return sumOf(ctx, f)
}

func sumOf(ctx context.Context, r io.Reader) (bytes int64, sum string, err error) {
	h := sha256.New()
	bytes, err = io.Copy(h, reader{ctx, r})
	return bytes, hex.EncodeToString(h.Sum(nil)), err
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}

// sumLine is a line as sha256sum(1) writes it, for text and binary.
var sumLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9a-f]{64}) [ *]`) })

// CheckSum compares a file with the checksum that lies beside it, under its name and .sha256, and begins at its start again.
// Without one there is nothing to compare with: checked is false. Most forms of dumps would not tell of a bit that has changed.
func CheckSum(ctx context.Context, f *os.File) (checked bool, err error) {
	beside := f.Name() + ".sha256"
	text, err := os.ReadFile(beside)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return false, err
	}
	line := sumLine().FindSubmatch(text)
	if line == nil {
		return false, fmt.Errorf("%s is no checksum as sha256sum writes it: mend it or take it away", beside)
	}
	_, sum, err := sumOf(ctx, f)
	if err != nil {
		return false, err
	}
	if sum != string(line[1]) {
		return false, fmt.Errorf("%s is not as it was written: its SHA-256 is %s, and %s has %s; take another backup", f.Name(), sum, beside, line[1])
	}
	_, err = f.Seek(0, io.SeekStart)
	return true, err
}

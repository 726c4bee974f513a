package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, data string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	path := write(t, "hardening: strict\n")
	c, err := Load(path, true)
	if err != nil {
		t.Fatal(err)
	}
	if c.Hardening != HardeningStrict || c.Path != path {
		t.Errorf("hardening %s, path %s", c.Hardening, c.Path)
	}
}

func TestAbsentFile(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "config.yaml")
	c, err := Load(absent, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), c, values); diff != "" || c.Path != "" {
		t.Errorf("an absent file is not the defaults, path %q (-want +got):\n%s", c.Path, diff)
	}
	if _, err := Load(absent, true); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), absent) {
		t.Errorf("an absent file that somebody named: %v", err)
	}
}

// A link that lost its target is a config that is broken, not one that was never written.
func TestDanglingLink(t *testing.T) {
	link := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.Symlink("nowhere", link); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(link, false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load = %v, %v", c, err)
	}
}

func TestLoadErrors(t *testing.T) {
	if _, err := Load(t.TempDir(), false); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Load(write(t, strings.Repeat("#", maxSize+1)), true); err == nil || !strings.Contains(err.Error(), "larger than 4 MiB") {
		t.Errorf("a file that is too large: %v", err)
	}
	if _, err := Load(write(t, strings.Repeat("#", maxSize)), true); err != nil {
		t.Errorf("a file of the largest size: %v", err)
	}
	path := write(t, "hardening: strict\nfoo: 1\nserver: {manage: no}\n")
	_, err := Load(path, true)
	var first Error
	if !errors.As(err, &first) || first.Line != 2 || first.Key != "foo" || first.File != path {
		t.Errorf("errors.As finds %+v in %v", first, err)
	}
	if n := strings.Count(err.Error(), path+":"); n != 2 {
		t.Errorf("%d mistakes are listed, want 2:\n%v", n, err)
	}
}

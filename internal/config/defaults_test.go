package config

import (
	"net/netip"
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// values compares configs by their values, the hidden ones included.
var values = cmp.Options{
	cmp.Comparer(func(a, b Secret) bool { return a.Reveal() == b.Reveal() }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmpopts.IgnoreFields(Config{}, "Path"),
}

func parseFile(t *testing.T, path string, edit func([]byte) []byte) *Config {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(path, edit(data))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func asIs(data []byte) []byte { return data }

func TestDefaultIsTheContractsBlock(t *testing.T) {
	if diff := cmp.Diff(parseFile(t, "testdata/default.yaml", asIs), Default(), values); diff != "" {
		t.Errorf("testdata/default.yaml against Default() (-file +code):\n%s", diff)
	}
}

const installed = "../../deploy/config.yaml"

func TestInstalledConfigChangesNothing(t *testing.T) {
	if diff := cmp.Diff(parseFile(t, installed, asIs), Default(), values); diff != "" {
		t.Errorf("%s against Default() (-file +code):\n%s", installed, diff)
	}
}

// commentedDefault is a line such as "#  port: 5432"; prose and its examples have one space or three.
var commentedDefault = regexp.MustCompile(`(?m)^#((?:  |    |      )?[a-z_-][^\n]*)$`)

func uncomment(data []byte) []byte { return commentedDefault.ReplaceAll(data, []byte("$1")) }

func TestInstalledConfigUncommentedIsDefault(t *testing.T) {
	if diff := cmp.Diff(parseFile(t, installed, uncomment), Default(), values); diff != "" {
		t.Errorf("%s uncommented against Default() (-file +code):\n%s", installed, diff)
	}
}

// An uncommented file that lacks a key would equal Default() all the same, so every key that Show knows must be there.
func TestInstalledConfigNamesEveryDefault(t *testing.T) {
	data, err := os.ReadFile(installed)
	if err != nil {
		t.Fatal(err)
	}
	file := keyPaths(t, uncomment(data))
	for path := range keyPaths(t, show(t, Default())) {
		if !file[path] {
			t.Errorf("%s lacks the default of %s", installed, path)
		}
	}
}

package systemd

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFindCredential(t *testing.T) {
	const name = "sessionuser.password"
	root := t.TempDir()
	dir := func(d string, files ...string) string {
		d = filepath.Join(root, d)
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(d, f), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return d
	}
	unit, bare := dir("unit", name), dir("bare")
	etc, run := dir("etc", name), dir("run", name)
	closed := filepath.Join(etc, name) // not a folder: looking inside fails with something else than "not there"
	tests := []struct {
		name   string
		unit   string
		stores []string
		cred   string
		want   string
	}{
		{"the unit's first", unit, []string{etc, run}, name, unit},
		{"a unit without it: systemd has looked", bare, []string{etc, run}, name, ""},
		{"no unit: first store", "", []string{etc, run}, name, etc},
		{"no unit: second store", "", []string{bare, run}, name, run},
		{"nowhere", "", []string{bare, filepath.Join(root, "absent")}, name, ""},
		{"cannot be looked at: reading it shall fail", "", []string{closed, run}, name, closed},
		{"a path is no name", "", []string{etc}, "../etc/" + name, ""},
		{"nor is nothing", "", []string{etc}, "", ""},
		{"nor the folder", "", []string{etc}, "..", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := ""
			if tt.want != "" {
				want = filepath.Join(tt.want, name)
			}
			got, ok := FindCredential(tt.unit, tt.stores, tt.cred)
			if ok != (want != "") || got != want {
				t.Errorf("%q, %v; want %q", got, ok, want)
			}
		})
	}
}

func TestCredentialLooksIntoTheUnitsFolder(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if p, ok := Credential("sessionuser.password"); ok {
		t.Errorf("found %s in an empty folder", p)
	}
	want := filepath.Join(dir, "sessionuser.password")
	if err := os.WriteFile(want, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if p, ok := Credential("sessionuser.password"); !ok || p != want {
		t.Errorf("%q, %v", p, ok)
	}
}

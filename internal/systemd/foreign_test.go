package systemd

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestForeignUnits(t *testing.T) {
	const oneshot, password = "init-session-schema.service", "set-sessionuser-password.service"
	file := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(name, target string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := map[string]struct {
		make []func(*testing.T, string)
		want []string // base names of paths
	}{
		"none":             {nil, nil},
		"somebody else's":  {[]func(*testing.T, string){file("postgresql.service", "[Unit]\n")}, nil},
		"the oneshot":      {[]func(*testing.T, string){file(oneshot, "[Unit]\n")}, []string{oneshot}},
		"masked by a file": {[]func(*testing.T, string){file(oneshot, "")}, nil},
		"masked by a link": {[]func(*testing.T, string){link(oneshot, "/dev/null")}, nil},
		"our alias":        {[]func(*testing.T, string){file("sessiondbd.service", "[Unit]\n"), link(oneshot, "sessiondbd.service")}, nil},
		"dangling":         {[]func(*testing.T, string){link(oneshot, "gone.service")}, nil},
		"a link to itself elsewhere, as on NixOS": {[]func(*testing.T, string){file("store/"+oneshot, "[Unit]\n"), link(oneshot, "store/"+oneshot)}, []string{oneshot}},
		"drop-ins that hit our alias":             {[]func(*testing.T, string){file(oneshot+".d/override.conf", "[Service]\n")}, []string{oneshot + ".d"}},
		"the password":                            {[]func(*testing.T, string){file(password, "[Unit]\n")}, []string{password}},
		"both":                                    {[]func(*testing.T, string){file(password, "[Unit]\n"), file(oneshot, "[Unit]\n")}, []string{oneshot, password}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range tt.make {
				f(t, dir)
			}
			var have []string
			for _, u := range ForeignUnits([]string{filepath.Join(dir, "not-there"), dir, dir}) {
				have = append(have, filepath.Base(u.Path))
				if u.Name != oneshot && u.Name != password {
					t.Errorf("%+v: the name is not that of a unit", u)
				}
			}
			if d := cmp.Diff(tt.want, have); d != "" {
				t.Error(d)
			}
		})
	}
}

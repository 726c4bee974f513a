package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The restart's way back is our file with what runs now, whatever else is written in the same pass.
func TestRestartUndo(t *testing.T) {
	w := baseWant()
	o := settled(w)
	o.Files = nil
	o.Settings[0].Value, o.Settings[1].Value = "localhost", "60"
	got := Restart(w, o)[0].Changes[0].Step.(RequestRestart).Undo
	want := &Undo{ourFile, includeHeader + "\n# " + listenWhy + "\nlisten_addresses = 'localhost'\n\n# " + authWhy + "\nauthentication_timeout = '5s'\n\n# " + checkWhy + "\nclient_connection_check_interval = '5s'\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ours (-want +got):\n%s", diff)
	}
	o.Files = []FileSetting{{File: confFile, Line: 1, Name: "listen_addresses", Value: "*"}}
	if got := Restart(w, o)[0].Changes[0].Step.(RequestRestart).Undo; got != nil {
		t.Errorf("a line of postgresql.conf is not ours to take back: %+v", got)
	}
}

func TestIncludeDir(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"include_dir = 'conf.d'\t# comment\n", "/etc/postgresql/15/main/conf.d"},
		{"#include_dir = 'conf.d'\n", ""},
		{"  INCLUDE_DIR conf.d\r\n", "/etc/postgresql/15/main/conf.d"},
		{"include_dir 'a'\ninclude_dir='/srv/b'\n", "/srv/b"},
		{"include_dir = '...'\n#\ninclude = 'x.conf'", "/etc/postgresql/15/main/..."},
		{"include_dir_not = 'x'\n", ""},
	} {
		if got := includeDir(confFile, tt.text); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.want)
		}
	}
}

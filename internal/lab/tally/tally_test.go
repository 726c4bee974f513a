package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the reports that the recorded streams give now")

// byPackage stands in for what readKinds finds.
func byPackage(pkg, _ string) kind {
	switch strings.TrimPrefix(pkg, "sessiondbd/") {
	case "internal/role":
		return postgreSQL
	case "internal/firewall":
		return iptables
	case "internal/lab", "cmd/sessiondbd":
		return hypervisor
	case "nix":
		return nix
	}
	return unit
}

// TestStreams reads streams that `go test -json` really wrote, and holds the reports on them to testdata/NAME.txt.
func TestStreams(t *testing.T) {
	for _, tt := range []struct {
		name string
		ok   bool
		last string
	}{
		{"pass", true, "9 passed, 0 failed"},
		{"fail", false, "8 passed, 2 failed"},
		{"build", false, "9 passed, 1 failed"},
		{"main", false, "6 passed, 1 failed"},
		{"timeout", false, "6 passed, 1 failed"},
		{"skip", false, "6 passed, 0 failed, 1 skipped"},
		{"few", false, "6 passed, 0 failed"},
		{"cut", false, "4 passed, 1 failed"},
		{"plain", false, "9 passed, 0 failed"},
		{"empty", false, "0 passed, 0 failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join("testdata", tt.name)
			stream, err := os.ReadFile(path + ".json")
			if err != nil {
				t.Fatal(err)
			}
			got, ok := report(newTally(byPackage), stream)
			if ok != tt.ok || !strings.HasSuffix(got, "\n"+tt.last+"\n") {
				t.Errorf("ok %v, want %v; last line not %q", ok, tt.ok, tt.last)
			}
			if *update {
				if err := os.WriteFile(path+".txt", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

func report(y *tally, stream []byte) (string, bool) {
	var b strings.Builder
	for line := range bytes.Lines(stream) {
		b.WriteString(y.read(line))
	}
	end, ok := y.end(61 * time.Second)
	return b.String() + end, ok
}

// No beginning of a good stream is good: what is not there is missed, or was running.
func TestEveryCut(t *testing.T) {
	stream, err := os.ReadFile("testdata/pass.json")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(bytes.TrimSpace(stream), []byte("\n"))
	for n := range len(lines) + 1 {
		text, ok := report(newTally(byPackage), bytes.Join(lines[:n], nil))
		if ok != (n == len(lines)) {
			t.Errorf("after %d of %d lines ok is %v:\n%s", n, len(lines), ok, text)
		}
	}
}

func TestProgress(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	y := newTally(byPackage)
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	steps := []struct {
		e    event
		want string
	}{
		{event{}, "building"},
		{event{Action: "start", Package: "sessiondbd/cmd/sessiondbd", Time: at(1)}, "cmd/sessiondbd 59s"},
		{event{Action: "run", Test: "TestFresh", Package: "sessiondbd/cmd/sessiondbd", Time: at(10)}, "cmd/sessiondbd TestFresh 50s"},
		{event{Action: "run", Test: "TestFresh/boot", Package: "sessiondbd/cmd/sessiondbd", Time: at(20)}, "cmd/sessiondbd TestFresh/boot 40s"},
		{event{Action: "start", Package: "sessiondbd/internal/lab", Time: at(30)}, "cmd/sessiondbd TestFresh/boot 40s; internal/lab 30s"},
		{event{Action: "pass", Test: "TestFresh/boot", Package: "sessiondbd/cmd/sessiondbd", Time: at(31)}, "cmd/sessiondbd TestFresh 50s; internal/lab 30s"},
		{event{Action: "pass", Package: "sessiondbd/internal/lab", Time: at(32)}, "cmd/sessiondbd TestFresh 50s"},
	}
	for _, s := range steps {
		if s.e.Action != "" {
			y.add(s.e)
		}
		if got, want := y.progress(at(60), time.Minute), "…     1m0s: "+s.want+"\n"; got != want {
			t.Errorf("after %+v\ngot  %swant %s", s.e, got, want)
		}
	}
}

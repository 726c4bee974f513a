package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"sessiondbd/internal/plan"
)

var fixedTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestStateFileIsSeenWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "database", "status.json")
	if _, err := ReadState(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no file: %v", err)
	}
	s := newState("database")
	if err := writeState(path, s); err != nil {
		t.Fatal(err)
	}
	var writer sync.WaitGroup
	stop := make(chan struct{})
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			s.Status = strings.Repeat("x", i%5000)
			if err := writeState(path, s); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 2000 {
		if got, err := ReadState(path); err != nil || got.Part != "database" {
			t.Fatalf("half a file was seen: %v", err)
		}
	}
	close(stop)
	writer.Wait()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v: everybody may look", info.Mode(), err)
	}
}

func TestStale(t *testing.T) {
	child := exec.Command("true")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	own := newState("database")
	if own.BootID == "" || own.PIDStart == 0 {
		t.Fatalf("unknown boot or start: %+v", own)
	}
	tests := []struct {
		name string
		edit func(s *State)
		want bool
	}{
		{"our own", func(*State) {}, false},
		{"boot id unknown", func(s *State) { s.BootID = "" }, false},
		{"start unknown", func(s *State) { s.PIDStart = 0 }, false},
		{"another boot", func(s *State) { s.BootID = strings.Repeat("0", 32) }, true},
		{"process gone", func(s *State) { s.PID = child.Process.Pid }, true},
		{"its number was given again", func(s *State) { s.PIDStart-- }, true},
		{"no process at all", func(s *State) { s.PID = 0 }, true},
	}
	for _, tt := range tests {
		s := own
		tt.edit(&s)
		if got := s.Stale(); got != tt.want {
			t.Errorf("%s: stale %v", tt.name, got)
		}
	}
}

// The daemon is a shell that says when it gets the signal; the test writes its state file.
func TestWaitReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status.json")
	child := exec.Command("sh", "-c", `trap 'echo hup' HUP; echo up; while :; do sleep 0.01; done`)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	hear := func() string {
		b := make([]byte, 16)
		n, err := out.Read(b)
		if err != nil {
			t.Error(err)
		}
		return strings.TrimSpace(string(b[:n]))
	}
	if got := hear(); got != "up" {
		t.Fatalf("heard %q", got)
	}
	s := newState("database")
	s.PID = child.Process.Pid
	if s.PIDStart, err = pidStart(s.PID); err != nil {
		t.Fatal(err)
	}
	put := func(r Reload) {
		s.Reload = r
		if err := writeState(path, s); err != nil {
			t.Error(err)
		}
	}
	tests := []struct {
		name   string
		before Reload
		after  []Reload // written one by one once the signal came
		want   error
	}{
		{"good", Reload{Seq: 3, OK: true}, []Reload{{Seq: 3, Running: true}, {Seq: 4, OK: true}}, nil},
		{"bad", Reload{Seq: 4, OK: true}, []Reload{{Seq: 5, Error: "roles[0]: unknown key"}}, ErrReload},
		{"one was running: the next is ours", Reload{Seq: 5, Running: true}, []Reload{{Seq: 6, Error: "old file"}, {Seq: 7, OK: true}}, nil},
		{"no answer", Reload{Seq: 7, OK: true}, []Reload{{Seq: 7, Running: true}}, context.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			put(tt.before)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			got := make(chan error, 1)
			go func() { got <- WaitReload(ctx, path, s.PID) }()
			if h := hear(); h != "hup" {
				t.Fatalf("heard %q", h)
			}
			for _, r := range tt.after {
				select {
				case err := <-got:
					t.Fatalf("returned %v before the end", err)
				case <-time.After(30 * time.Millisecond):
				}
				put(r)
			}
			if err := <-got; !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			} else if tt.want == ErrReload && !strings.Contains(err.Error(), "unknown key") {
				t.Errorf("%v does not say why", err)
			}
		})
	}
	if err := WaitReload(t.Context(), path, os.Getpid()); err == nil || !strings.Contains(err.Error(), "belongs to process") {
		t.Errorf("another process: %v", err)
	}
	s.PIDStart++
	put(Reload{})
	if err := WaitReload(t.Context(), path, 0); !errors.Is(err, ErrNotRunning) {
		t.Errorf("stale: %v", err)
	}
	if err := WaitReload(t.Context(), path+"x", 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func seen(part string, running bool, k Kind) Seen {
	return Seen{part, running, &State{Part: part, State: k}}
}

func TestStatusCode(t *testing.T) {
	tests := []struct {
		name  string
		parts []Seen
		want  int
	}{
		{"converged", []Seen{seen("a", true, Converged), seen("b", true, Converged)}, 0},
		{"one degraded", []Seen{seen("a", true, Degraded), seen("b", true, Converged)}, 1},
		{"one waiting", []Seen{seen("a", true, Converged), seen("b", true, Waiting)}, 1},
		{"one starting", []Seen{seen("a", true, Starting)}, 1},
		{"one gone", []Seen{seen("a", false, Converged), seen("b", true, Converged)}, 3},
		{"one never there", []Seen{seen("a", true, Degraded), {Part: "b"}}, 3},
		{"none asked for", nil, 3},
	}
	for _, tt := range tests {
		if got := StatusCode(tt.parts); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestPrintStatus(t *testing.T) {
	now := fixedTime
	good := State{
		Part: "firewall", State: Converged, Status: "5/5 networks, 0 drift", PID: 17, Started: now.Add(-3 * 24 * time.Hour), Changes: 1,
		LastPass: Pass{now.Add(-4 * time.Second), "interval", 0.0023},
		Items:    []Resource{{"firewall/ipv4", "in_sync", now.Add(-4 * time.Second)}},
	}
	bad := State{
		Part: "database", State: Degraded, Status: "degraded: schema/session refused: column messages is text", PID: 18, Started: now.Add(-90 * time.Minute),
		LastPass: Pass{now.Add(-4 * time.Second), "start, nftables changed", 1.5}, Reload: Reload{Seq: 1, Error: "config.yaml:3: port: not a number"},
		Items: []Resource{{"schema/session", "refused", now.Add(-5 * time.Minute)}, {"hba", "blocked", time.Time{}}},
		Report: plan.Report{
			Refusals: []plan.Refusal{{Resource: "schema/session", Summary: "column messages is text", Remedy: "first\nsecond"}},
			Blocked:  []plan.Blocked{{Resource: "hba", By: "schema/session"}},
			Warnings: []plan.Warning{{Resource: "role/x", Summary: "documented password"}},
		},
	}
	ended := State{PID: 19, State: Converged, Status: "0 drift"}
	var b bytes.Buffer
	err := PrintStatus(&b, []Seen{{"firewall", true, &good}, {"database", true, &bad}, {"a", false, &ended}, {Part: "b"}}, now, false)
	want := `firewall  converged: 5/5 networks, 0 drift
  last pass  4s ago, 2 ms, interval
  running    3d, process 17, 1 change
  firewall/ipv4  in_sync   verified 4s ago
database  degraded: schema/session refused: column messages is text
  last pass  4s ago, 1500 ms, start, nftables changed
  running    90m, process 18, 0 changes
  reload     refused: config.yaml:3: port: not a number
  schema/session  refused   verified 5m ago
  hba             blocked   never verified
  refused  schema/session: column messages is text
           → first
             second
  blocked  hba: schema/session
  warning  role/x: documented password
a         not running (process 19 ended unexpectedly; last: 0 drift)
b         not running
`
	if err != nil || b.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, b.String(), want)
	}
	// In colour it is the same text, aligned alike, and what is well stands back.
	var c bytes.Buffer
	err = PrintStatus(&c, []Seen{{"firewall", true, &good}, {"database", true, &bad}, {"a", false, &ended}, {Part: "b"}}, now, true)
	if plain := regexp.MustCompile("\x1b\\[[0-9]*m").ReplaceAllString(c.String(), ""); err != nil || plain != want {
		t.Errorf("in colour: %v\n%s\nwant\n%s", err, plain, want)
	}
	for _, part := range []string{
		"firewall  \x1b[32mconverged: ", "database  \x1b[33mdegraded: ", "a         \x1b[31mnot running", "  \x1b[31mrefused \x1b[0m  verified 5m ago", "  firewall/ipv4  in_sync   verified",
		"  \x1b[33mwarning\x1b[0m  role/x",
	} {
		if !strings.Contains(c.String(), part) {
			t.Errorf("in colour there is no %q:\n%q", part, c.String())
		}
	}
}

func TestPrintStatusJSON(t *testing.T) {
	var b bytes.Buffer
	if err := PrintStatusJSON(&b, []Seen{seen("a", true, Degraded), {Part: "b"}}, 3, nil); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		State string
		Parts []struct {
			Part    string
			Running bool
			Last    *State
		}
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.State != "not running" || len(doc.Parts) != 2 || !doc.Parts[0].Running || doc.Parts[0].Last.State != Degraded || doc.Parts[1].Last != nil {
		t.Errorf("%s", b.String())
	}
}

func TestShareSpeaksForAll(t *testing.T) {
	m := &manager{began: fixedTime}
	both := Share(m, "database", "firewall")
	check := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
	}
	check(both[1].Ready("5/5 networks"), both[0].Status("waiting"), both[0].Watchdog(), both[0].Watchdog())
	equal(t, "one of two", m.take(), []string{"STATUS firewall: 5/5 networks", "STATUS database: waiting | firewall: 5/5 networks"})
	if len(m.pings) != 0 {
		t.Error("the watchdog was fed while one of two made no progress")
	}
	check(both[0].Ready("schema 0004"), both[1].Watchdog(), both[0].Stopping(), both[1].Stopping())
	equal(t, "both", m.take(), []string{"READY database: schema 0004 | firewall: 5/5 networks", "STOPPING"})
	if len(m.pings) != 1 {
		t.Errorf("%d pings", len(m.pings))
	}
}

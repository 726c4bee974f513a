package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The time runs while nobody is being answered, and begins anew with each answer.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool // the timer's goroutine sets it, and nothing orders that after our look before it
		i := newIdle(5*time.Minute, func() { ended.Store(true) })
		answer := i.count(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(10 * time.Minute) }))
		at := func(d time.Duration, want bool) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if ended.Load() != want {
				t.Fatalf("ended %v", !want)
			}
		}
		at(4*time.Minute, false)
		go answer.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil))
		at(9*time.Minute, false)
		go answer.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil))
		at(9*time.Minute, false)
		at(5*time.Minute, false) // it ended four minutes ago
		at(2*time.Minute, true)
	})
}

func TestIdleNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIdle(0, func() { t.Error("ended") })
		i.count(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil))
		time.Sleep(1000 * time.Hour)
		i.stop()
	})
}

// The man page explains every flag.
func TestManual(t *testing.T) {
	var help strings.Builder
	run(t.Context(), []string{"--help"}, &help, &help)
	page, flags := read(t, deploy+"man/sessiondbd-metrics.8"), 0
	for line := range strings.Lines(help.String()) {
		if name, is := strings.CutPrefix(line, "  -"); is {
			flags++
			if name = strings.Fields(name)[0]; !strings.Contains(page, "\n.BR \\-\\-"+name) {
				t.Errorf("--%s is not explained", name)
			}
		}
	}
	if flags != 3 {
		t.Errorf("%d flags:\n%s", flags, help.String())
	}
}

// What is typed wrong ends at once, with the code for that; without a socket nothing is opened.
func TestCommandLine(t *testing.T) {
	for _, tt := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"--version"}, exitOK, "sessiondbd-metrics devel", ""},
		{[]string{"--help"}, exitOK, "", "Usage: sessiondbd-metrics"},
		{[]string{"--ilde", "1m"}, exitUsage, "", "ilde"},
		{[]string{"--idle", "-1s"}, exitUsage, "", "--idle"},
		{[]string{"--config", ""}, exitUsage, "", "--config"},
		{[]string{"now"}, exitUsage, "", "no arguments"},
		{nil, exitUsage, "", "systemctl enable --now sessiondbd-metrics.socket"},
	} {
		var stdout, stderr strings.Builder
		if code := run(t.Context(), tt.args, &stdout, &stderr); code != tt.code || !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) {
			t.Errorf("%q: %d\n%s\n%s", tt.args, code, stdout.String(), stderr.String())
		}
	}
}

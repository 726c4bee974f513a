package systemd

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// listen is a service manager's end of the notify socket.
func listen(t *testing.T) *net.UnixConn {
	t.Helper()
	addr := &net.UnixAddr{Net: "unixgram", Name: filepath.Join(t.TempDir(), "notify")}
	c, err := net.ListenUnixgram("unixgram", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", addr.Name)
	return c
}

func TestNotifierSpeaksTheProtocol(t *testing.T) {
	var n Notifier
	tests := []struct {
		name string
		send func() error
		want string // a regular expression
	}{
		{"ready", func() error { return n.Ready("schema 0004, 0 drift") }, `READY=1\nSTATUS=schema 0004, 0 drift`},
		{"status", func() error { return n.Status("waiting: no server") }, `STATUS=waiting: no server`},
		{"no second assignment", func() error { return n.Status("bad\nREADY=1") }, `STATUS=bad READY=1`},
		{"reloading", n.Reloading, `RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]+\n`},
		{"stopping", n.Stopping, `STOPPING=1`},
		{"extend", func() error { return n.ExtendTimeout(90 * time.Second) }, `EXTEND_TIMEOUT_USEC=90000000`},
		{"watchdog", n.Watchdog, `WATCHDOG=1`},
	}
	conn := listen(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.send(); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 4096)
			k, err := conn.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(`^` + tt.want + `$`).Match(buf[:k]) {
				t.Errorf("heard %q, want %s", buf[:k], tt.want)
			}
		})
	}
}

func TestNotifierOutsideSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := (Notifier{}).Ready("x"); err != nil {
		t.Errorf("nobody listens, and nobody asked: %v", err)
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	if err := (Notifier{}).Ready("x"); err == nil {
		t.Error("a socket that is gone is an error")
	}
}

func TestWatchdogInterval(t *testing.T) {
	own := strconv.Itoa(os.Getpid())
	tests := []struct {
		usec, pid string
		want      time.Duration
		bad       bool
	}{
		{"", "", 0, false},
		{"30000000", "", 30 * time.Second, false},
		{"30000000", own, 30 * time.Second, false},
		{"30000000", "1", 0, false}, // meant for another process
		{"soon", own, 0, true},
	}
	for _, tt := range tests {
		t.Setenv("WATCHDOG_USEC", tt.usec)
		t.Setenv("WATCHDOG_PID", tt.pid)
		d, err := WatchdogInterval()
		if d != tt.want || (err != nil) != tt.bad {
			t.Errorf("%q %q: %v, %v", tt.usec, tt.pid, d, err)
		}
	}
}

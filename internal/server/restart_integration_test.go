//go:build integration

package server

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/postgres"
)

// While somebody is connected nobody is cut off; our own connections do not count.
func TestRestartWaitsForSessions(t *testing.T) {
	h := newHost(t)
	ours, err := h.target.ConnectMaintenance(t.Context())
	h.must(err)
	defer ours.CloseSoon()
	url := h.URLAs("other", "sessiondb")
	stranger, err := postgres.NewTarget(url, "sessiondb") // the same application_name, another user
	h.must(err)
	theirs, err := stranger.ConnectSession(t.Context())
	h.must(err)
	defer theirs.CloseSoon()

	out, did := h.converge()
	if strings.Contains(did, "restart") || len(out.Refusals) != 1 || out.Err() != nil {
		t.Fatalf("did %q: %+v %v", did, out.Report, out.Err())
	}
	if want := "listen_addresses = '*' takes effect at the next restart of PostgreSQL; 1 session is open: other in sessiondb (sessiondbd)"; out.Refusals[0].Summary != want {
		t.Errorf("%q, want %q", out.Refusals[0].Summary, want)
	}
	// One who came after the plan was made is seen, too.
	err = h.Execute(t.Context(), RequestRestart{Unit: "postgresql.service"})
	if err == nil || !strings.Contains(err.Error(), "left for later: 1 session is open") {
		t.Errorf("%v", err)
	}
	h.want.RestartNow = true
	h.oneshot(h.Restart)
	if out, did := h.converge(); did != "server/settings restart" || !out.InSync {
		t.Errorf("did %q: %+v", did, out.Report)
	}
	if h.login("sessionuser", "sessiondb", vm1) != "in" {
		t.Error("the VM is not in")
	}
}

// A request that nobody takes is taken back.
func TestRestartNotTaken(t *testing.T) {
	h := newHost(t)
	h.files.flagWait = 200 * time.Millisecond
	out, _ := h.converge()
	if err := out.Err(); !errors.Is(err, errNotTaken) || !strings.Contains(err.Error(), "run: sudo systemctl restart postgresql.service") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(h.files.Flag); !os.IsNotExist(err) {
		t.Errorf("the flag is there: %v", err)
	}
}

// A server that does not come back gets its former setting back, then another chance.
func TestRestartUndone(t *testing.T) {
	h := newHost(t)
	h.files.restartWait = time.Second
	h.oneshot(h.Stop, h.Start)
	out, did := h.converge()
	err := out.Err()
	if err == nil || !strings.Contains(err.Error(), "PostgreSQL is not back after 1s: ") ||
		!strings.Contains(err.Error(), "it runs again with its former setting, which is back in "+h.ours) {
		t.Fatalf("did %q: %v", did, err)
	}
	if got := h.read(h.ours); !strings.Contains(got, "listen_addresses = ''\n") || !strings.Contains(got, "authentication_timeout = '5s'\n") {
		t.Errorf("our file is\n%s", got)
	}
	if o := h.observe(); o.setting("listen_addresses").Value != "" || o.setting("authentication_timeout").Value != "5" {
		t.Errorf("running: %+v", o.Settings)
	}
}

// A restart that never happens, and one that is interrupted, end in an error; the interrupted one undoes nothing.
func TestRestartInterrupted(t *testing.T) {
	h := newHost(t)
	h.oneshot(func(context.Context) error { return nil })
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("told to stop"))
	defer cancel()
	undo := &Undo{Path: h.ours, Content: "# undone\n"}
	// By force: the session of newHost may take a moment to end.
	err := h.Execute(ctx, RequestRestart{Unit: "postgresql.service", Force: true, Undo: undo})
	if err == nil || !strings.Contains(err.Error(), "told to stop") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(h.ours); !os.IsNotExist(err) {
		t.Errorf("undone: %v", err)
	}
}

// What beats our file is named with its line; the remedy's command settles it.
func TestAlterSystem(t *testing.T) {
	h := newHost(t)
	h.oneshot(h.Restart)
	h.settle()
	_, err := h.PSQL(t.Context(), "postgres", "ALTER SYSTEM SET authentication_timeout = '2min'")
	h.must(err)
	_, err = h.PSQL(t.Context(), "postgres", "SELECT pg_reload_conf()")
	h.must(err)
	out, did := h.converge()
	if did != "" || len(out.Refusals) != 1 || !strings.Contains(out.Refusals[0].Summary, "postgresql.auto.conf:3, which beats") {
		t.Fatalf("did %q: %+v", did, out.Report)
	}
	_, command, _ := strings.Cut(out.Refusals[0].Remedy, "psql -c '")
	reset, _, _ := strings.Cut(command, "'")
	_, err = h.PSQL(t.Context(), "postgres", reset)
	h.must(err)
	h.settle()
}

// The settings drift in their file, in the server, or both; each is repaired in one pass.
func TestSettingsDrift(t *testing.T) {
	h := newHost(t)
	h.oneshot(h.Restart)
	h.settle()
	good := h.read(h.ours)
	for name, content := range map[string]string{
		"emptied":     "",
		"edited":      strings.Replace(good, "'5s'", "'1min'", 1),
		"broken":      strings.Replace(good, "'5s'", "'soon'", 1),
		"half of it":  good[:strings.Index(good, "authentication_timeout")],
		"not loaded":  good,
		"other order": "authentication_timeout = 5\nlisten_addresses='*'\n",
	} {
		if name == "not loaded" {
			h.write(h.ours, strings.Replace(good, "'5s'", "'1min'", 1))
			h.reload()
		}
		h.write(h.ours, content)
		h.settle()
		if o := h.observe(); o.setting("authentication_timeout").Value != "5s" || o.setting("listen_addresses").Value != "*" {
			t.Errorf("%s: %+v", name, o.Settings)
		}
	}
	h.must(os.Remove(h.ours))
	h.settle()
	if got := h.read(h.ours); got != good {
		t.Errorf("our file is %q, want %q", got, good)
	}
}

// Gateways: the address that does not exist yet keeps nothing from starting.
func TestListenGateways(t *testing.T) {
	h := newHost(t)
	h.want.Listen = ListenGateways
	h.must(h.ns.IP(t.Context(), "addr del 10.2.0.1/24 dev lo"))
	h.must(h.ns.Sysctl(t.Context(), "net.ipv4.ip_nonlocal_bind=1"))
	h.oneshot(h.Restart)
	h.settle()
	h.must(h.ns.IP(t.Context(), "addr add 10.2.0.1/24 dev lo"))
	if got := h.login("sessionuser", "sessiondb", vm2); got != "in" {
		t.Error(got)
	}
	if got := h.login("other", "postgres", outsider); !strings.Contains(got, "Connection refused") {
		t.Errorf("the outsider's address: %s", got)
	}
}

// Without the kernel's leave to bind ahead, PostgreSQL skips an address that comes later, and says so nowhere but in its log.
func TestListenGatewaysComesLater(t *testing.T) {
	h := newHost(t)
	h.want.Listen = ListenGateways
	h.must(h.ns.IP(t.Context(), "addr del 10.2.0.1/24 dev lo"))
	h.oneshot(h.Restart)
	h.settle()
	h.must(h.ns.IP(t.Context(), "addr add 10.2.0.1/24 dev lo"))
	said := func() string { return flat(Settings(h.want, h.observe())) }
	const missing = "PostgreSQL does not listen on 10.2.0.1:"
	if got := h.login("sessionuser", "sessiondb", vm2); !strings.Contains(got, "Connection refused") || !strings.Contains(said(), missing) || Admitted(h.want, h.observe()) != 1 {
		t.Errorf("not bound: login %q, %d networks, said %q", got, Admitted(h.want, h.observe()), said())
	}
	h.must(h.Restart(t.Context()))
	if got := h.login("sessionuser", "sessiondb", vm2); got != "in" || strings.Contains(said(), missing) || Admitted(h.want, h.observe()) != 2 {
		t.Errorf("bound: login %q, %d networks, said %q", got, Admitted(h.want, h.observe()), said())
	}
}

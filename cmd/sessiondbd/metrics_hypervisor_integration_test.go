//go:build integration

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// Metrics on a booted hypervisor: nothing runs or listens before somebody wants them; then the host gets them and nobody else,
// whatever PostgreSQL and the daemons do, and nothing runs when nobody asks.
func TestMetrics(t *testing.T) {
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			h := metricsHost{boot(t, lab.Options{Suite: suite}), t}
			if _, _, code := h.ask("127.0.0.1"); code == 0 {
				t.Error("somebody answers before the socket is enabled")
			}
			must(t, h.Hypervisor, "systemctl", "enable", "--now", "sessiondbd-metrics.socket")
			h.without()
			must(t, h.Hypervisor, "systemctl", "start", "sessiondbd")
			h.numbers()
			h.onlyForTheHost()
			h.counts()
			h.hangs()
			h.ends()
		})
	}
}

type metricsHost struct {
	*lab.Hypervisor
	t *testing.T
}

const metricsUnit = "sessiondbd-metrics.service"

// get is one scrape without tools: HTTP/1.0, so that the answer ends with the connection.
const get = `exec 3<>/dev/tcp/%s/19187; printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3; cat <&3`

func (h metricsHost) ask(address string) (stdout, stderr string, code int) {
	h.t.Helper()
	return run(h.t, h.Hypervisor, "timeout", "5", "bash", "-c", fmt.Sprintf(get, address))
}

// scrape answers within two seconds.
func (h metricsHost) scrape() string {
	h.t.Helper()
	out, errOut, code := h.ask("127.0.0.1")
	if code != 0 || !strings.HasPrefix(out, "HTTP/1.0 200 OK") {
		h.t.Fatalf("scrape: exit %d\n%s%s\n%s", code, out, errOut, must(h.t, h.Hypervisor, "journalctl", "-u", metricsUnit, "--no-pager"))
	}
	return out
}

func (h metricsHost) until(lines ...string) string {
	h.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		text := h.scrape()
		lacks := ""
		for _, line := range lines {
			if !strings.Contains(text, "\n"+line) {
				lacks = line
			}
		}
		if lacks == "" {
			return text
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("no %s\n%s", lacks, text)
		}
	}
}

// without: the firewall part alone is there, which PostgreSQL pulls in, and no database.
func (h metricsHost) without() {
	if state := property(h.t, h.Hypervisor, metricsUnit, "ActiveState"); state != "inactive" {
		h.t.Errorf("%s before anybody asked", state)
	}
	h.until(`sessiondbd_up{part="database"} 0`, `sessiondbd_up{part="firewall"} 1`, `sessiondbd_up{part="postgresql"} 0`, `sessiondbd_build_info{`)
}

// numbers are those of the product at work; every metric but the opponents is there.
func (h metricsHost) numbers() {
	vm := h.VMs()[1]
	if _, err := asVM(h.t, vm, documented, "INSERT INTO session (inbox_status) SELECT 'failed' FROM generate_series(1, 42)"); err != nil {
		h.t.Fatal(err)
	}
	p, err := vm.StartCommand(h.t.Context(), lab.Command{
		Argv: []string{"psql", "-XAtq", "-h", vm.Gateway, "-U", "sessionuser", "-d", "sessiondb"}, Env: []string{"PGPASSWORD=" + documented},
		Stdin: strings.NewReader("BEGIN;\nSELECT 1;\n\\! sleep 600\n"),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = p.Kill() }()
	must(h.t, h.Hypervisor, "sessiondbd", "backup")
	must(h.t, h.Hypervisor, "sessiondbd", "backup", "--verify")
	text := h.until(`sessiondbd_sessions{status="failed"} 42`, `sessiondbd_backup_sessions 42`, `sessiondbd_backup_failed 0`, `sessiondbd_backup_unfit 0`, `sessiondbd_backups_kept 1`, `sessiondbd_connections{network="vm2"} 1`, `sessiondbd_connections{network="vm1"} 0`,
		`sessiondbd_connections{network="sessiondbd"} 1`, `sessiondbd_connections_by_state{state="idle_in_transaction"} 1`,
		`sessiondbd_converged{part="database"} 1`, `sessiondbd_converged{part="firewall"} 1`, `sessiondbd_up{part="table"} 1`,
		`sessiondbd_networks_admitted{part="firewall"} 5`, `sessiondbd_networks_admitted{part="database"} 5`,
		`sessiondbd_schema_version 4`, `sessiondbd_initial_passwords 1`, `sessiondbd_changes_total{action="run",part="database",resource="migration"} 4`)
	for line := range strings.Lines(string(mustRead(h.t, deploy+"doc/metrics.md"))) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(line, "| `"), "`")
		if strings.HasPrefix(name, "sessiondbd_") && rest != "" && name != "sessiondbd_opponent_repairs_total" && !strings.Contains(text, "\n"+name) {
			h.t.Errorf("%s is documented, and not answered", name)
		}
	}
	pid := property(h.t, h.Hypervisor, metricsUnit, "MainPID")
	h.t.Logf("resident after some scrapes: metrics %s, database part %s", h.resident(pid), h.resident(property(h.t, h.Hypervisor, "sessiondbd", "MainPID")))
	if user := strings.TrimSpace(must(h.t, h.Hypervisor, "stat", "-c", "%U", "/proc/"+pid)); user != "postgres" {
		h.t.Errorf("it runs as %s", user)
	}
	if out, _, code := run(h.t, h.Hypervisor, "systemd-analyze", "security", "--no-pager", "--threshold=3", metricsUnit); code != 0 {
		h.t.Errorf("%s", lastLine(out))
	}
}

func (h metricsHost) resident(pid string) string {
	return strings.Join(strings.Fields(sh(h.t, h.Hypervisor, "grep VmRSS /proc/"+pid+"/status")), " ")
}

// onlyForTheHost: neither a VM nor the outside gets an answer, also where somebody routes 127.0.0.0/8 in.
func (h metricsHost) onlyForTheHost() {
	sh(h.t, h.Hypervisor, "sysctl -qw net.ipv4.conf.all.route_localnet=1")
	for _, from := range []*lab.Peer{h.VMs()[0], h.Outside} {
		if out, err := from.Run(h.t.Context(), "sh", "-c", "sysctl -qw net.ipv4.conf.all.route_localnet=1; ip route replace 127.0.0.2/32 via "+from.Gateway); err != nil {
			h.t.Fatalf("%v: %s", err, out)
		}
		for _, address := range []string{from.Gateway, "10.1.0.1", "127.0.0.2"} {
			if out, err := from.Run(h.t.Context(), "timeout", "2", "bash", "-c", fmt.Sprintf(get, address)); err == nil {
				h.t.Errorf("peer %d reaches the metrics at %s:\n%s", from.Number, address, out)
			}
		}
	}
}

// counts: a drift is counted once it is mended, with who did it.
func (h metricsHost) counts() {
	before := h.scrape()
	for _, line := range []string{`sessiondbd_drift_total{part="firewall",resource="firewall"} 0`, `sessiondbd_drift_total{part="database",resource="schema"} 0`} {
		if !strings.Contains(before, "\n"+line) {
			h.t.Errorf("no %s before the drift:\n%s", line, before)
		}
	}
	sh(h.t, h.Hypervisor, "nft flush ruleset; runuser -u postgres -- psql -qd sessiondb -c 'DROP INDEX idx_session_parent'; sessiondbd status >/dev/null || true")
	after := h.until(`sessiondbd_drift_total{part="database",resource="schema"} 1`, `sessiondbd_repairs_total{part="firewall"} 1`, `sessiondbd_opponent_repairs_total{part="firewall",program="nft"} 1`)
	if strings.Contains(after, `sessiondbd_drift_total{part="firewall",resource="firewall"} 0`) {
		h.t.Errorf("the flush was mended and not counted:\n%s", after)
	}
}

// hangs: whatever PostgreSQL and the daemons do, the rest is known within the time that get has.
func (h metricsHost) hangs() {
	cluster := strings.TrimSpace(sh(h.t, h.Hypervisor, "systemctl list-units --plain --no-legend 'postgresql@*' | cut -d' ' -f1"))
	must(h.t, h.Hypervisor, "systemctl", "kill", "--signal=STOP", cluster)
	h.until(`sessiondbd_up{part="postgresql"} 0`, `sessiondbd_up{part="firewall"} 1`, `sessiondbd_converged{part="firewall"} 1`)
	must(h.t, h.Hypervisor, "systemctl", "kill", "--signal=CONT", cluster)
	h.until(`sessiondbd_up{part="postgresql"} 1`, `sessiondbd_up{part="table"} 1`)
	must(h.t, h.Hypervisor, "sessiondbd", "pause")
	if text := h.until(`sessiondbd_state{part="database",state="paused"} 1`); strings.Contains(text, `sessiondbd_up{part="postgresql"}`) {
		h.t.Errorf("PostgreSQL is asked while it is maintained:\n%s", text)
	}
	must(h.t, h.Hypervisor, "sessiondbd", "resume")
	must(h.t, h.Hypervisor, "systemctl", "stop", "sessiondbd-firewall")
	h.until(`sessiondbd_up{part="firewall"} 0`, `sessiondbd_up{part="database"} 1`)
	must(h.t, h.Hypervisor, "systemctl", "start", "sessiondbd-firewall")
}

// ends: nobody asks, nothing runs; who asks then is answered again. A reload of systemd with the short time starts it anew.
func (h metricsHost) ends() {
	if err := h.WriteFile(h.t.Context(), "/etc/systemd/system/"+metricsUnit+".d/idle.conf", []byte("[Service]\nExecStart=\nExecStart=/usr/bin/sessiondbd-metrics --idle 500ms\n"), 0o644); err != nil {
		h.t.Fatal(err)
	}
	sh(h.t, h.Hypervisor, "systemctl daemon-reload; systemctl stop "+metricsUnit)
	for range 3 {
		h.scrape()
		eventually(h.t, "it ended by itself", 20*time.Second, func() bool { return property(h.t, h.Hypervisor, metricsUnit, "ActiveState") == "inactive" })
	}
	if result := property(h.t, h.Hypervisor, metricsUnit, "Result"); result != "success" {
		h.t.Errorf("it ended with %s", result)
	}
	if state := property(h.t, h.Hypervisor, "sessiondbd-metrics.socket", "ActiveState"); state != "active" {
		h.t.Errorf("the socket is %s", state)
	}
}

//go:build integration

package main

import (
	"strconv"
	"strings"
	"syscall"
	"time"

	"sessiondbd/internal/daemon"
)

// mishap is something that goes wrong on a host: a statement in the session database, or something done.
type mishap struct {
	name, sql string
	do        func(*endurance)
}

var mishaps = []mishap{
	{name: "index dropped", sql: "DROP INDEX public.idx_session_parent"},
	{name: "another index", sql: "DROP INDEX public.idx_session_inbox_status; CREATE INDEX idx_session_inbox_status ON public.session (created_at)"},
	{name: "trigger dropped", sql: "DROP TRIGGER update_session_updated_at ON public.session"},
	{name: "trigger disabled", sql: "ALTER TABLE public.session DISABLE TRIGGER update_session_updated_at"},
	{name: "function replaced", sql: "CREATE OR REPLACE FUNCTION public.update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"},
	{name: "default dropped", sql: "ALTER TABLE public.session ALTER id DROP DEFAULT"},
	{name: "not null dropped", sql: "ALTER TABLE public.session ALTER created_at DROP NOT NULL"},
	{name: "foreign key dropped", sql: "ALTER TABLE public.session DROP CONSTRAINT session_parent_fkey"},
	{name: "owner", sql: "ALTER TABLE public.session OWNER TO sessionuser"},
	{name: "superuser", sql: "ALTER ROLE sessionuser SUPERUSER"},
	{name: "connection limit", sql: "ALTER ROLE sessionuser CONNECTION LIMIT 3"},
	{name: "another password", sql: "ALTER ROLE sessionuser PASSWORD 'another'"},
	{name: "nothing granted", sql: "REVOKE ALL ON public.session FROM sessionuser"},
	{name: "too much granted", sql: "GRANT ALL ON SCHEMA sessiondbd TO sessionuser; GRANT CREATE ON SCHEMA public TO PUBLIC"},
	{name: "no connect", sql: "REVOKE CONNECT ON DATABASE sessiondb FROM sessionuser"},
	{name: "pg_hba.conf", do: func(e *endurance) {
		e.edit("pg_hba.conf", func(s string) string { return strings.ReplaceAll(s, "10.2.0.0/24", "10.3.0.0/24") })
	}},
	{name: "settings", do: func(e *endurance) { e.sh("rm " + e.path("conf.d") + "/*") }},
	{name: "flush ruleset", do: func(e *endurance) { e.sh("nft flush ruleset") }},
	{name: "chain flushed", do: func(e *endurance) { e.sh("iptables -t mangle -F SESSIONDB-GUARD") }},
	{name: "accept put before us", do: func(e *endurance) { e.sh("iptables -t mangle -I INPUT 1 -p tcp --dport 5432 -j ACCEPT") }},
	{name: "filter flushed", do: func(e *endurance) { e.sh("iptables -F; iptables -X SESSIONDB-ALLOW") }},
	{name: "IPv6 flushed", do: func(e *endurance) { e.sh("ip6tables -t mangle -F INPUT") }},
	{name: "bridge down and up", do: func(e *endurance) { e.sh("ip link set br-vm1 down; sleep 0.05; ip link set br-vm1 up") }},
	{name: "address taken and given back", do: func(e *endurance) {
		e.sh("ip addr del 10.2.0.1/24 dev br-vm2; sleep 0.05; ip addr add 10.2.0.1/24 dev br-vm2")
	}},
	{name: "PostgreSQL restarted", do: func(e *endurance) { e.must(e.Restart(e.t.Context())) }},
	{name: "PostgreSQL away", do: func(e *endurance) {
		e.must(e.Stop(e.t.Context()))
		time.Sleep(300 * time.Millisecond)
		e.must(e.Start(e.t.Context()))
	}},
	{name: "PostgreSQL crashed", do: func(e *endurance) { e.must(e.Crash(e.t.Context())); e.must(e.Start(e.t.Context())) }},
	{name: "our connection ended", do: func(e *endurance) {
		e.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sessiondbd%'")
	}},
	{name: "our connection hangs", do: func(e *endurance) {
		for _, backend := range strings.Fields(e.sql("postgres", "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'sessiondbd%'")) {
			pid, err := strconv.Atoi(backend)
			e.must(err)
			e.must(syscall.Kill(pid, syscall.SIGSTOP))
			e.prompt()
			time.Sleep(300 * time.Millisecond)
			e.must(syscall.Kill(pid, syscall.SIGCONT))
		}
	}},
	{name: "reload", do: func(e *endurance) { e.reload() }},
	{name: "reload of a bad config", do: func(e *endurance) {
		e.configure("network: []\n")
		e.reload()
		e.good()
		e.reload()
	}},
	{name: "pause", do: func(e *endurance) {
		e.want(exitOK, []string{"pause", "--for", "1m"})
		e.sql("sessiondb", "DROP INDEX public.idx_session_parent")
		e.want(exitOK, []string{"resume"})
	}},
}

// reload waits until each part has ended it.
func (e *endurance) reload() {
	e.t.Helper()
	parts := []string{"database", "firewall"}
	before := map[string]daemon.State{}
	for _, part := range parts {
		before[part], _ = e.state(part)
	}
	e.must(syscall.Kill(e.pid, syscall.SIGHUP))
	eventually(e.t, "reloaded", 30*time.Second, func() bool {
		for _, part := range parts {
			if s, _ := e.state(part); s.Reload.Seq == before[part].Reload.Seq {
				return false
			}
		}
		return true
	})
}

//go:build integration

package role

import (
	"slices"
	"strings"
	"testing"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// What a role may not lift it has not lifted, and what it may change of itself is set right again.
func TestLimitsHold(t *testing.T) {
	s := start(t, false)
	w := declared()
	w.Roles[0].Defaults = []Default{{"temp_file_limit", "128kB"}, {"statement_timeout", "400ms"}, {"idle_in_transaction_session_timeout", "1h"}}
	h := newHost(t, s.Cluster, w)
	h.converge()
	const sort = "SET work_mem = '64kB'; SELECT count(*) FROM (SELECT g FROM generate_series(1, 20000) g ORDER BY -g OFFSET 1) s"
	const none = "permission denied to set parameter"
	for text, why := range map[string]string{
		sort:                           "temporary file size exceeds temp_file_limit",
		"SELECT pg_sleep(2)":           "canceling statement due to statement timeout",
		"SET temp_file_limit = -1":     none,
		"SET sessiondbd.declared = no": "", // a setting without effect
		"ALTER ROLE sessionuser SET temp_file_limit = -1":                            none,
		"ALTER ROLE sessionuser IN DATABASE sessiondb RESET temp_file_limit":         none,
		"ALTER ROLE sessionuser IN DATABASE sessiondb RESET sessiondbd.declared":     none,
		"ALTER ROLE sessionuser IN DATABASE sessiondb SET sessiondbd.declared = 'x'": none,
		"ALTER ROLE sessionuser VALID UNTIL 'infinity' CONNECTION LIMIT -1":          "permission denied",
	} {
		if why == "" {
			s.may("sessionuser", "s3cret", text)
		} else {
			s.mayNot("sessionuser", "s3cret", text, why)
		}
	}
	// Its own wish takes away what is its own to set, and nothing else.
	s.may("sessionuser", "s3cret", "ALTER ROLE sessionuser IN DATABASE sessiondb RESET ALL; ALTER ROLE sessionuser SET statement_timeout = 0")
	h.converge()
	if want := []string{"role/sessionuser statement_timeout in all databases", "role/sessionuser statement_timeout", "role/sessionuser idle_in_transaction_session_timeout"}; !slices.Equal(want, h.fields()) {
		t.Errorf("changed %q, want %q", h.fields(), want)
	}
	// The same in other words is the same.
	s.sql("postgres", "ALTER ROLE sessionuser IN DATABASE sessiondb SET temp_file_limit = 128; ALTER ROLE sessionuser IN DATABASE sessiondb SET idle_in_transaction_session_timeout = '60min'")
	if left := h.Plan(t.Context()); len(left.Changes()) > 0 {
		t.Errorf("in other words: %v", left.Changes())
	}
	h.want.Roles[0].Defaults = nil
	h.converge()
	s.may("sessionuser", "s3cret", sort+"; SELECT pg_sleep(0.5)")
}

// A role that left the config is reported, and what the report says can be done.
func TestRoleThatLeft(t *testing.T) {
	s := start(t, false)
	w := declared()
	w.Roles = append(w.Roles, Spec{Name: `re"ad'er`, Access: ReadOnly, ConnectionLimit: 5, Password: Password{Managed: true, Enforced: "r"}})
	h := newHost(t, s.Cluster, w)
	h.converge()
	h.want.Roles = h.want.Roles[:1]
	report := h.Plan(t.Context()).Report()
	i := slices.IndexFunc(report.Warnings, func(w plan.Warning) bool { return w.Resource == `role/re"ad'er` })
	if i < 0 || !report.InSync {
		t.Fatalf("in sync %t, warnings %+v", report.InSync, report.Warnings)
	}
	s.may(`re"ad'er`, "r", "SELECT * FROM session")
	remedies := strings.Split(report.Warnings[i].Remedy, "\n")
	run := func(remedy string) {
		t.Helper()
		_, command, _ := strings.Cut(remedy, ": ")
		command = strings.Replace(command, "sudo -u postgres psql -d sessiondb", "psql -Xq -v ON_ERROR_STOP=1 -d "+shell(s.URL("sessiondb")), 1)
		if _, err := s.ns.Run(t.Context(), "sh", "-c", command); err != nil {
			t.Error(err)
		}
	}
	run(remedies[1])
	s.mayNot(`re"ad'er`, "r", "SELECT 1", "is not permitted to log in")
	if left := h.Plan(t.Context()).Report(); !strings.Contains(left.Warnings[i].Summary, "may not log in") {
		t.Errorf("locked: %+v", left.Warnings)
	}
	run(remedies[2])
	if left := h.Plan(t.Context()).Report(); slices.ContainsFunc(left.Warnings, func(w plan.Warning) bool { return w.Resource == `role/re"ad'er` }) {
		t.Errorf("kept as one of their own: %+v", left.Warnings)
	}
	s.sql("sessiondb", `CREATE TABLE kept AS SELECT 1; ALTER TABLE kept OWNER TO `+postgres.QuoteIdent(`re"ad'er`))
	run(remedies[0])
	if got := s.sql("sessiondb", "SELECT count(*), (SELECT tableowner FROM pg_tables WHERE tablename = 'kept') FROM pg_roles WHERE rolname LIKE 're%'"); got != "0|sessiondb_owner" {
		t.Errorf("dropped: %s", got)
	}
	if left := h.Plan(t.Context()).Report(); len(left.Warnings)+len(left.Changes) > 0 {
		t.Errorf("after: %+v", left)
	}
}

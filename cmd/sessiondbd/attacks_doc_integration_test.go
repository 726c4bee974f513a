//go:build integration

package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/role"
)

var tableRow = regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$`)

// section is the rows of the table in one section of security.md: the name, and what the row says of it.
func section(t *testing.T, title string) map[string][]string {
	t.Helper()
	_, text, _ := strings.Cut(readFile(t, deploy+"doc/security.md"), "\n## "+title+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	rows := map[string][]string{}
	for _, m := range tableRow.FindAllStringSubmatch(text, -1)[1:] {
		if !strings.HasPrefix(m[1], "---") {
			rows[m[1]] = m[2:]
		}
	}
	return rows
}

// What the attacks show is what administrators are told, no less and no more.
func TestSecurityDocument(t *testing.T) {
	bounded := section(t, "What cannot be refused")
	for _, a := range allAttacks() {
		row, there := bounded[a.name]
		delete(bounded, a.name)
		open := slices.ContainsFunc(lab.Majors(), func(major int) bool { return a.opens(major, standardDoors()) })
		strict := slices.ContainsFunc(lab.Majors(), func(major int) bool { return a.opens(major, []string{"always"}) })
		switch {
		case open != (a.bound != ""):
			t.Errorf("%s: succeeds behind standard is %t, what bounds it: %q", a.name, open, a.bound)
		case open != there:
			t.Errorf("%s: succeeds behind standard is %t, stands in security.md: %t", a.name, open, there)
		case open && !strings.Contains(row[1], a.bound):
			t.Errorf("%s: security.md bounds it by %q, the attack says %q", a.name, row[1], a.bound)
		case open && strings.HasPrefix(row[1], "strict") == strict:
			t.Errorf("%s: succeeds behind strict is %t, security.md: %q", a.name, strict, row[1])
		}
	}
	for name := range bounded {
		t.Errorf("security.md tells of %q, which no attack is called", name)
	}

	refused := section(t, "What is refused")
	level := func(name, want string) {
		row, there := refused[name]
		delete(refused, name)
		if !there || row[0] != want {
			t.Errorf("security.md: %s is %q, want level %s", name, row, want)
		}
	}
	for _, h := range role.Hardenings {
		if h.Strict {
			level(h.Name, "strict")
		} else {
			level(h.Name, "standard")
		}
	}
	for name := range closings {
		level(name, "standard")
	}
	for name := range refused {
		t.Errorf("security.md tells of %q, which is no protection", name)
	}
}

// Names are unique, for they are how the document refers to attacks.
func TestAttackNames(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range allAttacks() {
		if seen[a.name] {
			t.Errorf("two attacks are called %q", a.name)
		}
		seen[a.name] = true
	}
	if len(seen) < 100 {
		t.Errorf("only %d attacks", len(seen))
	}
}

// Whoever owns a VM may shut the others out by changing the password or the defaults of the role that they share: not for
// long.
func TestOwnPasswordIsPutBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{HBA: attackedHBA})
	s.configure(s.read("config.yaml") + "reconcile: {interval: 1s}\n")
	s.write("state/none-such", documentedPassword) // initial passwords are nobody's to put back
	p, err := s.ns.StartCommand(t.Context(), s.command("--log-format", "text", "run"))
	s.must(err)
	t.Cleanup(func() { _ = p.Kill() })
	served := func() bool {
		conn, err := s.login(2, "sessiondb", "")
		if err != nil {
			return false
		}
		defer func() { _ = conn.Close(t.Context()) }()
		_, err = ask(conn, "INSERT INTO session DEFAULT VALUES")
		return err == nil
	}
	eventually(t, "served", 15*time.Second, served)
	for _, sql := range []string{"ALTER ROLE sessionuser PASSWORD 'stolen'", "ALTER ROLE sessionuser SET default_transaction_read_only = on", "ALTER ROLE sessionuser SET search_path = nowhere"} {
		vm, err := s.login(1, "sessiondb", "")
		s.must(err)
		begin := time.Now()
		if _, err := ask(vm, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if served() {
			t.Errorf("%s: nobody is shut out, so nothing is proved", sql)
		}
		eventually(t, sql+" is put back", 10*time.Second, served)
		t.Logf("%s: put back after %s, the interval is 1s", sql, time.Since(begin).Round(10*time.Millisecond))
		if _, err := ask(vm, "SELECT 1"); err != nil {
			t.Errorf("%s: the open session: %v", sql, err)
		}
		s.must(vm.Close(t.Context()))
	}
}

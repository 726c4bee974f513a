//go:build integration

package main

import (
	"regexp"
	"strings"
	"testing"
)

// Whoever sits at a terminal sees how far a long command is; nobody else is told.
func TestProgress(t *testing.T) {
	t.Parallel()
	s := backupSite(t, "")
	s.sql("sessiondb", `INSERT INTO session (inbox_status, created_at, messages) SELECT 'completed', now() - interval '40 days',
		(SELECT jsonb_agg(md5((n * i)::text)) FROM generate_series(1, 20) i) FROM generate_series(1, 60000) n`)
	s.backup()
	dump := s.path("backups/" + s.backups(".dump")[0])
	on := func(term string, args ...string) string {
		t.Helper()
		c := s.command(args...)
		c.Argv = []string{"env", "TERM=" + term, "script", "-qec", strings.Join(c.Argv, " "), "/dev/null"}
		r, err := s.ns.Exec(t.Context(), c)
		if err != nil {
			t.Errorf("%v: %v", args, err)
		}
		return r.Stdout
	}
	const again = "\r\x1b[K"
	for _, tt := range []struct {
		shows string
		args  []string
	}{
		{` [kM]B written`, []string{"backup"}},
		{`\d+ % of \d+ [kM]B read`, []string{"restore", dump}},
		{`\d+ % of the table, \d+ sessions deleted`, []string{"prune", "--status", "completed", "--older-than", "720h"}},
	} {
		out := on("xterm", tt.args...)
		shown := strings.Split(out, again)
		if len(shown) < 3 || strings.Contains(shown[len(shown)-1], "%") || !regexp.MustCompile(tt.shows).MatchString(out) {
			t.Errorf("%v shows %q", tt.args, out)
		}
		for _, text := range shown[1 : len(shown)-1] {
			if strings.Contains(text, "\n") || len(text) > 79 {
				t.Errorf("%v: %q is no line", tt.args, text)
			}
		}
	}
	s.sql("sessiondb", "DELETE FROM session")
	for _, out := range []string{on("dumb", "restore", dump), s.run("restore", dump).stderr} {
		if strings.Contains(out, again) || strings.Contains(out, " read") {
			t.Errorf("it shows %q", out)
		}
	}
}

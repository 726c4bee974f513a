//go:build integration

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"sessiondbd/internal/lab"
)

// What an administrator has set against forgotten sessions of others ends no work of ours, however long that takes.
func TestServerTimeouts(t *testing.T) {
	t.Parallel()
	from := newSite(t, lab.ClusterOptions{})
	from.apply()
	from.insert()
	path := from.dumped("it.sql")
	end := "--\n-- PostgreSQL database dump complete"
	text := from.read(path)
	slow := strings.Replace(text, end, "SELECT pg_catalog.pg_sleep(0.4);\nCREATE TABLE public.more (n int, t text);\nINSERT INTO public.more SELECT n, pg_catalog.pg_sleep(0.001)::text FROM generate_series(1, 400) n;\n"+end, 1)
	if slow == text {
		t.Fatal("the dump does not end as it should")
	}
	from.must(os.WriteFile(path, []byte(slow), 0o644))
	for _, major := range []int{15, 18} {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			t.Parallel()
			bindir := lab.BindirT(t, major)
			s := newSite(t, lab.ClusterOptions{Bindir: bindir})
			backups := s.path("backups")
			s.must(os.Mkdir(backups, 0o755))
			s.own(backups)
			s.configure(s.read("config.yaml") + "backup: {directory: " + backups + "}\n")
			s.apply()
			s.insert()
			for _, name := range []string{"idle_session_timeout", "idle_in_transaction_session_timeout", "statement_timeout", "lock_timeout", "transaction_timeout"} {
				if name == "transaction_timeout" && major < 17 {
					continue
				}
				s.sql("postgres", "ALTER SYSTEM SET "+name+" = '50ms'")
			}
			s.sql("postgres", "SELECT pg_reload_conf()")
			s.want(exitOK, []string{"restore", path}, "50 sessions")
			if major == 15 { // of the others there is no pg_dump
				s.want(exitOK, []string{"backup"}, "50 sessions")
				s.want(exitOK, []string{"backup", "--verify"}, "50 sessions")
			}
			s.want(exitOK, []string{"plan"})
		})
	}
}

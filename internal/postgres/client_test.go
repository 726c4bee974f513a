package postgres

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Programs of PostgreSQL connect to where we connect to, as whom we are.
func TestClientEnv(t *testing.T) {
	for url, want := range map[string][]string{
		"host=/run/postgresql dbname=postgres user=postgres":                                            {"PGHOST=/run/postgresql", "PGPORT=5432", "PGUSER=postgres"},
		"host=a,b port=1,2 user=x password='p '' w' sslmode=disable":                                    {"PGHOST=a,b", "PGPORT=1,2", "PGUSER=x", "PGPASSWORD=p ' w", "PGSSLMODE=disable"},
		"postgres://x:p%20w@h:7/d?sslmode=require":                                                      {"PGHOST=h", "PGPORT=7", "PGUSER=x", "PGPASSWORD=p w", "PGSSLMODE=require"},
		"host = h user = 'a b' sslmode = 'prefer'  port=3":                                              {"PGHOST=h", "PGPORT=3", "PGUSER=a b", "PGSSLMODE=prefer"},
		"postgresql://x@h1:1,h2:2/d?sslmode=disable&target_session_attrs=read-write&application_name=z": {"PGHOST=h1,h2", "PGPORT=1,2", "PGUSER=x", "PGSSLMODE=disable", "PGTARGETSESSIONATTRS=read-write"},
	} {
		target, err := NewTarget(strings.ReplaceAll(url, "''", `\'`), "sessiondb")
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		var got []string
		for _, v := range target.ClientEnv("other") {
			if name, _, _ := strings.Cut(v, "="); !slices.Contains([]string{"PGDATABASE", "PGAPPNAME", "PGCONNECT_TIMEOUT", "PGOPTIONS"}, name) {
				got = append(got, v)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", url, diff)
		}
		if !slices.Contains(target.ClientEnv("other"), "PGDATABASE=other") {
			t.Errorf("%s: another database", url)
		}
	}
}

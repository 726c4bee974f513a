//go:build integration

package schema

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/plan"
)

// fixture is a database that somebody left behind. Its first line says what must become of it:
//
//	-- must be adopted: why
//	-- must be refused: RESOURCE: why
type fixture struct {
	name, sql string
	refused   string // the resource that the refusal names; empty: adopted
	bare      bool   // not on top of the oneshot's database
}

func corpus(t *testing.T) []fixture {
	t.Helper()
	files, err := filepath.Glob("../../testdata/legacy/corpus/*.sql")
	if err != nil || len(files) < 14 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	var all []fixture
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f := fixture{name: strings.TrimSuffix(filepath.Base(file), ".sql"), sql: string(text), bare: strings.Contains(string(text), "\n-- base: none\n")}
		first, _, _ := strings.Cut(f.sql, "\n")
		if rest, ok := strings.CutPrefix(first, "-- must be refused: "); ok {
			f.refused, _, _ = strings.Cut(rest, ": ")
		} else if !strings.HasPrefix(first, "-- must be adopted: ") {
			t.Fatalf("%s does not say what must become of it: %s", file, first)
		}
		all = append(all, f)
	}
	return all
}

func (f fixture) load(t *testing.T, bindir string) *lab.Cluster {
	t.Helper()
	c := lab.ClusterT(t, lab.ClusterOptions{Bindir: bindir, LegacyRows: !f.bare, Settings: map[string]string{"allow_system_table_mods": "on", "timezone": "Europe/Berlin"}})
	if f.bare {
		roles, err := os.ReadFile("../../testdata/legacy/oneshot-roles.sql")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.PSQL(t.Context(), "postgres", string(roles)); err != nil {
			t.Fatal(err)
		}
	}
	psql(t, c, f.sql)
	return c
}

// everything names each version of each row of the database: its own catalogue entries, its owner, the session table. A
// change that changes nothing shows as well.
func everything(t *testing.T, c *lab.Cluster) string {
	t.Helper()
	var parts []string
	for catalogue, key := range map[string]string{
		"pg_attribute": "attrelid", "pg_attrdef": "adrelid", "pg_constraint": "oid", "pg_index": "indexrelid", "pg_proc": "oid",
		"pg_trigger": "oid", "pg_type": "oid", "pg_enum": "oid", "pg_namespace": "oid", "pg_class": "oid", "pg_rewrite": "oid",
	} {
		parts = append(parts, fmt.Sprintf("SELECT '%s ' || md5(coalesce(string_agg(xmin || ' ' || ctid, ',' ORDER BY ctid), '')) FROM %[1]s WHERE %s >= 16384", catalogue, key))
	}
	slices.Sort(parts)
	parts = append(parts, "SELECT 'owner ' || datdba FROM pg_database WHERE datname = 'sessiondb'")
	out := psql(t, c, strings.Join(parts, " UNION ALL "))
	if strings.TrimSpace(psql(t, c, "SELECT coalesce((SELECT relkind FROM pg_class WHERE oid = to_regclass('session')) = 'r', false)")) == "t" {
		out += psql(t, c, "SELECT md5(string_agg(xmin || ' ' || ctid || session::text, ',' ORDER BY ctid)) FROM session")
	}
	return out
}

// rows are all values of all rows that stood there before, in the columns that the table had then.
func rows(t *testing.T, c *lab.Cluster, columns []string) string {
	t.Helper()
	var list []string
	for _, col := range columns {
		if col == "created_at" || col == "updated_at" {
			list = append(list, "CASE WHEN w."+col+" IS NULL THEN NULL ELSE s."+col+" END")
		} else {
			list = append(list, `s."`+col+`"`)
		}
	}
	return psql(t, c, "SELECT md5(string_agg(ROW("+strings.Join(list, ", ")+")::text, '' ORDER BY s.id)) FROM public.session s JOIN kept.session w USING (id)")
}

func TestCorpus(t *testing.T) {
	for _, f := range corpus(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.check(t, "")
		})
	}
}

func (f fixture) check(t *testing.T, bindir string) {
	c := f.load(t, bindir)
	h := newHost(t, c)
	if f.refused != "" {
		f.mustBeRefused(t, c, h)
	} else {
		f.mustBeAdopted(t, c, h)
	}
}

// The embedded catalogue means the same on every version, and so does what becomes of the corpus.
func TestEveryVersion(t *testing.T) {
	for _, major := range lab.Majors() {
		bindir := lab.BindirT(t, major)
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			c := lab.ClusterT(t, lab.ClusterOptions{Bindir: bindir})
			h := newHost(t, c)
			h.must()
			have, err := h.observe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(h.goal.Catalogue, have.Catalogue); d != "" {
				t.Errorf("the migrations make something else (-want +have):\n%s", d)
			}
			for _, f := range corpus(t) {
				// All of the corpus on one version, and on the others what touches what differs between them; `make soak` runs all.
				if os.Getenv("SESSIONDBD_SOAK") == "" && !slices.Contains([]string{"06_many_nulls", "09_renamed", "17_older_table", "14_text_status"}, f.name) {
					continue
				}
				t.Run(f.name, func(t *testing.T) {
					t.Parallel()
					f.check(t, bindir)
				})
			}
		})
	}
}

func (f fixture) mustBeRefused(t *testing.T, c *lab.Cluster, h *host) {
	before := everything(t, c)
	out := h.converge()
	i := slices.IndexFunc(out.Refusals, func(r plan.Refusal) bool { return r.Resource == f.refused })
	if i < 0 {
		t.Fatalf("%s is not refused: %+v, blocked %+v, %v", f.refused, out.Refusals, out.Blocked, out.Err())
	}
	if r := out.Refusals[i]; r.Summary == "" || r.Remedy == "" {
		t.Errorf("the refusal does not say what to do: %+v", r)
	}
	for _, change := range h.done {
		if !strings.HasSuffix(change.Field, "identity") {
			t.Errorf("changed all the same: %s", change)
		}
	}
	if after := everything(t, c); after != before {
		t.Error("the database was changed")
	}
}

func (f fixture) mustBeAdopted(t *testing.T, c *lab.Cluster, h *host) {
	var columns []string
	var before string
	if strings.TrimSpace(psql(t, c, "SELECT to_regclass('public.session') IS NOT NULL")) == "t" {
		psql(t, c, "CREATE SCHEMA kept; CREATE TABLE kept.session AS TABLE public.session")
		columns = strings.Fields(psql(t, c, "SELECT attname FROM pg_attribute WHERE attrelid = 'public.session'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"))
		before = rows(t, c, columns)
	}
	h.must()
	if columns != nil {
		if after := rows(t, c, columns); after != before {
			t.Errorf("rows changed: %s, before %s", after, before)
		}
		if n := strings.TrimSpace(psql(t, c, "SELECT count(*) - (SELECT count(*) FROM kept.session) FROM public.session")); n != "0" {
			t.Errorf("%s rows more", n)
		}
	}
	psql(t, c, "INSERT INTO session (messages, inbox_status) VALUES ('{}', 'processing')")
	if f.name == "12_extras" {
		for _, q := range []string{"SELECT count(*) = 20 FROM audit", "SELECT count(*) > 0 FROM pending", "SELECT count(tags) > 0 FROM session", "SELECT has_table_privilege('reporter', 'session', 'SELECT')"} {
			if got := strings.TrimSpace(psql(t, c, q)); got != "t" {
				t.Errorf("%s: %s", q, got)
			}
		}
	}
	if f.name == "17_older_table" {
		if n := strings.TrimSpace(psql(t, c, "SELECT count(*) FROM session JOIN kept.session w USING (id) WHERE session.updated_at <> w.created_at")); n != "0" {
			t.Errorf("%s rows were last updated at a time that nothing speaks for", n)
		}
	}
}

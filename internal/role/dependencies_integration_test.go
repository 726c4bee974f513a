//go:build integration

package role

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sessiondbd/internal/lab"
)

// What nothing explains is told in a few lines, however much of it there is, and a right that hides in it is found.
func TestWhatElseARoleHas(t *testing.T) {
	c := lab.ClusterT(t, lab.ClusterOptions{})
	w := declared()
	w.Roles[0].Password = Password{}
	h := newHost(t, c, w)
	h.converge()
	h.sql("postgres", "CREATE DATABASE other; GRANT CREATE ON DATABASE other TO sessionuser")
	h.sql("other", "CREATE TABLE theirs (); GRANT SELECT ON theirs TO sessionuser; CREATE TABLE its (); ALTER TABLE its OWNER TO sessionuser")
	h.sql("sessiondb", others+`; CREATE POLICY own ON "their s".t TO sessionuser; GRANT CREATE ON SCHEMA "their s" TO sessionuser;
		SET ROLE sessionuser; SELECT count(lo_create(n)) FROM generate_series(20001, 31000) n; CREATE TABLE "their s".mine (id int);
		RESET ROLE; GRANT INSERT ON "their s".t TO sessionuser`)
	h.converge()
	want := []string{`grants/sessionuser CREATE on schema "their s"`, `grants/sessionuser INSERT on "their s".t`}
	fields := h.fields()
	slices.Sort(fields)
	if d := cmp.Diff(want, fields); d != "" {
		t.Errorf("changes: -want +got:\n%s", d)
	}
	var said []string
	for _, r := range h.Plan(t.Context()).Report().Warnings {
		if r.Resource == "grants/sessionuser" {
			said = append(said, r.Summary)
		}
	}
	slices.Sort(said)
	said[2] = regexp.MustCompile(`(large object \d+, ){3}`).ReplaceAllString(strings.Replace(said[2], " and ", ", and ", 1), "…, ")
	if d := cmp.Diff([]string{
		"in database other it owns or may use 2 objects, which cannot be looked at from here",
		"it has rights on another database: database other",
		"it owns besides what is ours: …, and 9996 more, and more",
		`policies of row security name it: policy own on "their s".t`,
	}, said); d != "" {
		t.Errorf("warnings: -want +got:\n%s", d)
	}
	h.sql("sessiondb", `TABLE "their s".mine; SELECT 1 / count(*) FROM pg_largeobject_metadata WHERE lomowner = 'sessionuser'::regrole`)
}

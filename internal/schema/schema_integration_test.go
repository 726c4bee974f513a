//go:build integration

package schema

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sessiondbd/internal/lab"
)

var update = flag.Bool("update", false, "write migrations/catalogue.json anew")

// The embedded catalogue is what the migrations make, no more and no less.
func TestCatalogueIsWhatTheMigrationsMake(t *testing.T) {
	c := lab.ClusterT(t, lab.ClusterOptions{})
	h := newHost(t, c)
	if *update {
		h.goal.Catalogue = Catalogue{Enums: []Enum{{Name: "inbox_status_enum"}}, Tables: []Table{{Name: "session"}}, Functions: []Function{{Name: "update_updated_at_column()"}}}
	}
	h.converge()
	have, err := h.observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		data, err := json.MarshalIndent(have.Catalogue, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("../../migrations/catalogue.json", append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(h.goal.Catalogue, have.Catalogue); d != "" {
		t.Errorf("migrations/catalogue.json differs from what the migrations make (-want +have); write it anew with -update:\n%s", d)
	}
	for _, m := range h.goal.Migrations {
		for _, object := range m.Creates {
			if !have.Catalogue.Has(object) {
				t.Errorf("%s says that it creates %q, and does not", m.ID(), object)
			}
		}
	}
}

func TestEmptyServer(t *testing.T) {
	c := lab.ClusterT(t, lab.ClusterOptions{})
	h := newHost(t, c)
	h.must()
	if got := psql(t, c, "SELECT string_agg(number || ' ' || adopted, ',' ORDER BY number) FROM sessiondbd.migrations"); strings.TrimSpace(got) != "1 false,2 false,3 false,4 false" {
		t.Errorf("history: %s", got)
	}
	psql(t, c, "INSERT INTO session (messages, inbox_status) VALUES ('{}', 'pending')")
	if got := h.converge(); len(h.done) != 0 || !got.InSync {
		t.Errorf("a second pass did %v", h.done)
	}
}

// rowHash covers every value of every row, timestamps that were NULL left out.
const rowHash = `SELECT md5(string_agg(md5(concat_ws('|', id, messages, inbox_status, sbx_config, parent,
	CASE WHEN was.c THEN '' ELSE created_at::text END, CASE WHEN was.u THEN '' ELSE updated_at::text END)), '' ORDER BY id))
	FROM session JOIN (SELECT id AS wid, created_at IS NULL AS c, updated_at IS NULL AS u FROM before_adoption) was ON wid = id`

func TestAdoptsWhatTheOneshotLeft(t *testing.T) {
	c := lab.ClusterT(t, lab.ClusterOptions{LegacyRows: true})
	h := newHost(t, c)
	psql(t, c, "CREATE TABLE before_adoption AS TABLE session")
	before := psql(t, c, rowHash)
	h.must()
	if after := psql(t, c, rowHash); after != before {
		t.Errorf("rows changed: %s, before %s", after, before)
	}
	if got := strings.TrimSpace(psql(t, c, "SELECT count(*) FROM session WHERE created_at IS NULL OR updated_at IS NULL")); got != "0" {
		t.Errorf("%s rows have no timestamp", got)
	}
	if got := strings.TrimSpace(psql(t, c, "SELECT count(*) FROM session s JOIN before_adoption b USING (id) WHERE s.created_at <> b.updated_at AND b.created_at IS NULL AND b.updated_at IS NOT NULL")); got != "0" {
		t.Errorf("%s rows ignored the evidence of their other timestamp", got)
	}
	if got := strings.TrimSpace(psql(t, c, "SELECT bool_and(adopted) FROM sessiondbd.migrations")); got != "t" {
		t.Errorf("history: adopted %s", got)
	}
}

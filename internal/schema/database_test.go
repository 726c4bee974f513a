package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

func TestDiffDatabase(t *testing.T) {
	old := &Identity{Cluster: "7", Database: "sessiondb", OID: "16384"}
	for _, tt := range []struct {
		name   string
		have   func(*Observation)
		accept bool
		want   []string
	}{
		{"as remembered", func(*Observation) {}, false, nil},
		{"absent, never seen", func(o *Observation) { o.Databases, o.Remembered = nil, nil }, false, []string{
			"create database/sessiondb database:  -> UTF8, owner sessiondb_owner", "create database/sessiondb identity:  -> remembered",
		}},
		{"absent, remembered", func(o *Observation) { o.Databases, o.Remembered = nil, old }, false, []string{
			"refuse database/sessiondb: database sessiondb, provisioned on 0001-01-01, is gone",
		}},
		{"absent, remembered, accepted", func(o *Observation) { o.Databases = nil }, true, []string{
			"create database/sessiondb database:  -> UTF8, owner sessiondb_owner", "create database/sessiondb identity:  -> remembered",
		}},
		{"absent in another cluster", func(o *Observation) { o.Databases, o.Cluster[0].SystemIdentifier = nil, "8" }, false, []string{
			"refuse database/sessiondb: this is another cluster (8) than the one that held database sessiondb since 0001-01-01 (7); was PostgreSQL upgraded or initialised anew?",
		}},
		{"another one under the name", func(o *Observation) { o.Databases[0].OID = "99" }, false, []string{
			"refuse database/sessiondb: database sessiondb is not the one that was provisioned on 0001-01-01: have cluster 7, OID 99, remembered cluster 7, OID 16384",
		}},
		{"another one, accepted", func(o *Observation) { o.Databases[0].OID = "99" }, true, []string{
			"update database/sessiondb identity: cluster 7, OID 16384 -> cluster 7, OID 99",
		}},
		{"there, never seen", func(o *Observation) { o.Remembered = nil }, false, []string{
			"create database/sessiondb identity:  -> cluster 7, OID 16384",
		}},
		{"damaged memory", func(o *Observation) { o.Remembered, o.Damaged = nil, "F is cut off" }, false, []string{
			"refuse database/sessiondb: F is cut off; whether database sessiondb is the one that was provisioned is not known",
		}},
		{"damaged memory, accepted", func(o *Observation) { o.Remembered, o.Damaged = nil, "F is cut off" }, true, []string{
			"create database/sessiondb identity:  -> cluster 7, OID 16384",
		}},
		{"the memory is of a database of another name", func(o *Observation) {
			o.Databases, o.Remembered = nil, &Identity{Cluster: "7", Database: "other", OID: "5"}
		}, false, []string{
			"create database/sessiondb database:  -> UTF8, owner sessiondb_owner", "create database/sessiondb identity:  -> remembered",
		}},
		{"in the hands of the login role", func(o *Observation) { o.Databases[0].Owner = "sessionuser" }, false, []string{
			"update database/sessiondb owner: sessionuser -> sessiondb_owner",
		}},
		{"in somebody else's hands", func(o *Observation) { o.Databases[0].Owner, o.Applied = "bob", nil }, false, []string{
			"refuse database/sessiondb: database sessiondb belongs to bob, who is neither an administrator nor a role of the config, and nothing in it was made by sessiondbd: it may be somebody else's",
			"update database/sessiondb owner: bob -> sessiondb_owner",
		}},
		{"in an administrator's hands, before the first pass", func(o *Observation) {
			o.Databases[0].Owner, o.Databases[0].Administrator, o.Applied = "dba", true, nil
		}, false, []string{"update database/sessiondb owner: dba -> sessiondb_owner"}},
		{"ours, and given away", func(o *Observation) { o.Databases[0].Owner = "bob" }, false, []string{
			"update database/sessiondb owner: bob -> sessiondb_owner",
		}},
		{"another encoding", func(o *Observation) { o.Databases[0].Encoding = "LATIN1" }, false, []string{
			"warn database/sessiondb: database sessiondb is encoded in LATIN1: JSON with other characters is rejected",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			have, g := converged(t), goal(t)
			g.AcceptNew = tt.accept
			tt.have(&have)
			if d := cmp.Diff(tt.want, lines([]plan.Resource{DiffDatabase(g, have), DiffOwner(g, have)})); d != "" {
				t.Errorf("(-want +have):\n%s", strings.ReplaceAll(d, "\u00a0", " "))
			}
		})
	}
}

// No step of the comparison takes a lock for long: what scans or builds runs beside writers.
func TestStepsLetWritersThrough(t *testing.T) {
	have := converged(t)
	have.Catalogue.Indexes = nil
	have.Catalogue.Constraints = without(have.Catalogue.Constraints, "session_parent_fkey", Constraint.id)
	for _, r := range DiffObjects(goal(t), have) {
		for _, c := range r.Changes {
			s := c.Step.(postgres.SQL)
			for _, text := range s.Statements {
				if strings.HasPrefix(text, "CREATE INDEX") && (!strings.HasPrefix(text, "CREATE INDEX CONCURRENTLY") || !s.Alone) {
					t.Errorf("an index is built against writers: %s", text)
				}
				if strings.Contains(text, "ADD CONSTRAINT") && !strings.HasSuffix(text, "NOT VALID") {
					t.Errorf("a constraint is validated under an exclusive lock: %s", text)
				}
			}
		}
	}
}

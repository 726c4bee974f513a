package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

func goal(t testing.TB) Goal {
	t.Helper()
	e, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return Goal{Expected: e, Database: "sessiondb", Owner: "sessiondb_owner"}
}

// converged is what a host looks like on which everything is as it should be.
func converged(t testing.TB) Observation {
	t.Helper()
	g := goal(t)
	o := Observation{
		Cluster:    []Cluster{{SystemIdentifier: "7"}},
		Databases:  []Database{{OID: "16384", Owner: g.Owner, Encoding: "UTF8"}},
		History:    []historyAt{{Table: true, Owner: g.Owner}},
		Remembered: &Identity{Cluster: "7", Database: "sessiondb", OID: "16384"},
	}
	for _, m := range g.Migrations {
		o.Applied = append(o.Applied, Applied{m.Number, m.Name, m.SHA256, false, m.Minimum})
	}
	data, err := json.Marshal(g.Catalogue) // a deep copy
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &o.Catalogue); err != nil {
		t.Fatal(err)
	}
	return o
}

// lines are a plan as a test reads it.
func lines(list []plan.Resource) []string {
	var all []string
	for _, r := range list {
		for _, c := range r.Changes {
			all = append(all, fmt.Sprintf("%s %s %s: %s -> %s", c.Action, c.Resource, c.Field, short(c.Have), short(c.Want)))
		}
		for _, f := range r.Refusals {
			all = append(all, "refuse "+f.Resource+": "+f.Summary)
		}
		for _, f := range r.Warnings {
			all = append(all, "warn "+f.Resource+": "+f.Summary)
		}
	}
	return all
}

func short(s string) string {
	if r := []rune(s); len(r) > 30 {
		return string(r[:30]) + "…"
	}
	return s
}

func column(o *Observation, name string) *Column { return find(o.Catalogue.Columns, name, Column.id) }

func index(o *Observation, name string) *Index { return find(o.Catalogue.Indexes, name, Index.id) }

func without[T any](list []T, name string, id func(T) string) []T {
	return slices.DeleteFunc(list, func(e T) bool { return id(e) == name })
}

// Every row that differs has a twin that comes as close as it can without differing.
func TestDiff(t *testing.T) {
	for _, tt := range []struct {
		name string
		have func(*Observation)
		want []string
		twin func(*Observation)
	}{
		{
			name: "an owner", have: func(o *Observation) { o.Catalogue.Tables[0].Owner = "postgres" },
			want: []string{"update schema/session owner: postgres -> sessiondb_owner"},
			twin: func(o *Observation) { o.Catalogue.Tables[0].Owner = "sessiondb_owner" },
		},
		{
			name: "the diary's owner", have: func(o *Observation) { o.History[0].Owner = "sessionuser" },
			want: []string{"update schema/sessiondbd.migrations owner: sessionuser -> sessiondb_owner"},
			twin: func(o *Observation) { o.Applied[0].Adopted = true },
		},
		{
			name: "a default", have: func(o *Observation) { column(o, "created_at").Default = "clock_timestamp()" },
			want: []string{"update schema/session.created_at default: clock_timestamp() -> CURRENT_TIMESTAMP"},
			twin: func(o *Observation) { column(o, "created_at").Default = "now()" },
		},
		{
			name: "a default where none is documented", have: func(o *Observation) { column(o, "messages").Default = "'{}'::jsonb" },
			want: []string{"delete schema/session.messages default: '{}'::jsonb -> "},
			twin: func(o *Observation) { column(o, "messages").Default = "" },
		},
		{
			name: "a nullable timestamp with NULLs", have: func(o *Observation) {
				column(o, "updated_at").NotNull = false
				o.Nulls = []nulls{{CreatedAt: 5, UpdatedAt: 3}}
			},
			want: []string{
				"create schema/session.updated_at check:  -> CHECK (updated_at IS NOT NULL)…",
				"update schema/session.updated_at rows: 3 NULL -> filled",
				"run schema/session.updated_at validation: NOT VALID -> valid",
				"update schema/session.updated_at nullability: NULL -> NOT NULL",
				"delete schema/session.updated_at check: CHECK (updated_at IS NOT NULL) -> ",
			},
			twin: func(o *Observation) { o.Nulls = []nulls{{}} },
		},
		{
			name: "a repair of NULLs that was killed after validating", have: func(o *Observation) {
				column(o, "updated_at").NotNull = false
				o.Nulls = []nulls{{}}
				o.Catalogue.Constraints = append(o.Catalogue.Constraints, Constraint{"sessiondbd_updated_at_not_null", "CHECK ((updated_at IS NOT NULL))", true})
			},
			want: []string{
				"update schema/session.updated_at nullability: NULL -> NOT NULL",
				"delete schema/session.updated_at check: CHECK (updated_at IS NOT NULL) -> ",
			},
			twin: func(*Observation) {},
		},
		{
			name: "a repair of NULLs that was killed before its last step", have: func(o *Observation) {
				o.Catalogue.Constraints = append(o.Catalogue.Constraints, Constraint{"sessiondbd_updated_at_not_null", "CHECK ((updated_at IS NOT NULL))", true})
			},
			want: []string{"delete schema/session.updated_at check: CHECK ((updated_at IS NOT NULL… -> "},
			twin: func(*Observation) {},
		},
		{
			name: "a column that is NOT NULL and should not be", have: func(o *Observation) { column(o, "messages").NotNull = true },
			want: []string{"update schema/session.messages nullability: NOT NULL -> NULL"},
			twin: func(o *Observation) { column(o, "messages").NotNull = false },
		},
		{
			name: "a missing column", have: func(o *Observation) { o.Catalogue.Columns = without(o.Catalogue.Columns, "sbx_config", Column.id) },
			want: []string{"create schema/session.sbx_config column:  -> jsonb"},
			twin: func(o *Observation) { slices.Reverse(o.Catalogue.Columns) },
		},
		{
			name: "a type", have: func(o *Observation) { column(o, "created_at").Type = "timestamp without time zone" },
			want: []string{"refuse schema/session.created_at: column created_at has type timestamp without time zone, documented is timestamp with time zone; changing it can rewrite the table and change meaning"},
			twin: func(o *Observation) { column(o, "created_at").Type = "timestamp with time zone" },
		},
		{
			name: "a column more", have: func(o *Observation) {
				o.Catalogue.Columns = append(o.Catalogue.Columns, Column{Name: "tags", Type: "text[]"})
			},
			want: []string{"warn schema/session.tags: a column that is not ours: tags text[]"},
			twin: func(*Observation) {},
		},
		{
			name: "a missing index", have: func(o *Observation) {
				o.Catalogue.Indexes = without(o.Catalogue.Indexes, "idx_session_parent", Index.id)
			},
			want: []string{"create schema/idx_session_parent index:  -> CREATE INDEX idx_session_paren…"},
			twin: func(o *Observation) { slices.Reverse(o.Catalogue.Indexes) },
		},
		{
			name: "an invalid index", have: func(o *Observation) { index(o, "idx_session_parent").Valid = false },
			want: []string{
				"delete schema/idx_session_parent validity: invalid -> ",
				"create schema/idx_session_parent index:  -> CREATE INDEX idx_session_paren…",
			},
			twin: func(o *Observation) { index(o, "idx_session_parent").Valid = true },
		},
		{
			name: "an index of another column under our name", have: func(o *Observation) {
				i := index(o, "idx_session_parent")
				i.Definition = strings.Replace(i.Definition, "(parent)", "(id)", 1)
			},
			want: []string{
				"delete schema/idx_session_parent definition: CREATE INDEX idx_session_paren… -> ",
				"create schema/idx_session_parent index:  -> CREATE INDEX idx_session_paren…",
			},
			twin: func(*Observation) {},
		},
		{
			name: "an index under another name", have: func(o *Observation) {
				i := index(o, "idx_session_parent")
				i.Name, i.Definition = "session_parent_idx", strings.Replace(i.Definition, i.Name, "session_parent_idx", 1)
			},
			want: []string{"update schema/idx_session_parent name: session_parent_idx -> idx_session_parent"},
			twin: func(*Observation) {},
		},
		{
			name: "an index more", have: func(o *Observation) {
				o.Catalogue.Indexes = append(o.Catalogue.Indexes, Index{"by_time", "CREATE INDEX by_time ON public.session USING btree (created_at)", true, false, false})
			},
			want: []string{"warn schema/by_time: an index that is not ours: CREATE INDEX by_time ON public.session USING btree (created_at)"},
			twin: func(o *Observation) {
				o.Catalogue.Indexes = append(o.Catalogue.Indexes, Index{"u", "CREATE UNIQUE INDEX u ON public.session USING btree (id)", true, true, false})
			},
		},
		{
			name: "a foreign key that was not validated", have: func(o *Observation) {
				c := find(o.Catalogue.Constraints, "session_parent_fkey", Constraint.id)
				c.Validated, c.Definition = false, c.Definition+" NOT VALID"
			},
			want: []string{"run schema/session_parent_fkey validation: NOT VALID -> valid"},
			twin: func(*Observation) {},
		},
		{
			name: "no foreign key", have: func(o *Observation) {
				o.Catalogue.Constraints = without(o.Catalogue.Constraints, "session_parent_fkey", Constraint.id)
			},
			want: []string{
				"create schema/session_parent_fkey constraint:  -> FOREIGN KEY (parent) REFERENCE…",
				"run schema/session_parent_fkey validation: NOT VALID -> valid",
			},
			twin: func(o *Observation) { slices.Reverse(o.Catalogue.Constraints) },
		},
		{
			name: "a foreign key that cascades", have: func(o *Observation) {
				find(o.Catalogue.Constraints, "session_parent_fkey", Constraint.id).Definition += " ON DELETE CASCADE"
			},
			want: []string{"refuse schema/session_parent_fkey: constraint session_parent_fkey is FOREIGN KEY (parent) REFERENCES public.session(id) ON DELETE CASCADE, documented is FOREIGN KEY (parent) REFERENCES public.session(id)"},
			twin: func(*Observation) {},
		},
		{
			name: "a constraint under another name", have: func(o *Observation) {
				find(o.Catalogue.Constraints, "session_parent_fkey", Constraint.id).Name = "fk"
			},
			want: []string{"update schema/session_parent_fkey name: fk -> session_parent_fkey"},
			twin: func(*Observation) {},
		},
		{
			name: "no primary key", have: func(o *Observation) {
				o.Catalogue.Constraints = without(o.Catalogue.Constraints, "session_pkey", Constraint.id)
			},
			want: []string{"refuse schema/session_pkey: the table has no PRIMARY KEY (id)"},
			twin: func(*Observation) {},
		},
		{
			name: "a missing trigger", have: func(o *Observation) { o.Catalogue.Triggers = nil },
			want: []string{"create schema/update_session_updated_at trigger:  -> CREATE TRIGGER update_session_…"},
			twin: func(*Observation) {},
		},
		{
			name: "a disabled trigger", have: func(o *Observation) { o.Catalogue.Triggers[0].Enabled = "D" },
			want: []string{"update schema/update_session_updated_at enabled: no -> yes"},
			twin: func(o *Observation) { o.Catalogue.Triggers[0].Enabled = "O" },
		},
		{
			name: "a trigger more", have: func(o *Observation) {
				o.Catalogue.Triggers = append(o.Catalogue.Triggers, Trigger{"audit", "CREATE TRIGGER audit …", "O"})
			},
			want: []string{"warn schema/audit: a trigger that is not ours: CREATE TRIGGER audit …"},
			twin: func(*Observation) {},
		},
		{
			name: "a missing function", have: func(o *Observation) { o.Catalogue.Functions = nil },
			want: []string{"create schema/update_updated_at_column() function:  -> as in the catalogue"},
			twin: func(*Observation) {},
		},
		{
			name: "another body", have: func(o *Observation) {
				f := &o.Catalogue.Functions[0]
				f.Definition = strings.Replace(f.Definition, "CURRENT_TIMESTAMP", "OLD.updated_at", 1)
			},
			want: []string{"update schema/update_updated_at_column() definition: CREATE OR REPLACE FUNCTION pub… -> CREATE OR REPLACE FUNCTION pub…"},
			twin: func(*Observation) {},
		},
		{
			name: "a missing label", have: func(o *Observation) { o.Catalogue.Enums[0].Labels = []string{"pending", "completed", "failed"} },
			want: []string{"create schema/inbox_status_enum label:  -> processing"},
			twin: func(*Observation) {},
		},
		{
			name: "a label more", have: func(o *Observation) {
				o.Catalogue.Enums[0].Labels = append(o.Catalogue.Enums[0].Labels, "archived")
			},
			want: []string{"warn schema/inbox_status_enum: labels that are not ours: archived"},
			twin: func(*Observation) {},
		},
		{
			name: "labels in another order", have: func(o *Observation) { slices.Reverse(o.Catalogue.Enums[0].Labels) },
			want: []string{"warn schema/inbox_status_enum: the labels sort as failed, completed, processing, pending, documented is pending, processing, completed, failed"},
			twin: func(*Observation) {},
		},
		{
			name: "a view in the table's place", have: func(o *Observation) { o.Catalogue.Tables[0].Kind = "v" },
			want: []string{`refuse schema/session: public.session is not an ordinary table (relkind "v")`},
			twin: func(*Observation) {},
		},
		{
			name: "an unlogged table with row security", have: func(o *Observation) {
				o.Catalogue.Tables[0].Persistence, o.Catalogue.Tables[0].RowSecurity = "u", true
			},
			want: []string{
				"warn schema/session: the table is UNLOGGED: a crash of the server empties it",
				"warn schema/session: row security is on: the VMs see only what policies let them",
			},
			twin: func(*Observation) {},
		},
		{
			name: "the table gone, the history there", have: func(o *Observation) { o.Catalogue = Catalogue{Enums: o.Catalogue.Enums} },
			want: []string{"refuse schema/session: table public.session is gone, though the history says that it was made: an accident, not a to-do"},
			twin: func(*Observation) {},
		},
		{
			name: "an edited migration", have: func(o *Observation) { o.Applied[1].SHA256 = "0123456789abcdef" },
			want: []string{"refuse migration/0002_session_table: the migration was edited after it was applied: have SHA-256 0123456789ab, want " + goalSHA(t, 1)},
			twin: func(*Observation) {},
		},
		{
			name: "a gap", have: func(o *Observation) { o.Applied = slices.Delete(o.Applied, 1, 2) },
			want: []string{
				"refuse migration/0002_session_table: the history holds 0003_session_indexes where this binary has 0002_session_table: it is not this product's, or rows are missing",
				"refuse migration/0003_session_indexes: the history holds 0004_session_updated_at where this binary has 0003_session_indexes: it is not this product's, or rows are missing",
				"create migration/0004_session_updated_at history:  -> adopted",
			},
			twin: func(*Observation) {},
		},
		{
			name: "a newer database", have: func(o *Observation) { o.Applied = append(o.Applied, Applied{5, "later", "x", false, 5}) },
			want: []string{"refuse migration/0005_later: the database is newer than this binary, which knows migrations up to 0004; what serves it must know 0005"},
			twin: func(*Observation) {},
		},
		{
			name: "a newer database that this binary still serves, whatever its schema is", have: func(o *Observation) {
				o.Applied = append(o.Applied, Applied{5, "later", "x", false, 4})
				o.Catalogue.Triggers, column(o, "messages").Type = nil, "text"
			},
			want: []string{"warn migration/0005_later: the database is newer than this binary, which knows migrations up to 0004 and still serves it: access and firewall are kept, the schema is left alone"},
			twin: func(*Observation) {},
		},
		{
			name: "what a REINDEX CONCURRENTLY left", have: func(o *Observation) {
				o.Catalogue.Indexes = append(o.Catalogue.Indexes, Index{Name: "idx_session_parent_ccnew1", Definition: "CREATE INDEX idx_session_parent_ccnew1 ON public.session USING btree (parent)"})
			},
			want: []string{"delete schema/idx_session_parent_ccnew1 validity: invalid -> "},
			twin: func(*Observation) {},
		},
		{
			name: "an index that somebody is building", have: func(o *Observation) {
				index(o, "idx_session_parent").Valid, index(o, "idx_session_parent").Building = false, true
			},
			want: []string{"warn schema/idx_session_parent: somebody is building it at this moment"},
			twin: func(*Observation) {},
		},
		{
			name: "a nullable timestamp on PostgreSQL 18", have: func(o *Observation) {
				o.Cluster[0].Version = 180004
				column(o, "created_at").NotNull = false
				o.Nulls = []nulls{{CreatedAt: 2}}
			},
			want: []string{
				"create schema/session.created_at nullability: NULL -> NOT NULL created_at NOT VALID",
				"update schema/session.created_at rows: 2 NULL -> filled",
				"run schema/session.created_at validation: NOT VALID -> valid",
			},
			twin: func(o *Observation) { o.Cluster[0].Version = 180004 },
		},
		{
			name: "the same, killed in the middle", have: func(o *Observation) {
				o.Cluster[0].Version = 180004
				column(o, "created_at").NotNull = false
				o.Nulls = []nulls{{}}
				o.Catalogue.Constraints = append(o.Catalogue.Constraints, Constraint{"session_created_at_not_null", "NOT NULL created_at NOT VALID", false})
			},
			want: []string{"run schema/session.created_at validation: NOT VALID -> valid"},
			twin: func(*Observation) {},
		},
		{
			name: "a lost history", have: func(o *Observation) { o.History[0].Table, o.Applied = false, nil },
			want: []string{
				"create schema/sessiondbd.migrations table:  -> sessiondbd.migrations",
				"create migration/0001_inbox_status_enum history:  -> adopted",
				"create migration/0002_session_table history:  -> adopted",
				"create migration/0003_session_indexes history:  -> adopted",
				"create migration/0004_session_updated_at history:  -> adopted",
			},
			twin: func(*Observation) {},
		},
		{
			name: "nothing at all", have: func(o *Observation) { *o = Observation{Cluster: o.Cluster} },
			want: []string{
				"create schema/sessiondbd.migrations table:  -> sessiondbd.migrations",
				"run migration/0001_inbox_status_enum migration:  -> type inbox_status_enum",
				"run migration/0002_session_table migration:  -> table session",
				"run migration/0003_session_indexes migration:  -> index idx_session_parent, inde…",
				"run migration/0004_session_updated_at migration:  -> function update_updated_at_col…",
			},
			twin: func(*Observation) {},
		},
		{
			name: "only the enum, of a script that stopped", have: func(o *Observation) {
				*o = Observation{Cluster: o.Cluster, Databases: o.Databases, History: []historyAt{{}}, Catalogue: Catalogue{Enums: o.Catalogue.Enums}}
			},
			want: []string{
				"create schema/sessiondbd.migrations table:  -> sessiondbd.migrations",
				"create migration/0001_inbox_status_enum history:  -> adopted",
				"run migration/0002_session_table migration:  -> table session",
				"run migration/0003_session_indexes migration:  -> index idx_session_parent, inde…",
				"run migration/0004_session_updated_at migration:  -> function update_updated_at_col…",
			},
			twin: func(*Observation) {},
		},
		{
			name: "an adoption that must be refused changes nothing", have: func(o *Observation) {
				o.History[0].Table, o.Applied = false, nil
				column(o, "inbox_status").Type = "text"
				o.Catalogue.Triggers = nil
			},
			want: []string{"refuse schema/session.inbox_status: column inbox_status has type text, documented is public.inbox_status_enum; changing it can rewrite the table and change meaning"},
			twin: func(*Observation) {},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			have := converged(t)
			tt.have(&have)
			if d := cmp.Diff(tt.want, lines(Diff(goal(t), have))); d != "" {
				t.Errorf("(-want +have):\n%s", d)
			}
			twin := converged(t)
			tt.twin(&twin)
			if got := lines(Diff(goal(t), twin)); len(got) != 0 {
				t.Errorf("the twin differs: %q", got)
			}
		})
	}
}

func goalSHA(t *testing.T, i int) string { return goal(t).Migrations[i].SHA256[:12] }

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

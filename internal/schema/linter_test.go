package schema

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sessiondbd/internal/postgres"
)

// A statement of ours must be safe on a table that is in use: short locks or none, nothing left to search_path.

var (
	created  = regexp.MustCompile(`(?i)\b(?:TABLE|INDEX|TYPE|FUNCTION|TRIGGER|SCHEMA)\s+(?:IF NOT EXISTS\s+|CONCURRENTLY\s+)*([a-z_."()]+)`)
	named    = regexp.MustCompile(`(?i)\b(?:FROM ONLY|FROM|JOIN|INTO|UPDATE ONLY|UPDATE|REFERENCES|ON|ALTER TABLE|ALTER TYPE|ALTER FUNCTION|EXECUTE FUNCTION)\s+([a-z_][a-z_.]*)`)
	comments = regexp.MustCompile(`(?m)--.*$`)
	bodies   = regexp.MustCompile(`(?s)\$function\$.*?\$function\$`)
)

// lint says what is wrong with the statements of one transaction, or one statement that runs alone.
func lint(s postgres.SQL, newTables []string) []string {
	var wrong []string
	text := bodies.ReplaceAllString(comments.ReplaceAllString(strings.Join(s.Statements, ";\n"), ""), "''")
	upper := strings.ToUpper(text)
	for _, m := range named.FindAllStringSubmatch(text, -1) {
		name := m[1]
		if !strings.Contains(name, ".") && !slices.Contains([]string{"UPDATE", "DELETE", "ON", "public", "ONLY"}, name) {
			wrong = append(wrong, "unqualified name "+name)
		}
	}
	concurrent := strings.Contains(upper, "CONCURRENTLY")
	if concurrent && (!s.Alone || len(s.Statements) != 1) {
		wrong = append(wrong, "CONCURRENTLY inside a transaction")
	}
	if strings.Contains(upper, "CREATE INDEX") && !concurrent && !slices.Contains(newTables, "session") {
		wrong = append(wrong, "an index that is built against writers")
	}
	if regexp.MustCompile(`ADD CONSTRAINT [^;]*(FOREIGN KEY|CHECK|NOT NULL)`).MatchString(upper) && !strings.Contains(upper, "NOT VALID") {
		wrong = append(wrong, "a constraint that is validated under an exclusive lock")
	}
	if strings.Contains(upper, "ADD COLUMN") && strings.Contains(upper, "NOT NULL") {
		wrong = append(wrong, "a column that gives all rows a value nobody chose")
	}
	if regexp.MustCompile(`UPDATE ONLY PUBLIC\.SESSION`).MatchString(upper) && (s.Sweep == "" || !s.Replica) {
		wrong = append(wrong, "rows changed in one long transaction, or with the trigger on")
	}
	for _, never := range []string{"DROP TABLE", "DROP COLUMN", "TRUNCATE", "DELETE FROM", "DROP DATABASE", "DROP TYPE", "DROP SCHEMA", "SET LOCAL LOCK_TIMEOUT", "VACUUM FULL", "CLUSTER "} {
		if strings.Contains(upper, never) {
			wrong = append(wrong, "holds "+never)
		}
	}
	if regexp.MustCompile(`ALTER COLUMN \S+ TYPE|ALTER COLUMN \S+ SET DATA TYPE`).MatchString(upper) {
		wrong = append(wrong, "a change of type, which may rewrite the table")
	}
	return wrong
}

func TestLintMigrations(t *testing.T) {
	var made []string
	for _, m := range goal(t).Migrations {
		for _, c := range m.Creates {
			made = append(made, strings.TrimPrefix(c, "table "))
		}
		for _, wrong := range lint(postgres.SQL{Statements: []string{m.SQL, m.record(false)}}, made) {
			t.Errorf("%s: %s", m.ID(), wrong)
		}
		for _, n := range created.FindAllStringSubmatch(comments.ReplaceAllString(m.SQL, ""), -1) {
			if name := n[1]; !strings.HasPrefix(name, "public.") && !strings.HasPrefix(name, "idx_") && name != "update_session_updated_at" && name != "LANGUAGE" {
				t.Errorf("%s: makes %s without a schema", m.ID(), name)
			}
		}
	}
}

// Every step that any comparison of one observation with another can lead to.
func TestLintSteps(t *testing.T) {
	seen := 0
	check := func(have Observation) {
		for _, r := range append(Diff(goal(t), have), DiffDatabase(goal(t), have), DiffOwner(goal(t), have)) {
			for _, c := range r.Changes {
				s, ok := c.Step.(postgres.SQL)
				if !ok || strings.HasPrefix(s.Label, "migration ") || s.Where == postgres.Maintenance {
					continue
				}
				seen++
				for _, wrong := range lint(s, nil) {
					t.Errorf("%s: %s\n%s", c, wrong, strings.Join(s.Statements, ";\n"))
				}
			}
		}
	}
	for _, breakIt := range allBreakages() {
		have := converged(t)
		breakIt(&have)
		check(have)
	}
	if seen < 20 {
		t.Errorf("only %d steps were looked at", seen)
	}
}

// allBreakages take one thing of the catalogue away, or change it, one at a time.
func allBreakages() []func(*Observation) {
	all := []func(*Observation){
		func(o *Observation) { o.Databases[0].Owner = "x" },
		func(o *Observation) { o.History[0] = historyAt{}; o.Applied = nil },
		func(o *Observation) { o.Nulls = []nulls{{1, 1}} },
	}
	for i := range 7 {
		all = append(all,
			func(o *Observation) { o.Catalogue.Columns = slices.Delete(o.Catalogue.Columns, i, i+1) },
			func(o *Observation) {
				o.Catalogue.Columns[i].NotNull = !o.Catalogue.Columns[i].NotNull
				o.Nulls = []nulls{{1, 1}}
			},
			func(o *Observation) { o.Catalogue.Columns[i].Default += "x" })
	}
	for i := range 3 {
		all = append(all, func(o *Observation) { o.Catalogue.Indexes[i].Valid = false },
			func(o *Observation) { o.Catalogue.Indexes = slices.Delete(o.Catalogue.Indexes, i, i+1) })
	}
	for i := range 2 {
		all = append(all, func(o *Observation) { o.Catalogue.Constraints[i].Validated = false },
			func(o *Observation) { o.Catalogue.Constraints[i].Name += "x" },
			func(o *Observation) { o.Catalogue.Constraints = slices.Delete(o.Catalogue.Constraints, i, i+1) })
	}
	return append(all,
		func(o *Observation) { o.Catalogue.Tables[0].Owner = "x" },
		func(o *Observation) { o.Catalogue.Enums[0].Owner = "x"; o.Catalogue.Enums[0].Labels = nil },
		func(o *Observation) { o.Catalogue.Functions[0].Owner = "x"; o.Catalogue.Functions[0].Definition = "" },
		func(o *Observation) { o.Catalogue.Functions = nil },
		func(o *Observation) { o.Catalogue.Triggers[0].Enabled = "D"; o.Catalogue.Triggers[0].Definition = "" },
		func(o *Observation) { o.Catalogue.Triggers = nil })
}

// The linter itself: each unsafe statement with a twin that is safe.
func TestLint(t *testing.T) {
	one := func(s string) postgres.SQL { return postgres.SQL{Statements: []string{s}} }
	for _, tt := range []struct {
		name       string
		wrong      postgres.SQL
		right      postgres.SQL
		newSession bool
	}{
		{"qualified", one("ALTER TABLE session DISABLE TRIGGER x"), one("ALTER TABLE public.session DISABLE TRIGGER x"), false},
		{"index", one("CREATE INDEX i ON public.session (id)"), postgres.SQL{Alone: true, Statements: []string{"CREATE INDEX CONCURRENTLY i ON public.session (id)"}}, false},
		{"concurrently in a transaction", one("CREATE INDEX CONCURRENTLY i ON public.session (id)"), postgres.SQL{Alone: true, Statements: []string{"CREATE INDEX CONCURRENTLY i ON public.session (id)"}}, false},
		{"validating", one("ALTER TABLE public.session ADD CONSTRAINT c CHECK (id IS NOT NULL)"), one("ALTER TABLE public.session ADD CONSTRAINT c CHECK (id IS NOT NULL) NOT VALID"), false},
		{"rewriting", one("ALTER TABLE public.session ALTER COLUMN a TYPE text"), one("ALTER TABLE public.session ALTER COLUMN a SET DEFAULT 1"), false},
		{"dropping", one("DROP TABLE public.session"), one("ALTER TABLE public.session ALTER COLUMN a DROP DEFAULT"), false},
		{"all rows at once", one("UPDATE ONLY public.session SET a = 1"), postgres.SQL{Sweep: "SELECT id FROM ONLY public.session", Replica: true, Statements: []string{"UPDATE ONLY public.session SET a = 1"}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if len(lint(tt.wrong, nil)) == 0 {
				t.Error("passed")
			}
			if wrong := lint(tt.right, nil); len(wrong) != 0 {
				t.Errorf("refused: %q", wrong)
			}
		})
	}
	if len(lint(one("CREATE INDEX i ON public.session (id)"), []string{"session"})) != 0 {
		t.Error("an index on a table that the same set of migrations makes is fine")
	}
	// The catalogue in the file is what the other tests start from.
	if data, err := json.Marshal(goal(t).Catalogue); err != nil || len(data) < 500 {
		t.Errorf("the catalogue is empty: %v", err)
	}
}

package postgres

import (
	"slices"
	"testing"
	"time"
)

// Every pair that joins has a twin that differs in one thing and must not.
func TestJoin(t *testing.T) {
	base := SQL{Group: "access", Statements: []string{"a"}}
	for _, tt := range []struct {
		name  string
		next  SQL
		joins bool
	}{
		{"same group", SQL{Group: "access", Statements: []string{"b"}}, true},
		{"another group", SQL{Group: "adoption", Statements: []string{"b"}}, false},
		{"no group", SQL{Statements: []string{"b"}}, false},
		{"another database", SQL{Group: "access", Where: Maintenance, Statements: []string{"b"}}, false},
		{"alone", SQL{Group: "access", Alone: true, Statements: []string{"b"}}, false},
		{"triggers off", SQL{Group: "access", Replica: true, Statements: []string{"b"}}, false},
		{"a secret makes the whole secret", SQL{Group: "access", Secret: true, Statements: []string{"b"}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, ok := base.Join(tt.next)
			if ok != tt.joins {
				t.Fatalf("joins: %t", ok)
			}
			if !ok {
				return
			}
			if j := s.(SQL); !slices.Equal(j.Statements, []string{"a", "b"}) || j.Secret != tt.next.Secret {
				t.Errorf("%+v", j)
			}
			if len(base.Statements) != 1 {
				t.Error("joining changed the step that was joined")
			}
		})
	}
	long, _ := base.Join(SQL{Group: "access", LockTimeout: time.Second})
	if long.(SQL).LockTimeout != time.Second {
		t.Error("a longer lock timeout was lost")
	}
}

func TestStepsShowNoSecret(t *testing.T) {
	s := SQL{Secret: true, Statements: []string{"ALTER ROLE x PASSWORD 'SCRAM-SHA-256$…'"}}
	if got := s.String(); got != "SQL (not shown)" {
		t.Error(got)
	}
	s.Secret = false
	if got := s.String(); got != s.Statements[0] {
		t.Error(got)
	}
}

func TestQuote(t *testing.T) {
	for _, tt := range []struct{ in, ident, literal string }{
		{"session", `"session"`, `'session'`},
		{`a"b'c`, `"a""b'c"`, `'a"b''c'`},
		{`back\slash`, `"back\slash"`, ` E'back\\slash'`},
		{"nul\x00l", `"null"`, `'null'`},
		{"", `""`, `''`},
	} {
		if got := QuoteIdent(tt.in); got != tt.ident {
			t.Errorf("QuoteIdent(%q) = %s, want %s", tt.in, got, tt.ident)
		}
		if got := QuoteLiteral(tt.in); got != tt.literal {
			t.Errorf("QuoteLiteral(%q) = %s, want %s", tt.in, got, tt.literal)
		}
	}
}

func TestTargetKeepsItsSecret(t *testing.T) {
	_, err := NewTarget("postgres://u:hunter2@host:port/db", "sessiondb")
	if err == nil {
		t.Fatal("a port that is no number was taken")
	}
	if got := err.Error(); slices.Contains([]string{""}, got) || containsSecret(got) {
		t.Errorf("the error shows the password: %s", got)
	}
}

func containsSecret(s string) bool {
	for i := range len(s) - 6 {
		if s[i:i+7] == "hunter2" {
			return true
		}
	}
	return false
}

func TestLineColumn(t *testing.T) {
	for _, tt := range []struct {
		text      string
		at        int
		line, col int
	}{
		{"SELECT x", 1, 1, 1},
		{"SELECT x", 8, 1, 8},
		{"a\nbc\nd", 3, 2, 1},
		{"a\nbc\nd", 6, 3, 1},
		{"-- ü\nSELECT", 6, 2, 1}, // characters, not bytes
		{"", 5, 1, 1},
	} {
		if line, col := lineColumn(tt.text, tt.at); line != tt.line || col != tt.col {
			t.Errorf("%q at %d: %d:%d, want %d:%d", tt.text, tt.at, line, col, tt.line, tt.col)
		}
	}
}

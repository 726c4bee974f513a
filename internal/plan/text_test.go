package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestText(t *testing.T) {
	long := strings.Repeat("a long sentence ", 8)
	for _, tt := range []struct {
		name string
		rep  Report
		want string
	}{
		{"in sync", Report{InSync: true}, "in sync\n"},
		{"in sync with a warning", Report{InSync: true, Warnings: []Warning{{Resource: "a", Summary: "mind it", Remedy: "do\nthat"}}}, `warning: a
      mind it
    → do
        that
in sync, 1 warning
`},
		{"one change", Report{Changes: []Change{{Resource: "a", Action: Update, Field: "owner", Have: "x", Want: "y", Summary: "why"}}}, `a
  ~ owner               x → y
      why
would change 1 thing
`},
		{"a resource is named once, and again after another", Report{Changes: []Change{
			{Resource: "a", Action: Create, Field: "role", Want: "NOLOGIN"},
			{Resource: "a", Action: Delete, Field: "a field of more columns", Have: "granted"},
			{Resource: "b", Action: Run, Field: "reload"},
			{Resource: "a", Action: Update, Field: "LOGIN", Have: "no", Want: "yes"},
		}}, `a
  + role                     NOLOGIN
  - a field of more columns  granted → (gone)
b
  » reload              run
a
  ~ LOGIN               no → yes
would change 4 things
`},
		{"several lines are compared line by line", Report{Changes: []Change{
			{Resource: "hba", Action: Update, Field: "block", Have: "one\ntwo\nfour", Want: "one\nthree\nfour\nfive", Summary: "why"},
			{Resource: "hba", Action: Create, Field: "block", Want: "one\ntwo"},
		}}, `hba
  ~ block
        one
      - two
      + three
        four
      + five
      why
  + block
      + one
      + two
would change 2 things
`},
		{"long lines are wrapped between words, remedies are not", Report{Refusals: []Refusal{{"a", long, long}}}, `refused: a
      a long sentence a long sentence a long sentence a long sentence a long sentence a long sentence a long sentence
      a long sentence
    → ` + long + `
nothing to change, 1 refused
`},
		{"blocked", Report{Blocked: []Blocked{{"a", "b"}}}, "blocked: a\n      by b\nnothing to change, 1 blocked\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			if err := tt.rep.Text(&b, "would change"); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, b.String()); d != "" {
				t.Errorf("(-want +have):\n%s", d)
			}
		})
	}
}

func TestLineDiff(t *testing.T) {
	for _, tt := range []struct {
		name, have, want string
		lines            []string
	}{
		{"equal", "a\nb", "a\nb\n", []string{"  a", "  b"}},
		{"made", "", "a", []string{"+ a"}},
		{"taken away", "a\nb", "", []string{"- a", "- b"}},
		{"moved", "a\nb\nc", "b\nc\na", []string{"- a", "  b", "  c", "+ a"}},
		{"cut where a file has no end", strings.Repeat("a\n", maxLines+1), strings.Repeat("a\n", maxLines+1), append(repeat("  a", maxLines), "  …")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.lines, lineDiff(tt.have, tt.want)); d != "" {
				t.Errorf("(-want +have):\n%s", d)
			}
		})
	}
}

func TestBrief(t *testing.T) {
	for _, tt := range []struct{ name, have, want, gone, come string }{
		{"one line", "a", "b", "a", "b"},
		{"a line comes back", "one\nthree", "one\n  two\nthree", "", "two"},
		{"lines are exchanged", "one\ntwo\nthree", "zero\none\nthree\nfour", "two", "zero; four"},
		{"made", "", "one\ntwo", "", "one; two"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if gone, come := (Change{Have: tt.have, Want: tt.want}).Brief(); gone != tt.gone || come != tt.come {
				t.Errorf("%q -> %q, want %q -> %q", gone, come, tt.gone, tt.come)
			}
		})
	}
}

func repeat(s string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = s
	}
	return list
}

package postgres

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestArray(t *testing.T) {
	for text, want := range map[string][]string{
		"{}":                     {},
		"{a}":                    {"a"},
		"{a,b}":                  {"a", "b"},
		`{"a,b",c}`:              {"a,b", "c"},
		`{"",NULL,"NULL"}`:       {"", "", "NULL"},
		`{"say \"x\"","back\\"}`: {`say "x"`, `back\`},
		`{"{}"," a "}`:           {"{}", " a "},
		`{"\"q\"=r*/\"q\""}`:     {`"q"=r*/"q"`},
	} {
		have, err := array(text)
		if d := cmp.Diff(want, have); d != "" || err != nil {
			t.Errorf("%s: %v (-want +have):\n%s", text, err, d)
		}
	}
	for _, text := range []string{"", "{", "}", "a"} {
		if list, err := array(text); err == nil {
			t.Errorf("%q is the array %q", text, list)
		}
	}
}

func TestScan(t *testing.T) {
	type row struct {
		Name string   `json:"name"`
		N    int64    `json:"n"`
		OK   bool     `json:"ok"`
		List []string `json:"list"`
	}
	columns := []pgconn.FieldDescription{{Name: "n"}, {Name: "name"}, {Name: "list"}, {Name: "ok"}}
	rows := [][][]byte{
		{[]byte("-7"), []byte("x"), []byte("{a,b}"), []byte("t")},
		{nil, nil, nil, []byte("f")},
	}
	have := []row{{Name: "old"}, {}, {}}
	if err := scan(&have, columns, rows); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]row{{"x", -7, true, []string{"a", "b"}}, {}}, have); d != "" {
		t.Errorf("(-want +have):\n%s", d)
	}
	for what, bad := range map[string]struct {
		column string
		text   string
	}{
		"no such field": {"other", "1"},
		"no number":     {"n", "x"},
		"no array":      {"list", "x"},
	} {
		if err := scan(&have, []pgconn.FieldDescription{{Name: bad.column}}, [][][]byte{{[]byte(bad.text)}}); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestTimestamp(t *testing.T) {
	for text, want := range map[string]int64{
		"1970-01-01 00:00:01.000002+00":   1_000_002,
		"1970-01-01 00:00:01+00":          1_000_000,
		"1970-01-01 05:30:01.5+05:30":     1_500_000,
		"1969-12-31 23:00:00-01":          0,
		"1970-01-01 00:19:32.13+00:19:32": 130_000,
	} {
		got, ok := Timestamp(text)
		if !ok || got.UnixMicro() != want {
			t.Errorf("%s: %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "infinity", "01.01.1970 00:00:01 UTC"} {
		if got, ok := Timestamp(text); ok {
			t.Errorf("%q passes for %v", text, got)
		}
	}
}

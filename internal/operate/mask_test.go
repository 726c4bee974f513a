package operate

import (
	"strings"
	"testing"
)

// Whatever a constant or a comment can look like, nothing of it is shown; what surrounds it is.
func TestMask(t *testing.T) {
	for _, tt := range []struct{ sql, want string }{
		{"SELECT 1", "SELECT 1"},
		{"ALTER ROLE a PASSWORD 'geheim'", "ALTER ROLE a PASSWORD '…'"},
		{"SELECT 'it''s geheim', x", "SELECT '…', x"},
		{`SELECT E'a\'geheim', x`, "SELECT E'…', x"},
		{`SELECT e'a\\', x, 'geheim'`, "SELECT e'…', x, '…'"},
		{`SELECT 'a\', geheim('b')`, `SELECT '…'`}, // ends here or there, by a setting
		{`SELECT date'x\', 'geheim'`, `SELECT date'…'`},
		{`SELECT 'a\b', x`, `SELECT '…', x`},
		{"SELECT 'cut off geheim", "SELECT '…'"},
		{"SELECT $$geheim$$, $a$geheim $$ geheim$a$, y", "SELECT '…', '…', y"},
		{"SELECT $1, $2::text", "SELECT $1, $2::text"},
		{"SELECT a$b, c$d$e", "SELECT a$b, c$d$e"},
		{"SELECT $tag$geheim", "SELECT '…'"},
		{"SELECT\n\t x", "SELECT x"},
		{"$", "$"},
		{"SELECT U&'geheim', N'geheim', B'1'", "SELECT U&'…', N'…', B'…'"},
		{"SELECT 1 -- it's\n, 'geheim'", "SELECT 1 , '…'"},
		{"SELECT /* it's */ 'geheim'", "SELECT '…'"},
		{"SELECT /* a /* it's */ ' */ 'geheim' /* geheim", "SELECT '…'"},
		{`SELECT "it's", 'geheim', "a""'b", 'geheim'`, `SELECT "it's", '…', "a""'b", '…'`},
		{"SELECT \"\x1b[31m\", x\u202e", `SELECT "?[31m", x?`},
		{"SELECT \xff", "SELECT ?"},
	} {
		if got := mask(tt.sql); got != tt.want || strings.Contains(got, "geheim") && !strings.Contains(tt.want, "geheim") {
			t.Errorf("%q: %q, want %q", tt.sql, got, tt.want)
		}
	}
}

func FuzzMask(f *testing.F) {
	for _, seed := range []string{"SELECT 'a'", "/*", "--", "$$", "$a$b", `E'\`, `"`, "'\\'", "\x1b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		got := mask(sql)
		if strings.ContainsAny(got, "\x1b\n\r\x00") {
			t.Errorf("%q: %q", sql, got)
		}
		// Behind a statement that is whole, a constant of its own is masked, or everything is.
		if masked := mask("SELECT 'geheim' " + sql); strings.Contains(masked, "geheim") && !strings.Contains(sql, "geheim") {
			t.Errorf("%q: %q", sql, masked)
		}
	})
}

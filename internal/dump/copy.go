package dump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"sessiondbd/internal/postgres"
)

// COPY's rows come from the client, and so cannot come into a function. Where a table has code that is executed for each row,
// they go into one without any first, as text, and from there by a statement that the function executes.

const ident = `(?:"(?:[^"]|"")+"|[\w$]+)`

// copies is COPY as pg_dump writes it: the table, and its columns.
var (
	copies = lazy(`(?is)^COPY\s+(` + ident + `(?:\.` + ident + `)?)\s*(?:\((` + ident + `(?:,\s*` + ident + `)*)\)\s*)?FROM\s+stdin\s*;?\s*$`)
	idents = lazy(ident)
)

// codeSQL says whether anything of the dump, or of a type, is executed for a row of a table, if these columns are given. A generated
// column has a default, and is never given.
const codeSQL = `SELECT c.relkind <> 'r' OR c.relispartition OR c.relhasrules OR c.relrowsecurity
	OR EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
	OR EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'x'))
	OR EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL))
	OR EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
		WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			AND (t.typtype NOT IN ('b', 'e') OR e.typtype NOT IN ('b', 'e') OR a.atthasdef AND a.attname <> ALL ($2::text[]))) AS code
	FROM pg_catalog.pg_class c WHERE c.oid = $1::pg_catalog.regclass`

// columnsSQL are the columns that COPY fills unless it names some.
const columnsSQL = `SELECT attname AS name, pg_catalog.format_type(atttypid, atttypmod) AS type FROM pg_catalog.pg_attribute
	WHERE attrelid = $1::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`

type column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// rows executes a COPY.
func (l loader) rows(ctx context.Context, p Piece, data io.Reader) (int64, error) {
	m := copies().FindStringSubmatch(p.Text)
	if m == nil {
		return 0, errors.New("rows have to come as pg_dump writes them: COPY table (columns) FROM stdin")
	}
	var code []struct {
		Is bool `json:"code"`
	}
	var all []column
	var given []string
	for _, name := range idents().FindAllString(m[2], -1) {
		given = append(given, unquoted(name))
	}
	ask := postgres.Query{Name: "its columns", SQL: columnsSQL, Args: []string{m[1]}, Into: &all}
	if err := l.c.Ask(ctx, []postgres.Query{ask}); err != nil {
		return 0, err
	}
	if m[2] == "" {
		for _, c := range all {
			given = append(given, c.Name)
		}
	}
	ask = postgres.Query{Name: "its code", SQL: codeSQL, Args: []string{m[1], postgres.Array(given)}, Into: &code}
	if err := l.c.Ask(ctx, []postgres.Query{ask}); err != nil {
		return 0, err
	}
	if len(code) == 1 && !code[0].Is {
		return l.c.CopyIn(ctx, p.Text, data)
	}
	return l.staged(ctx, m[1], given, all, data)
}

// staged takes the rows of a table with code.
func (l loader) staged(ctx context.Context, table string, given []string, all []column, data io.Reader) (n int64, err error) {
	types := map[string]string{}
	for _, c := range all {
		types[c.Name] = c.Type
	}
	made, into, from := make([]string, len(given)), make([]string, len(given)), make([]string, len(given))
	for i, name := range given {
		made[i], into[i], from[i] = fmt.Sprintf("c%d text", i), postgres.QuoteIdent(name), fmt.Sprintf("c%d::%s", i, types[name])
	}
	if _, err := l.c.Run(ctx, "CREATE TEMPORARY TABLE sessiondbd_rows ("+strings.Join(made, ", ")+")"); err != nil {
		return 0, err
	}
	if n, err = l.c.CopyIn(ctx, "COPY pg_temp.sessiondbd_rows FROM stdin", data); err != nil {
		return n, err
	}
	insert := "INSERT INTO " + table + " (" + strings.Join(into, ", ") + ") OVERRIDING SYSTEM VALUE SELECT " + strings.Join(from, ", ") + " FROM pg_temp.sessiondbd_rows"
	if len(given) == 0 { // a table without columns has rows, too
		insert = "INSERT INTO " + table + " SELECT FROM pg_temp.sessiondbd_rows"
	}
	if _, err = l.do(ctx, insert); err == nil {
		_, err = l.c.Run(ctx, "DROP TABLE pg_temp.sessiondbd_rows")
	}
	return n, err
}

// unquoted is the name that an identifier stands for.
func unquoted(ident string) string {
	if q, is := strings.CutPrefix(ident, `"`); is {
		return strings.ReplaceAll(strings.TrimSuffix(q, `"`), `""`, `"`)
	}
	return strings.ToLower(ident)
}

package dump

import (
	"strings"

	"sessiondbd/internal/postgres"
)

// Owned is what a dump gives to a role: the kind of an object, its name as a statement names it, and the role.
type Owned struct{ Kind, What, Role string }

// Of the statements that give something away only those are read that are wholly understood, since an administrator executes what
// comes of them: a kind, a name, for functions the types of the parameters, a role, and nothing else.
const (
	ident = `"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*`
	types = `\((?:[\w$ ,.*\[\]]|"(?:[^"]|"")+")*\)`
)

var gives = lazy(`^ALTER (TABLE|FOREIGN TABLE|VIEW|MATERIALIZED VIEW|SEQUENCE|SCHEMA|TYPE|DOMAIN|FUNCTION|PROCEDURE|AGGREGATE) ` +
	`(?:(` + ident + `)\.)?(` + ident + `)(` + types + `)? OWNER TO (` + ident + `);$`)

var givesLarge = lazy(`^ALTER LARGE OBJECT (\d+) OWNER TO (` + ident + `);$`)

// ownedBy reads such a statement.
func ownedBy(sql string) (Owned, bool) {
	if len(sql) > 64<<10 || strings.ContainsRune(sql, 0) {
		return Owned{}, false
	}
	if m := givesLarge().FindStringSubmatch(sql); m != nil {
		return Owned{"LARGE OBJECT", m[1], bare(m[2])}, true
	}
	m := gives().FindStringSubmatch(sql)
	if m == nil || (m[4] != "") != calls().MatchString(m[1]) {
		return Owned{}, false
	}
	what := postgres.QuoteIdent(bare(m[3])) + m[4]
	if m[2] != "" {
		what = postgres.QuoteIdent(bare(m[2])) + "." + what
	}
	return Owned{m[1], what, bare(m[5])}, true
}

var calls = lazy(`^(FUNCTION|PROCEDURE|AGGREGATE)$`)

// bare is a name without its quotes.
func bare(name string) string {
	if strings.HasPrefix(name, `"`) {
		return strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
	}
	return name
}

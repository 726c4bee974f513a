package dump

import (
	"fmt"
	"regexp"
	"strings"
)

// verdict is what becomes of a piece of a dump.
type verdict int

const (
	execute verdict = iota
	// ignore: what belongs to the server it came from and not to the sessions (owners, the database itself, who gave a right),
	// or what a database that has just been made has no use for.
	ignore
	// tolerate: executed, and told where this server does not know it: a setting of another version, a role.
	tolerate
	// grant: executed likewise, and left out where it is not the owner's to give: what others may do is carried over, and what
	// our roles may do is compared afterwards.
	grant
	// leave: left out, since only an administrator may, and told as what to type.
	leave
	refuse
)

// named is the name of something, with its schema or without.
const named = `("([^"]|"")+"|[^\s".;]+)(\."([^"]|"")+"|\.[^\s".;]+)?`

// rules are looked at in order, in upper case, by how a statement begins; the first that fits decides.
var rules = []struct {
	begins  func() *regexp.Regexp
	verdict verdict
	why     string
}{
	{begins(`(SET|RESET) SESSION AUTHORIZATION`), ignore, ""}, // around rights that somebody else than the owner gave
	{begins(`SET (SESSION |LOCAL )?(ROLE|SESSION AUTHORIZATION)`, `RESET (ROLE|ALL)`, `DISCARD`), refuse, "it changes who executes the rest"},
	{begins(`ALTER (ROLE|USER) ("[^"]+"|\S+) IN DATABASE`), ignore, ""}, // pg_dump -C
	{begins(`(CREATE|ALTER|DROP) (ROLE|USER|GROUP|TABLESPACE)`, `ALTER SYSTEM`), refuse, "it concerns the whole server, not one database: is this a dump of pg_dumpall? Make one of the session database: sudo sessiondbd backup"},
	{begins(`CREATE (SUBSCRIPTION|EVENT TRIGGER)`, `ALTER (SUBSCRIPTION|EVENT TRIGGER) `+named+` (SET|ENABLE|DISABLE)`, `CREATE PUBLICATION `+named+` FOR (ALL TABLES|TABLES IN SCHEMA)`, `ALTER PUBLICATION `+named+` ADD TABLES IN SCHEMA`, `ALTER DEFAULT PRIVILEGES`), leave, ""},
	{begins(`ALTER PUBLICATION `+named+` ADD`, `COMMENT ON PUBLICATION`), tolerate, ""}, // of one that was left out
	{begins(`ROLLBACK`, `ABORT`, `PREPARE TRANSACTION`), refuse, "a dump does not take anything back"},
	{begins(`GRANT`, `REVOKE`), grant, ""},
	{begins(`SECURITY LABEL`, `COMMENT ON (EXTENSION|DATABASE|ROLE|TABLESPACE|SUBSCRIPTION|EVENT TRIGGER)`), ignore, ""},
	{begins(`(CREATE|ALTER|DROP) DATABASE`), ignore, ""},
	{begins(`DROP`, `SELECT PG_CATALOG\.LO_UNLINK`, `CREATE SCHEMA (IF NOT EXISTS )?"?PUBLIC"?;`, `ALTER TABLE (IF EXISTS )?(ONLY )?`+named+` (DROP CONSTRAINT|ALTER COLUMN `+named+` DROP DEFAULT)`), ignore, ""},
	{begins(`BEGIN`, `START TRANSACTION`, `COMMIT`, `END`), ignore, ""},
	{begins(`ALTER [^']* OWNER TO`), ignore, ""},
	{begins(`SET`), tolerate, ""},
}

func begins(starts ...string) func() *regexp.Regexp {
	return lazy(`^(` + strings.Join(starts, `|`) + `)(\W|$)`)
}

// judged is how much of a statement is looked at: names of objects are no longer.
const judged = 512

var space = lazy(`\s+`)

// judge says what becomes of a statement, and why one is refused.
func judge(p Piece) (verdict, string) {
	head := strings.ToUpper(space().ReplaceAllString(p.Text[:min(len(p.Text), judged)], " "))
	for _, r := range rules {
		if r.begins().MatchString(head) {
			return r.verdict, r.why
		}
	}
	return execute, ""
}

// stands is a view that pg_dump --clean puts in the place of one that others need, before it drops that. After
// the first thing that the dump makes it would be one of somebody's.
var (
	stands = lazy(`(?i)^CREATE\s+OR\s+REPLACE\s+VIEW\s+` + named + `\s+(WITH\s+\([^)]*\)\s+)?AS\s+SELECT\s+NULL::`)
	made   = lazy(`(?i)^CREATE\s`)
)

// into is which database a dump leads into by itself. pg_dump -C begins with that; the sessions of two databases in one file
// cannot be told apart.
type into struct {
	database string
	made     bool // something
}

// clears says whether a statement clears away what would be there in the database that the dump is of.
func (i *into) clears(p Piece) bool {
	head := p.Text[:min(len(p.Text), judged)]
	if !i.made && stands().MatchString(head) {
		return true
	}
	i.made = i.made || made().MatchString(head)
	return false
}

// meta judges a command for psql.
func (i *into) meta(p Piece) error {
	fields := strings.Fields(p.Text)
	switch fields[0] {
	case `\restrict`, `\unrestrict`: // pg_dump's guard against the others here
		return nil
	case `\connect`, `\c`:
		database := ""
		for _, f := range fields[1:] {
			if f != "-reuse-previous=on" {
				database = f
				break
			}
		}
		if i.database == "" || i.database == database {
			i.database = database
			return nil
		}
		return fmt.Errorf("line %d leads into another database (%s) than before (%s): a dump of several databases; make one of the session database alone", p.Line, database, i.database)
	}
	return fmt.Errorf("line %d: %s is a command for psql that no dump holds; nothing was executed of it", p.Line, fields[0])
}

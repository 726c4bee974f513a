package role

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// mark is a setting without effect that tells a role that was once declared from one that never was. It needs no file of
// ours, goes with role and database, and no role may set or reset it for itself.
var mark = Default{"sessiondbd.declared", "yes"}

// reasons are those of what is declared.
var reasons = map[string]string{
	mark.Name:                             "a mark without effect: a role that leaves the config is reported by it, and not forgotten",
	"temp_file_limit":                     "big sorts of a session end there, not on a full disk; the role itself cannot lift it",
	"statement_timeout":                   "declared in the config; ends a statement that runs away",
	"idle_in_transaction_session_timeout": "declared in the config; a forgotten transaction holds up other writers, migrations and VACUUM",
	"tcp_keepalives_idle":                 "a VM that was switched off would go on holding its share of connections for two hours",
}

// settings compares the defaults that a role's sessions start with, one by one.
func (d *differ) settings(r *plan.Resource, s Spec) {
	wanted := append(slices.Clone(s.Defaults), mark)
	var found []string
	for _, h := range d.have.Settings {
		if h.Role != s.Name {
			continue
		}
		name, value, _ := strings.Cut(h.Setting, "=")
		i := slices.IndexFunc(wanted, func(w Default) bool { return w.Name == name && h.Database == d.want.Database })
		switch {
		case i < 0:
			r.Add(plan.Delete, d.scoped(name, h.Database), printable(value), "", "every session of it, in every VM, would start so; a role may set such defaults itself", access(d.reset(h, name, s)...))
		case !same(name, value, wanted[i].Value):
			r.Add(plan.Update, name, printable(value), wanted[i].Value, reasons[name], access(d.set(s.Name, wanted[i])))
			fallthrough
		default:
			found = append(found, name)
		}
	}
	for _, w := range wanted {
		if !slices.Contains(found, w.Name) {
			r.Add(plan.Create, w.Name, "", w.Value, reasons[w.Name], access(d.set(s.Name, w)))
		}
	}
}

// strayed says whether a declared role has a setting that is not.
func (o Observation) strayed(w Want) bool {
	for _, s := range w.Roles {
		r := plan.Resource{}
		(&differ{want: w, have: o}).settings(&r, s)
		if slices.ContainsFunc(r.Changes, func(c plan.Change) bool { return c.Action == plan.Delete }) {
			return true
		}
	}
	return false
}

// unknownSettings lists names that RESET would not take: of settings that this server does not have, and behind a prefix
// that a loaded library has reserved for its own, which PostgreSQL knows from 15 on.
const unknownSettings = `SELECT DISTINCT name FROM (SELECT split_part(unnest(setconfig), '=', 1) AS name FROM pg_db_role_setting) s
	WHERE current_setting(name, true) IS NULL AND (name !~ '^[A-Za-z_][A-Za-z0-9_$]*([.][A-Za-z_][A-Za-z0-9_$]*)+$'
	OR current_setting('server_version_num')::int >= 150000 AND EXISTS (SELECT FROM pg_settings p WHERE p.name LIKE '%.%' AND split_part(p.name, '.', 1) = split_part(s.name, '.', 1)))`

// scoped names a setting with where it holds, unless that is the session database.
func (d *differ) scoped(name, database string) string {
	switch database {
	case d.want.Database:
		return printable(name)
	case "":
		return printable(name) + " in all databases"
	}
	return printable(name) + " in database " + database
}

// scope is the part of ALTER ROLE ahead of SET or RESET.
func scope(role, database string) string {
	if database == "" {
		return "ALTER ROLE " + postgres.QuoteIdent(role)
	}
	return "ALTER ROLE " + postgres.QuoteIdent(role) + " IN DATABASE " + postgres.QuoteIdent(database)
}

func (d *differ) set(role string, w Default) string {
	return scope(role, d.want.Database) + " SET " + postgres.QuoteIdent(w.Name) + " = " + postgres.QuoteLiteral(w.Value)
}

// reset takes one setting away. The server resets none whose name it does not accept (any more): it can only be asked to
// forget all of one scope, after which what is declared there is set again.
func (d *differ) reset(h Setting, name string, s Spec) []string {
	statements := []string{scope(h.Role, h.Database) + " RESET " + postgres.QuoteIdent(name)}
	if slices.Contains(d.have.Unknown, name) {
		statements = []string{scope(h.Role, h.Database) + " RESET ALL"}
		if h.Database == d.want.Database {
			for _, w := range append(slices.Clone(s.Defaults), mark) {
				statements = append(statements, d.set(s.Name, w))
			}
		}
	}
	return statements
}

// amountLike is compiled when it is first used: every start of the program would pay for it.
var amountLike = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\s*(-1|0|[1-9][0-9]{0,9})\s*([A-Za-z]*)\s*$`)
})

// bases holds the units in which a setting may be written, in its own.
var bases = map[string]map[string]int{
	"temp_file_limit":                     {"": 1, "kB": 1, "MB": 1 << 10, "GB": 1 << 20, "TB": 1 << 30},
	"statement_timeout":                   durations,
	"idle_in_transaction_session_timeout": durations,
	"tcp_keepalives_idle":                 {"": 1, "s": 1, "min": 60, "h": 3600, "d": 86_400},
}

var durations = map[string]int{"": 1, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}

// same says whether two spellings mean the same to the server. It may miss one, which is then written as we do.
func same(name, a, b string) bool {
	x, ok := amount(name, a)
	y, also := amount(name, b)
	return a == b || ok && also && x == y
}

func amount(name, text string) (int, bool) {
	m := amountLike().FindStringSubmatch(text)
	if m == nil || bases[name][m[2]] == 0 {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return n * bases[name][m[2]], err == nil
}

// surroundings warns about defaults that an administrator gave every role: they hold for ours too where those have none.
func (d *differ) surroundings() []plan.Resource {
	r := plan.Resource{Name: "database/" + d.want.Database}
	for _, s := range d.have.Settings {
		if s.Role != "" || s.Database != "" && s.Database != d.want.Database {
			continue
		}
		name, _, _ := strings.Cut(s.Setting, "=")
		where, statement := "every session in it starts with ", "ALTER DATABASE "+postgres.QuoteIdent(s.Database)
		if s.Database == "" {
			where, statement = "every session on this server starts with ", "ALTER ROLE ALL"
		}
		r.Warn(where+printable(s.Setting)+", which the config does not declare", d.psql(statement+" RESET "+postgres.QuoteIdent(name)))
	}
	if r.Warnings == nil {
		return nil
	}
	return []plan.Resource{r}
}

// printable quotes what holds more than printable ASCII, and cuts what is long: a role writes its own settings, and ours
// are read in terminals.
func printable(s string) string {
	const most = 80
	more := ""
	if len(s) > most {
		s, more = s[:most], "…"
	}
	if q := strconv.QuoteToASCII(s); q != `"`+s+`"` {
		return q + more
	}
	return s + more
}

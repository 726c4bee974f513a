package schema

import (
	"fmt"
	"strings"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// historyTable makes the diary. The login roles have no USAGE on its schema.
const historyTable = `CREATE SCHEMA IF NOT EXISTS sessiondbd AUTHORIZATION sessiondb_owner;
CREATE TABLE IF NOT EXISTS sessiondbd.migrations (
    number     integer CONSTRAINT migrations_pkey PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    adopted    boolean NOT NULL,
    minimum    integer NOT NULL,
    applied_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
    duration   interval NOT NULL,
    applied_by text NOT NULL DEFAULT session_user
);
ALTER TABLE sessiondbd.migrations OWNER TO sessiondb_owner`

// DiffHistory compares the history with the migrations: it must be a prefix of them, to the byte. What is missing is run,
// or, where its objects are there already, adopted.
func DiffHistory(g Goal, have Observation) []plan.Resource {
	var list []plan.Resource
	history := plan.Resource{Name: "schema/sessiondbd.migrations", Needs: []string{g.DatabaseResource()}}
	if !have.hasHistory() {
		history.Add(plan.Create, "table", "", "sessiondbd.migrations", "the diary of the schema: which migration ran when, by whom, with which bytes", sql(historyTable))
	} else if o := have.History[0].Owner; o != g.Owner {
		history.Add(plan.Update, "owner", o, g.Owner, "the login roles must not be able to write the diary",
			sql("ALTER SCHEMA sessiondbd OWNER TO "+postgres.QuoteIdent(g.Owner), "ALTER TABLE sessiondbd.migrations OWNER TO "+postgres.QuoteIdent(g.Owner)))
	}
	list = append(list, history)
	for _, a := range have.Applied[min(len(have.Applied), len(g.Migrations)):] {
		list = append(list, unknown(g, a))
	}
	needs := []string{g.DatabaseResource(), history.Name}
	for i, m := range g.Migrations {
		r := plan.Resource{Name: m.Resource(), Needs: needs}
		needs = []string{r.Name} // and so all of the earlier ones
		if i < len(have.Applied) {
			compare(&r, m, have.Applied[i])
		} else {
			m.pending(&r, have)
		}
		list = append(list, r)
	}
	return list
}

// compare holds a row of the history against the migration of the same place.
func compare(r *plan.Resource, m Migration, a Applied) {
	switch {
	case a.Number != m.Number || a.Name != m.Name:
		r.Refuse(fmt.Sprintf("the history holds %04d_%s where this binary has %s: it is not this product's, or rows are missing", a.Number, a.Name, m.ID()),
			"look at it: sudo -u postgres psql -d sessiondb -c 'TABLE sessiondbd.migrations'; then restore the rows, or install the version that wrote them")
	case a.SHA256 != m.SHA256:
		r.Refuse(fmt.Sprintf("the migration was edited after it was applied: have SHA-256 %.12s, want %.12s", a.SHA256, m.SHA256),
			"install the version that applied it, or restore the row's sha256 if that was edited")
	}
}

// unknown speaks of a row behind the last migration of this binary: the database is newer.
func unknown(g Goal, a Applied) plan.Resource {
	r := plan.Resource{Name: fmt.Sprintf("migration/%04d_%s", a.Number, a.Name), Needs: []string{g.DatabaseResource()}}
	if a.Minimum <= g.Version() {
		r.Warn(fmt.Sprintf("the database is newer than this binary, which knows migrations up to %04d and still serves it: access and firewall are kept, the schema is left alone", g.Version()),
			"install the newer sessiondbd again")
		return r
	}
	r.Refuse(fmt.Sprintf("the database is newer than this binary, which knows migrations up to %04d; what serves it must know %04d", g.Version(), a.Minimum), "install the newer sessiondbd again: it never goes back")
	return r
}

// pending decides whether a migration that the history lacks is run or adopted. It is run only where none of its objects
// exists and the table does not either: on a table with rows, the comparison of the catalogue builds what is missing
// without stalling writers.
func (m Migration) pending(r *plan.Resource, have Observation) {
	var there []string
	for _, object := range m.Creates {
		if have.Catalogue.Has(object) {
			there = append(there, object)
		}
	}
	if len(there) == 0 && !have.Catalogue.Has("table session") {
		r.Add(plan.Run, "migration", "", strings.Join(m.Creates, ", "), "made in one transaction with the line in the diary", postgres.SQL{
			Statements: []string{m.SQL, m.record(false)}, Before: fence(have), Label: "migration " + m.ID(),
		})
		return
	}
	why := "its objects are there already: they are compared one by one below, not made again"
	if len(there) == 0 {
		why = "its objects are made one by one, since the table is in use"
	}
	r.Add(plan.Create, "history", "", "adopted", why, postgres.SQL{Statements: []string{m.record(true)}, Before: fence(have), Group: "adoption", Label: "adopt " + m.ID()})
}

// fence keeps a second writer out of a migration's transaction, should it ever come to two: one that lost its lock may not
// know yet. The second waits for the row of the first, and fails on it. A diary that was there before us may be somebody else's work:
// whoever owned the database could make it.
func fence(have Observation) []string {
	lock := []string{"LOCK TABLE sessiondbd.migrations IN SHARE ROW EXCLUSIVE MODE"}
	if have.hasHistory() {
		return append(lock, unaided(Recording))
	}
	return lock
}

// record is the diary's row, in the transaction of the migration.
func (m Migration) record(adopted bool) string {
	return fmt.Sprintf("INSERT INTO sessiondbd.migrations (number, name, sha256, adopted, minimum, duration) VALUES (%d, %s, %s, %t, %d, pg_catalog.clock_timestamp() - pg_catalog.transaction_timestamp())",
		m.Number, postgres.QuoteLiteral(m.Name), postgres.QuoteLiteral(m.SHA256), adopted, m.Minimum)
}

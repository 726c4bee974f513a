package schema

import (
	"fmt"
	"slices"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// Goal is what the schema room is to bring about.
type Goal struct {
	Expected
	Database string
	Owner    string
	// Roles are the declared login roles: one of them may own a database that is taken over, as the oneshot left it.
	Roles []string
	// AcceptNew takes a database that is not the remembered one for the right one.
	AcceptNew bool
}

// DatabaseResource is how plans call the session database.
func (g Goal) DatabaseResource() string { return "database/" + g.Database }

// DiffDatabase compares the database itself: there, ours, and the one that we remember.
func DiffDatabase(g Goal, have Observation) plan.Resource {
	r := plan.Resource{Name: g.DatabaseResource(), Needs: []string{"role/" + g.Owner}}
	if len(have.Cluster) != 1 {
		return r // nothing was observed; the plan says so
	}
	if have.Damaged != "" && !g.AcceptNew {
		r.Refuse(have.Damaged+"; whether database "+g.Database+" is the one that was provisioned is not known", "if it is: sudo sessiondbd apply --accept-new-database")
		return r
	}
	now := Identity{Cluster: have.Cluster[0].SystemIdentifier, Database: g.Database}
	old := have.Remembered
	if old != nil && old.Database != g.Database {
		old = nil // the config names another database now: that is its author's decision
	}
	if len(have.Databases) == 0 {
		if old != nil && !g.AcceptNew {
			r.Refuse(vanished(g, *old, now), settle)
			return r
		}
		r.Add(plan.Create, "database", "", "UTF8, owner "+g.Owner, "the agents in the VMs keep their sessions here", postgres.SQL{
			Where: postgres.Maintenance, Alone: true, Label: "create database " + g.Database,
			Statements: []string{"CREATE DATABASE " + postgres.QuoteIdent(g.Database) + " OWNER " + postgres.QuoteIdent(g.Owner) +
				" TEMPLATE template0 ENCODING 'UTF8'"},
		})
		r.Add(plan.Create, "identity", "", "remembered", whyIdentity, Remember{g.Database})
		return r
	}
	db := have.Databases[0]
	now.OID = db.OID
	if !g.mayTake(db, have) {
		r.Refuse(fmt.Sprintf("database %s belongs to %s, who is neither an administrator nor a role of the config, and nothing in it was made by sessiondbd: it may be somebody else's", g.Database, db.Owner),
			"if it is meant: sudo -u postgres psql -c 'ALTER DATABASE "+postgres.QuoteIdent(g.Database)+" OWNER TO "+postgres.QuoteIdent(g.Owner)+"' and sudo sessiondbd apply (make the role first if it is missing: CREATE ROLE "+postgres.QuoteIdent(g.Owner)+"); else name another database in database.name")
		return r
	}
	if old == nil {
		r.Add(plan.Create, "identity", "", now.String(), whyIdentity, Remember{g.Database})
	} else if !old.same(now) {
		if !g.AcceptNew {
			r.Refuse(fmt.Sprintf("database %s is not the one that was provisioned on %s: have %s, remembered %s", g.Database, old.Since.Format("2006-01-02"), now, old), settle)
			return r
		}
		r.Add(plan.Update, "identity", old.String(), now.String(), "accepted by --accept-new-database", Remember{g.Database})
	}
	if db.Encoding != "UTF8" {
		r.Warn(fmt.Sprintf("database %s is encoded in %s: JSON with other characters is rejected", g.Database, db.Encoding),
			"dump it and restore it into a database that is created with ENCODING 'UTF8'")
	}
	return r
}

// mayTake says whether a database is ours to fill. One with a history is; its owner is drift.
func (g Goal) mayTake(db Database, have Observation) bool {
	return len(have.Applied) > 0 || db.Owner == g.Owner || db.Administrator || slices.Contains(g.Roles, db.Owner)
}

// Elsewhere says whether this is another cluster than the remembered one, and nobody has said that it is meant.
func Elsewhere(g Goal, have Observation) bool {
	old := have.Remembered
	return old != nil && old.Database == g.Database && !g.AcceptNew && len(have.Cluster) == 1 && have.Cluster[0].SystemIdentifier != old.Cluster
}

// DiffOwner compares the database's owner. It is the same resource once more, after the schema: a database whose adoption
// is refused is left as it is, its owner included.
func DiffOwner(g Goal, have Observation) plan.Resource {
	r := plan.Resource{Name: g.DatabaseResource(), Needs: []string{"role/" + g.Owner, "migration/"}}
	if len(have.Databases) == 1 && have.Databases[0].Owner != g.Owner {
		r.Add(plan.Update, "owner", have.Databases[0].Owner, g.Owner,
			"a database's owner may drop it and create objects in public; a role that logs in from VMs never needs either",
			sql("ALTER DATABASE "+postgres.QuoteIdent(g.Database)+" OWNER TO "+postgres.QuoteIdent(g.Owner)))
	}
	return r
}

const (
	whyIdentity = "so that another database under the same name is noticed, and not filled"
	settle      = "restore the right one, or, if this is meant to be: sudo sessiondbd apply --accept-new-database"
)

func vanished(g Goal, old, now Identity) string {
	if old.Cluster != now.Cluster {
		return fmt.Sprintf("this is another cluster (%s) than the one that held database %s since %s (%s); was PostgreSQL upgraded or initialised anew?", now.Cluster, g.Database, old.Since.Format("2006-01-02"), old.Cluster)
	}
	return fmt.Sprintf("database %s, provisioned on %s, is gone", g.Database, old.Since.Format("2006-01-02"))
}

// sql is a step in the session database with a transaction of its own.
func sql(statements ...string) postgres.SQL { return postgres.SQL{Statements: statements} }

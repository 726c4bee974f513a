package role

import (
	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// attribute is a yes or no of a role, with the words of ALTER ROLE for both.
type attribute struct {
	yes, no string
	have    func(Role) bool
	want    bool
	why     string // what the unwanted state lets the role do
}

var attributes = []attribute{
	{"SUPERUSER", "NOSUPERUSER", func(r Role) bool { return r.Superuser }, false, "a superuser reads and writes everything on this server, its files included"},
	{"CREATEDB", "NOCREATEDB", func(r Role) bool { return r.CreateDB }, false, "databases of its own would fill the disk outside every limit"},
	{"CREATEROLE", "NOCREATEROLE", func(r Role) bool { return r.CreateRole }, false, "it could make roles that no config knows, and change the passwords of others"},
	{"REPLICATION", "NOREPLICATION", func(r Role) bool { return r.Replication }, false, "it could copy the whole cluster, and keep its WAL from being recycled"},
	{"BYPASSRLS", "NOBYPASSRLS", func(r Role) bool { return r.BypassRLS }, false, "row security would not bind it"},
	{"INHERIT", "NOINHERIT", func(r Role) bool { return r.Inherit }, true, "what it is granted through other roles would need a SET ROLE first"},
}

// attributes compares those of a role, one change each.
func (d *differ) attributes(r *plan.Resource, have Role, step func(...string) postgres.SQL) {
	for _, a := range attributes {
		if a.have(have) == a.want {
			continue
		}
		word, from, to := a.no, "yes", "no"
		if a.want {
			word, from, to = a.yes, "no", "yes"
		}
		r.Add(plan.Update, a.yes, from, to, a.why, step("ALTER ROLE "+postgres.QuoteIdent(have.Name)+" "+word))
	}
}

// Owner compares the role that owns database and objects. It comes before the database, so its steps run in the
// maintenance database.
func Owner(want Want, have Observation) []plan.Resource {
	if len(have.Server) != 1 {
		return nil // nothing was observed; the plan says so
	}
	d := newDiffer(want, have)
	r := plan.Resource{Name: "role/" + want.Owner}
	name := postgres.QuoteIdent(want.Owner)
	now, there := have.find(want.Owner)
	switch {
	case d.refused(&r, now):
	case !there:
		r.Add(plan.Create, "role", "", "NOLOGIN", "owns database and objects, so that no role that logs in can drop or alter them", maintenance("CREATE ROLE "+name+" NOLOGIN"))
	default:
		if now.Login {
			r.Add(plan.Update, "LOGIN", "yes", "no", "an owner may drop and alter everything; nobody logs in as it", maintenance("ALTER ROLE "+name+" NOLOGIN"))
		}
		d.attributes(&r, now, maintenance)
		d.memberships(&r, want.Owner, maintenance)
		d.members(&r, want.Owner, "and so may drop and alter the session table")
	}
	return []plan.Resource{r}
}

func maintenance(statements ...string) postgres.SQL {
	return postgres.SQL{Where: postgres.Maintenance, Statements: statements}
}

package role

import (
	"slices"
	"strings"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// pgDatabaseOwner is PostgreSQL's name for whoever owns the current database.
const pgDatabaseOwner = "pg_database_owner"

// settle returns the rights as they stand once database and objects have their owner, which other resources of the same
// pass see to: ALTER … OWNER TO rewrites grantor and grantee of every entry. What does not exist yet has the defaults that
// it will be made with. The owner's own rights are left out, and so are those of superusers, who need none.
func (d *differ) settle() []Entry {
	entries := slices.Concat(d.have.Database, d.have.Objects)
	if len(d.have.Database) == 0 {
		entries = d.defaults()
	}
	var settled []Entry
	for _, e := range entries {
		from, to := e.Owner, d.want.Owner
		if e.Kind == "schema" && e.Name == "public" {
			if to = from; d.want.declares(from) {
				to = pgDatabaseOwner
			}
		}
		if e.Grantor == from {
			e.Grantor = to
		}
		if e.Grantee == from {
			e.Grantee = to
		}
		e.Owner = to
		if e.Privilege == "" || e.Grantee == to || e.Superuser && !d.want.declares(e.Grantee) {
			continue
		}
		same := func(s Entry) bool { s.Grantable = e.Grantable; return s == e }
		if i := slices.IndexFunc(settled, same); i >= 0 {
			settled[i].Grantable = settled[i].Grantable || e.Grantable
			continue
		}
		settled = append(settled, e)
	}
	settled = append(settled, d.futures()...)
	settled = append(settled, d.have.Elsewhere...)
	// What was handed on goes before the right to hand it on.
	slices.SortStableFunc(settled, func(a, b Entry) int { return boolInt(b.Grantor != b.Owner) - boolInt(a.Grantor != a.Owner) })
	return settled
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// unseen is the state of a right in a database that does not exist yet.
const unseen = "granted by the template, perhaps"

// defaults are the rights of everybody in a new database. Up to PostgreSQL 14 they include CREATE in schema public, and a
// cluster that was upgraded from there keeps that in its template.
func (d *differ) defaults() []Entry {
	database := Entry{Kind: "database", Name: d.want.Database, Owner: d.want.Owner, Grantor: d.want.Owner}
	public := Entry{Kind: "schema", Name: "public", Owner: pgDatabaseOwner, Grantor: pgDatabaseOwner}
	var list []Entry
	for _, p := range []string{"CONNECT", "TEMPORARY"} {
		database.Privilege = p
		list = append(list, database)
	}
	for _, p := range []string{"USAGE", "CREATE"} {
		public.Privilege = p
		list = append(list, public)
	}
	return list
}

// needs are those of every resource that grants; the table's migration is one of them.
func (d *differ) needs(more ...string) []string {
	needs := append(more, "database/"+d.want.Database, "migration/")
	if !slices.ContainsFunc(d.have.Objects, func(e Entry) bool { return e.Kind == "table" }) {
		needs = append(needs, "schema/session") // its loss may have been refused
	}
	return needs
}

// grants compares the rights of a declared role with its access level.
func (d *differ) grants(s Spec) plan.Resource {
	r := plan.Resource{Name: "grants/" + s.Name, Needs: d.needs("role/" + s.Name)}
	wanted := wants(s, d.want.Database)
	for _, e := range d.have.Objects { // first: a grant to the owner would go with the ownership
		if e.Kind == "schema" && e.Name == "public" && e.Owner == s.Name {
			r.Add(plan.Update, "owner of schema public", s.Name, pgDatabaseOwner, "its owner may create there what others' queries then find first",
				access("ALTER SCHEMA public OWNER TO "+pgDatabaseOwner))
			break
		}
	}
	for _, w := range wanted {
		if !slices.ContainsFunc(d.entries, func(e Entry) bool { return e.Grantee == s.Name && e.Grantor == e.Owner && w.is(e) }) {
			r.Add(plan.Create, w.field(), "", "granted", w.why, access("GRANT "+w.sql()+" TO "+postgres.QuoteIdent(s.Name)))
		}
	}
	for _, e := range d.entries {
		if e.Grantee != s.Name {
			continue
		}
		i := slices.IndexFunc(wanted, func(w right) bool { return w.is(e) })
		switch {
		case i < 0:
			r.Add(plan.Delete, e.field(), "granted"+by(e), "", d.unwanted(e, s), access(e.revoke()...))
		case e.Grantor != e.Owner:
			r.Add(plan.Delete, e.field()+by(e), "granted", "", "the owner grants it; with a second grantor it would outlive a REVOKE", access(e.revoke()...))
		case e.Grantable:
			r.Add(plan.Update, e.field(), "with grant option", "granted", s.Name+" hands no right on: only the config says who has one", access(e.revokeOption()...))
		}
	}
	d.dependencies(&r, s)
	return r
}

// others warns about whom the config does not know: one line for each of them, object and grantor.
func (d *differ) others() []plan.Resource {
	var list []plan.Resource
	for i := 0; i < len(d.entries); i++ {
		e := d.entries[i]
		if e.Grantee == "" || d.want.declares(e.Grantee) {
			continue
		}
		for i+1 < len(d.entries) && e.Column == "" && e.besides(d.entries[i+1]) {
			i++
			e.Privilege += ", " + d.entries[i].Privilege
			e.Grantable = e.Grantable || d.entries[i].Grantable
		}
		name := "grants/" + e.Grantee
		at := slices.IndexFunc(list, func(r plan.Resource) bool { return r.Name == name })
		if at < 0 {
			at = len(list)
			list = append(list, plan.Resource{Name: name})
		}
		list[at].Warn(e.Grantee+", which the config does not declare, has "+e.field()+by(e), d.psql(strings.Join(e.revoke(), "; ")))
	}
	return list
}

// foreign is 1 for a grants resource whose role has something from another than the owner.
func (d *differ) foreign(resource string) int {
	return boolInt(slices.ContainsFunc(d.entries, func(e Entry) bool { return "grants/"+e.Grantee == resource && e.Grantor != e.Owner }))
}

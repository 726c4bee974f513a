package role

import (
	"strings"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// lets says what the worst of PostgreSQL's own roles let a member do.
var lets = map[string]string{
	"pg_execute_server_program": "runs programs on the hypervisor as PostgreSQL's system user",
	"pg_read_server_files":      "reads the hypervisor's files as PostgreSQL's system user",
	"pg_write_server_files":     "writes the hypervisor's files as PostgreSQL's system user",
	"pg_read_all_data":          "reads every table on this server",
	"pg_write_all_data":         "writes every table on this server",
	"pg_signal_backend":         "ends the sessions of other VMs",
}

// memberships takes a role of ours out of every other: the config declares none.
func (d *differ) memberships(r *plan.Resource, name string, step func(...string) postgres.SQL) {
	for _, m := range d.have.Members {
		if m.Member != name {
			continue
		}
		why := "the config declares no memberships, and it would have every right of " + m.Role
		switch {
		case m.Role == d.want.Owner:
			why = "an owner may drop and alter everything; no role that logs in is one"
		case lets[m.Role] != "":
			why = "a member " + lets[m.Role]
		}
		if m.Admin {
			why += "; whom it let in by its admin option goes with it"
		}
		r.Add(plan.Delete, "membership in "+m.Role, m.options(d.have.Version), "", why, step(d.revoke(m)))
	}
}

// members warns about others who have what a role of ours has. Our own are taken out of it where they are compared.
func (d *differ) members(r *plan.Resource, name, so string) {
	for _, m := range d.have.Members {
		if m.Role == name && m.Member != d.want.Owner && !d.want.declares(m.Member) {
			r.Warn(m.Member+" is a member of it, "+so, d.psql(d.revoke(m)))
		}
	}
}

// separate is the first version in which grantors have memberships of their own to give, each with options.
const separate = 160000

// options describes a membership.
func (m Membership) options(version int) string {
	var list []string
	for _, o := range []struct {
		name string
		is   bool
	}{{"ADMIN", m.Admin}, {"INHERIT", m.Inherit && version >= separate}, {"SET", m.Set && version >= separate}} {
		if o.is {
			list = append(list, o.name)
		}
	}
	text := "granted by " + m.Grantor
	if len(list) > 0 {
		text += " with " + strings.Join(list, ", ")
	}
	return text
}

// revoke ends a membership, with those that its member gave by it.
func (d *differ) revoke(m Membership) string {
	statement := "REVOKE " + postgres.QuoteIdent(m.Role) + " FROM " + postgres.QuoteIdent(m.Member)
	if d.have.Version < separate {
		return statement // whoever granted it, and whomever its member let in
	}
	statement += " GRANTED BY " + postgres.QuoteIdent(m.Grantor)
	if m.Admin {
		statement += " CASCADE"
	}
	return statement
}

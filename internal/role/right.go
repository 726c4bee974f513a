package role

import (
	"fmt"
	"slices"
	"strings"

	"sessiondbd/internal/postgres"
)

// right is a privilege on an object that a role is to have, with the reason.
type right struct {
	Entry
	why string
}

func (w right) is(e Entry) bool {
	return w.Kind == e.Kind && w.Name == e.Name && w.Column == e.Column && w.Privilege == e.Privilege
}

// wants lists what an access level consists of.
func wants(s Spec, database string) []right {
	if s.Access != ReadWrite && s.Access != ReadOnly {
		return nil
	}
	list := []right{
		{Entry{Kind: "database", Name: database, Privilege: "CONNECT"}, "to log in there, also when PUBLIC no longer may"},
		{Entry{Kind: "schema", Name: "public", Privilege: "USAGE"}, "to find the table by its name"},
	}
	privileges := []string{"SELECT", "INSERT", "UPDATE", "DELETE"}
	if s.Access == ReadOnly {
		privileges = privileges[:1]
	}
	for _, p := range privileges {
		list = append(list, right{Entry{Kind: "table", Name: "public.session", Privilege: p}, "access: " + string(s.Access) + " includes it"})
	}
	return list
}

// object names the entry's object for people.
func (e Entry) object() string {
	switch {
	case e.Column != "":
		return shown(e.Name) + "." + shown(e.Column)
	case e.Kind == "table":
		return shown(e.Name)
	case strings.HasPrefix(e.Kind, future) && e.Name == "":
		return e.Kind + " of " + e.Owner
	case strings.HasPrefix(e.Kind, future):
		return e.Kind + " of " + e.Owner + " in schema " + shown(e.Name)
	}
	return e.Kind + " " + shown(e.Name)
}

func (e Entry) field() string { return e.Privilege + " on " + e.object() }

// besides says whether two entries differ in the privilege alone.
func (e Entry) besides(o Entry) bool {
	o.Privilege, o.Grantable = e.Privilege, e.Grantable
	return o == e
}

// by tells a grantor who is not the owner.
func by(e Entry) string {
	if e.Grantor == e.Owner {
		return ""
	}
	return " by " + e.Grantor
}

// sql is the entry between GRANT or REVOKE and the role.
func (e Entry) sql() string {
	privilege, name := e.Privilege, e.Name
	if e.Column != "" {
		privilege += " (" + postgres.QuoteIdent(e.Column) + ")"
	}
	if e.Kind == "database" {
		name = postgres.QuoteIdent(name)
	}
	return privilege + " ON " + strings.ToUpper(e.Kind) + " " + name
}

// revoke takes away what the entry has too much: the right itself, or of a wanted one only the grant option. A superuser's
// REVOKE is the owner's; what somebody else granted has to be revoked in their name. What was handed on goes with it.
func (e Entry) revoke() []string { return e.revokeAs(false) }

// revokeOption takes away only the right to hand the entry on.
func (e Entry) revokeOption() []string { return e.revokeAs(true) }

func (e Entry) revokeAs(only bool) []string {
	option := ""
	if only {
		option = "GRANT OPTION FOR "
	}
	from := "PUBLIC"
	if e.Grantee != "" {
		from = postgres.QuoteIdent(e.Grantee)
	}
	statement := "REVOKE " + option + e.sql() + " FROM " + from
	if strings.HasPrefix(e.Kind, future) {
		statement = e.revokeFuture(option, from)
	}
	if e.Grantable {
		statement += " CASCADE"
	}
	if e.Grantor == e.Owner {
		return []string{statement}
	}
	return []string{"SET LOCAL ROLE " + postgres.QuoteIdent(e.Grantor), statement, "RESET ROLE"}
}

// unwanted says why a declared role should not have a right.
func (d *differ) unwanted(e Entry, s Spec) string {
	h, ok := hardened(e)
	switch {
	case strings.HasPrefix(e.Kind, future):
		return "what " + e.Owner + " makes from now on would be open to " + s.Name + ", which has what its access level includes"
	case slices.Contains(d.have.Elsewhere, e) && !ok:
		return "the config gives " + s.Name + " the session table and nothing else"
	case s.Access == None:
		return "access: none: " + s.Name + " has nothing of ours"
	case e.Column != "":
		return "what a role may do is said for the table; a right on a column would outlive a REVOKE there"
	case ok:
		return h.Why
	case e.Kind == "table":
		return fmt.Sprintf("access: %s does not include it", s.Access)
	case e.Kind == "schema" && e.Name == "sessiondbd":
		return "the diary of migrations is no business of a role that logs in from VMs"
	}
	return s.Name + " needs no right of its own on a " + e.Kind
}

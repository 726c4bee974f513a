package role

import (
	"fmt"
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
		return e.Name + "." + e.Column
	case e.Kind == "table":
		return e.Name
	}
	return e.Kind + " " + e.Name
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

func (e Entry) revokeAs(option bool) []string {
	statement := "REVOKE "
	if option {
		statement += "GRANT OPTION FOR "
	}
	to := "PUBLIC"
	if e.Grantee != "" {
		to = postgres.QuoteIdent(e.Grantee)
	}
	statement += e.sql() + " FROM " + to
	if e.Grantable {
		statement += " CASCADE"
	}
	if e.Grantor == e.Owner {
		return []string{statement}
	}
	return []string{"SET LOCAL ROLE " + postgres.QuoteIdent(e.Grantor), statement, "RESET ROLE"}
}

// unwanted says why a declared role should not have a right.
func unwanted(e Entry, s Spec) string {
	switch {
	case s.Access == None:
		return "access: none: " + s.Name + " has nothing of ours"
	case e.Column != "":
		return "what a role may do is said for the table; a right on a column would outlive a REVOKE there"
	case e.Kind == "table":
		switch e.Privilege {
		case "TRUNCATE":
			return s.Name + " never empties the table"
		case "TRIGGER":
			return "a trigger of " + s.Name + " would run with the rights of whoever writes next"
		case "REFERENCES":
			return "a foreign key from elsewhere would keep sessions from being deleted"
		case "MAINTAIN":
			return "VACUUM FULL or CLUSTER would lock everybody out of the table"
		}
		return fmt.Sprintf("access: %s does not include it", s.Access)
	case e.Kind == "schema" && e.Name == "sessiondbd":
		return "the diary of migrations is no business of a role that logs in from VMs"
	case e.Kind == "schema":
		return "objects of " + s.Name + " in schema public would be found by others' queries"
	case e.Kind == "database" && e.Privilege == "TEMPORARY":
		return "temporary tables fill the disk, and " + s.Name + " needs none"
	case e.Kind == "database":
		return "a schema of its own is room for what no limit bounds"
	}
	return s.Name + " needs no right of its own on a " + e.Kind
}

// unwantedOfPublic says why PUBLIC should not have a right; empty: it may.
func unwantedOfPublic(e Entry) string {
	switch {
	case e.Kind == "database" && e.Privilege == "TEMPORARY":
		return "temporary tables fill the disk; PostgreSQL gives it to everybody in every new database"
	case e.Kind == "database" && e.Privilege == "CREATE":
		return "a schema of somebody's own is room for what no limit bounds"
	case e.Kind == "schema" && e.Name == "sessiondbd":
		return "the diary of migrations is nobody's business but the owner's"
	case e.Kind == "schema" && e.Privilege == "CREATE":
		return "objects in schema public would be found by others' queries; up to PostgreSQL 14 everybody may make them"
	case e.Kind == "table":
		return "sessions are for the declared roles, not for everybody who can connect"
	}
	return ""
}

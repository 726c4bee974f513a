package server

import (
	"slices"
	"strings"

	"sessiondbd/internal/postgres"
)

// Member says that a role is in a group.
type Member struct {
	Role  string `json:"role"`
	Group string `json:"member_of"`
}

const membersSQL = `SELECT r.rolname AS role, g.rolname AS member_of
	FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid`

// membersQuery asks for the groups, which few files speak of.
func membersQuery(into *Observation) postgres.Query {
	return postgres.Query{Name: "groups", SQL: membersSQL, Into: &into.Members, When: func() bool {
		return slices.ContainsFunc(into.Rules, Rule.ofGroups)
	}}
}

// ofGroups says whether a rule goes by who is in which group.
func (r Rule) ofGroups() bool {
	return slices.ContainsFunc(r.Users, func(u string) bool { return strings.HasPrefix(u, "+") }) ||
		slices.Contains(r.Databases, "samerole") || slices.Contains(r.Databases, "samegroup")
}

// groups are the role itself and all that it is in.
func (o Observation) groups(role string) []string {
	list := []string{role}
	for i := 0; i < len(list); i++ {
		for _, m := range o.Members {
			if m.Role == list[i] && !slices.Contains(list, m.Group) {
				list = append(list, m.Group)
			}
		}
	}
	return list
}

// rules are those of the file with what the view does not show of them.
func (o Observation) rules() []Rule {
	return markQuoted(o.Rules, o.facts().HBAFile, o.Local.HBA.Content)
}

// tls says whether the server takes encrypted connections.
func (o Observation) tls() bool { return o.setting("ssl").Value == "on" }

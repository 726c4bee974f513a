package role

import (
	"cmp"
	"slices"
	"strings"

	"sessiondbd/internal/postgres"
)

// future begins the kind of what ALTER DEFAULT PRIVILEGES gives on objects that their owner makes later. Such an entry is
// named after the schema that it is restricted to, and after none if it holds everywhere.
const future = "future "

const futureACLs = `SELECT defaclobjtype AS kind, defaclnamespace::regnamespace AS name, pg_get_userbyid(defaclrole) AS owner, defaclacl AS acl FROM pg_default_acl`

// futureKinds are the letters of pg_default_acl.defaclobjtype.
var futureKinds = map[string]string{"r": "tables", "S": "sequences", "f": "functions", "T": "types", "n": "schemas", "L": "large objects"}

// everywhere is how the server spells the schema of default privileges that are restricted to none.
const everywhere = "-"

func futureObjects(list []object) []object {
	for i := range list {
		o := &list[i]
		o.Kind = future + cmp.Or(futureKinds[o.Kind], o.Kind)
		if o.Name == everywhere {
			o.Name = ""
		}
	}
	return list
}

// futures are the entries that are to go: those of declared roles, and those of PUBLIC on what we would make. By PostgreSQL's
// own defaults PUBLIC may use functions and types, so these are none.
func (d *differ) futures() []Entry {
	var list []Entry
	for _, e := range d.have.Future {
		here := slices.Contains([]string{"", "public", "sessiondbd"}, e.Name) && (e.Owner == d.me() || e.Owner == d.want.Owner)
		ordinary := e.Kind == future+"functions" || e.Kind == future+"types"
		switch {
		case e.Privilege == "" || e.Grantee == e.Owner:
		case d.want.declares(e.Grantee), e.Grantee == "" && here && !ordinary:
			list = append(list, e)
		}
	}
	return list
}

// revokeFuture is revokeAs for what ALTER DEFAULT PRIVILEGES gave.
func (e Entry) revokeFuture(option string, from string) string {
	in := ""
	if e.Name != "" {
		in = " IN SCHEMA " + e.Name
	}
	return "ALTER DEFAULT PRIVILEGES FOR ROLE " + postgres.QuoteIdent(e.Owner) + in + " REVOKE " + option + e.Privilege +
		" ON " + strings.ToUpper(strings.TrimPrefix(e.Kind, future)) + " FROM " + from
}

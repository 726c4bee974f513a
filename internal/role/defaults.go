package role

import (
	"slices"
	"strings"

	"sessiondbd/internal/postgres"
)

// future begins the kind of what ALTER DEFAULT PRIVILEGES gives on objects that their owner makes later. Such an entry is
// named after the schema that it is restricted to, and after none if it holds everywhere.
const future = "future "

const futureACLs = `SELECT 'future ' || CASE defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
		WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large objects' END,
		CASE defaclnamespace WHEN 0 THEN '' ELSE defaclnamespace::regnamespace::text END, '', pg_get_userbyid(defaclrole), defaclacl FROM pg_default_acl`

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

package role

import (
	"cmp"
	"slices"
	"strings"
)

// object is something with an ACL, each item as PostgreSQL writes it.
type object struct {
	Kind   string   `json:"kind"`
	Name   string   `json:"name"`
	Column string   `json:"column"`
	Owner  string   `json:"owner"`
	ACL    []string `json:"acl"`
}

type superuser struct {
	Name string `json:"name"`
}

// databaseACL lists the database with its ACL, the built-in default where none was ever set.
const databaseACL = `SELECT 'database' AS kind, datname AS name, pg_get_userbyid(datdba) AS owner,
	coalesce(datacl, acldefault('d', datdba)) AS acl FROM pg_database WHERE datname = $1`

// privileges are the letters of an ACL (PostgreSQL manual, 5.7, table 5.1).
var privileges = map[rune]string{
	'r': "SELECT", 'a': "INSERT", 'w': "UPDATE", 'd': "DELETE", 'D': "TRUNCATE", 'x': "REFERENCES", 't': "TRIGGER",
	'C': "CREATE", 'c': "CONNECT", 'T': "TEMPORARY", 'X': "EXECUTE", 'U': "USAGE", 's': "SET", 'A': "ALTER SYSTEM", 'm': "MAINTAIN",
}

// entriesOf lists what the ACLs grant, in a fixed order.
func entriesOf(objects []object, superusers []superuser) []Entry {
	all := []Entry{}
	for _, o := range objects {
		e := Entry{Kind: o.Kind, Name: o.Name, Column: o.Column, Owner: o.Owner}
		if len(o.ACL) == 0 {
			all = append(all, e)
		}
		for _, item := range o.ACL {
			var letters string
			e.Grantee, letters, e.Grantor = parseItem(item)
			e.Superuser = slices.Contains(superusers, superuser{e.Grantee})
			runes := []rune(letters)
			for i, r := range runes {
				if r == '*' {
					continue
				}
				e.Privilege = cmp.Or(privileges[r], string(r)) // one of a later version keeps its letter
				e.Grantable = i+1 < len(runes) && runes[i+1] == '*'
				all = append(all, e)
			}
		}
	}
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name), strings.Compare(a.Column, b.Column),
			strings.Compare(a.Grantee, b.Grantee), strings.Compare(a.Grantor, b.Grantor), strings.Compare(a.Privilege, b.Privilege))
	})
	return all
}

// parseItem splits GRANTEE=LETTERS/GRANTOR (aclitemout); the grantee of PUBLIC is empty.
func parseItem(item string) (grantee, letters, grantor string) {
	grantee, rest := cutName(item)
	letters, grantor, _ = strings.Cut(strings.TrimPrefix(rest, "="), "/")
	grantor, _ = cutName(grantor)
	return grantee, letters, grantor
}

// cutName takes a name off the front, which is in quotes unless it consists of letters, digits and underscores.
func cutName(s string) (name, rest string) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexByte(s, '=')
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] == '"' {
			if i+1 == len(s) || s[i+1] != '"' {
				return b.String(), s[i+1:]
			}
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

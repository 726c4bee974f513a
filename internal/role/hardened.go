package role

import (
	"slices"
	"strings"

	"sessiondbd/internal/postgres"
)

// hardenedACLs lists PostgreSQL's own functions that hardening is about, and which PUBLIC may use or may not,
// against what the config says. Of what strict takes, standard looks at the first of each kind: enough to notice.
func hardenedACLs(strict bool) string {
	var names []string
	for _, h := range Hardenings {
		switch n := h.names(); {
		case len(n) == 0:
		case strict || !h.Strict:
			names = append(names, n...)
		default:
			names = append(names, n[0])
		}
	}
	unlike := "proacl IS NOT NULL"
	if strict {
		unlike = "has_function_privilege('public', oid, 'EXECUTE')"
	}
	return `SELECT 'function' AS kind, oid::regprocedure AS name, pg_get_userbyid(proowner) AS owner, coalesce(proacl, acldefault('f', proowner)) AS acl
		FROM pg_proc WHERE proname IN ('` + strings.Join(names, "', '") + `') AND pronamespace = 'pg_catalog'::regnamespace
			AND (proname IN ('` + strings.Join(signals, "', '") + `') OR ` + unlike + `)`
}

// languagesQuery asks who may use DO, for strict, and for standard where there is a trace of strict.
func languagesQuery(want Want, superusers *[]superuser, into *Observation) postgres.Query {
	var languages []object
	q := postgres.Query{
		Name: "rights on languages", Durable: true, Into: &languages, Session: true,
		Then: func() { into.Hardened = append(into.Hardened, entriesOf(languages, *superusers)...) },
		SQL: `SELECT 'language' AS kind, quote_ident(lanname) AS name, pg_get_userbyid(lanowner) AS owner, coalesce(lanacl, acldefault('l', lanowner)) AS acl
			FROM pg_language WHERE lanpltrusted AND laninline <> 0`,
	}
	if !want.Strict {
		q.When = func() bool {
			return slices.ContainsFunc(Hardenings, func(h Hardening) bool { return h.Strict && len(into.closed(h)) > 0 })
		}
	}
	return q
}

// closed lists the functions or languages of a hardening that were seen and that PUBLIC may not use.
func (o *Observation) closed(h Hardening) []string {
	var names []string
	for _, e := range o.Hardened {
		public := func(p Entry) bool {
			return p.Kind == e.Kind && p.Name == e.Name && p.Grantee == "" && p.Privilege == h.privilege
		}
		same := h.kind == e.Kind && (len(h.functions) == 0 || slices.Contains(h.names(), bare(e.Name)))
		if same && !slices.Contains(names, e.Name) && !slices.ContainsFunc(o.Hardened, public) {
			names = append(names, e.Name)
		}
	}
	return names
}

// guestsQuery asks who connects by PUBLIC's right alone, where that is about to be taken away.
func guestsQuery(want Want, into *Observation) postgres.Query {
	return postgres.Query{
		Name: "who connects by PUBLIC's right", Durable: true, Into: &into.Guests, Args: []string{want.Database, postgres.Array(want.names())},
		When: func() bool {
			return want.Strict && slices.ContainsFunc(into.Database, func(e Entry) bool { return e.Grantee == "" && e.Privilege == "CONNECT" })
		},
		SQL: `SELECT rolname AS name FROM pg_roles r WHERE rolcanlogin AND NOT rolsuper AND rolname <> ALL ($2::name[]) AND NOT EXISTS (
			SELECT FROM pg_database d, aclexplode(coalesce(datacl, acldefault('d', datdba))) a
			WHERE datname = $1 AND privilege_type = 'CONNECT' AND grantee <> 0 AND pg_has_role(r.oid, grantee, 'USAGE')) ORDER BY 1 LIMIT 20`,
	}
}

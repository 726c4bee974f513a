package role

import (
	"slices"
	"strings"

	"sessiondbd/internal/postgres"
)

// Hardening is one thing that a role would have by PostgreSQL's defaults or by what init-session-schema granted, and that no
// documented client needs. It is taken from the declared roles and from PUBLIC.
type Hardening struct {
	Name      string
	Strict    bool   // only with hardening: strict
	Why       string // what whoever owns a VM could do with it
	kind      string // of the object, as in Entry
	object    string // empty: the session database, or any of the kind
	privilege string // OWNERSHIP: the object itself
	functions []string
	since     int // the first version that has the privilege
}

const ownership = "OWNERSHIP"

// Hardenings lists all, those of strict last.
var Hardenings = []Hardening{
	{Name: "owning the database", Why: "a database's owner may drop it and create objects in public", kind: "database", privilege: ownership},
	{Name: "owning schema public", Why: "its owner may create there what others' queries then find first", kind: "schema", object: "public", privilege: ownership},
	{Name: "owning the table", Why: "a table's owner may drop and alter it, and grant whatever was taken from it", kind: "table", object: "public.session", privilege: ownership},
	{Name: "TRUNCATE", Why: "nobody in a VM ever empties the table", kind: "table", object: "public.session", privilege: "TRUNCATE"},
	{Name: "TRIGGER", Why: "a trigger would run with the rights of whoever writes next", kind: "table", object: "public.session", privilege: "TRIGGER"},
	{Name: "REFERENCES", Why: "a foreign key from elsewhere would keep sessions from being deleted", kind: "table", object: "public.session", privilege: "REFERENCES"},
	{Name: "MAINTAIN", Why: "VACUUM FULL or CLUSTER would lock everybody out of the table", kind: "table", object: "public.session", privilege: "MAINTAIN", since: 170000},
	{Name: "objects in public", Why: "objects in schema public would be found by others' queries; up to PostgreSQL 14 everybody may make them", kind: "schema", object: "public", privilege: "CREATE"},
	{Name: "schemas", Why: "a schema of its own is room for what no limit bounds", kind: "database", privilege: "CREATE"},
	{Name: "temporary tables", Why: "temporary tables fill the disk, and no client needs one; PostgreSQL gives it to everybody in every new database", kind: "database", privilege: "TEMPORARY"},
	{Name: "the diary", Why: "the diary of migrations is no business of a role that logs in from VMs", kind: "schema", object: "sessiondbd", privilege: "USAGE"},
	{
		Name: "ending sessions", kind: "function", privilege: "EXECUTE", functions: []string{"pg_cancel_backend(integer)", "pg_terminate_backend(integer,bigint)"},
		Why: "all VMs log in as one role, so each could end the sessions of the others; a client cancels its own query without it",
	},
	{
		Name: "DO", Strict: true, kind: "language", privilege: "USAGE",
		Why: "DO runs loops inside the server for whoever can log in; a trigger function goes on working without",
	},
	{
		Name: "advisory locks", Strict: true, kind: "function", privilege: "EXECUTE", functions: overloads([]string{"(bigint)", "(integer,integer)"},
			"pg_advisory_lock", "pg_advisory_lock_shared", "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared",
			"pg_try_advisory_lock", "pg_try_advisory_lock_shared", "pg_try_advisory_xact_lock", "pg_try_advisory_xact_lock_shared"),
		Why: "whoever holds one keeps out all who ask for it, and enough of them fill the server's lock table",
	},
	{
		Name: "large objects", Strict: true, kind: "function", privilege: "EXECUTE", functions: []string{
			"lo_creat(integer)", "lo_create(oid)", "lo_from_bytea(oid,bytea)", "lo_get(oid)", "lo_get(oid,bigint,integer)", "lo_open(oid,integer)",
			"lo_put(oid,bigint,bytea)", "lo_truncate(integer,integer)", "lo_truncate64(integer,bigint)", "lo_unlink(oid)", "loread(integer,integer)", "lowrite(integer,bytea)",
		},
		Why: "they need no right to any table, and fill the disk",
	},
	{
		Name: "logical messages", Strict: true, kind: "function", privilege: "EXECUTE", functions: overloads([]string{"(boolean,text,text)", "(boolean,text,bytea)"}, "pg_logical_emit_message"),
		Why: "they fill the WAL without a row being written",
	},
	{
		Name: "connecting by PUBLIC", Strict: true, kind: "database", privilege: "CONNECT",
		Why: "whoever is to connect has the right in his own name; PostgreSQL gives it to everybody in every new database",
	},
}

func overloads(arguments []string, names ...string) []string {
	var all []string
	for _, n := range names {
		for _, a := range arguments {
			all = append(all, n+a)
		}
	}
	return all
}

// Undo is the SQL that gives a role back what the hardening takes, for tests that show what then becomes possible. It runs as
// a superuser in the session database.
func (h Hardening) Undo(database, role string, version int) []string {
	name := h.object
	switch {
	case version < h.since:
		return nil
	case h.kind == "database":
		name = postgres.QuoteIdent(database)
	case h.kind == "language":
		name = "plpgsql"
	case h.kind == "function":
		name = strings.Join(h.signatures(version), ", ")
	}
	on := strings.ToUpper(h.kind) + " " + name
	if h.privilege == ownership {
		return []string{"ALTER " + on + " OWNER TO " + postgres.QuoteIdent(role)}
	}
	to := postgres.QuoteIdent(role)
	if h.privilege == "CONNECT" {
		to = "PUBLIC"
	}
	return []string{"GRANT " + h.privilege + " ON " + on + " TO " + to}
}

// signatures are the functions in full. One of them has got another argument in PostgreSQL 17.
func (h Hardening) signatures(version int) []string {
	var all []string
	for _, f := range h.functions {
		if version >= 170000 && strings.HasPrefix(f, "pg_logical_emit_message(") {
			f = strings.TrimSuffix(f, ")") + ",boolean)"
		}
		all = append(all, "pg_catalog."+f)
	}
	return all
}

// names are the functions without schema and arguments, each once.
func (h Hardening) names() []string {
	var all []string
	for _, f := range h.functions {
		all = append(all, bare(f))
	}
	return slices.Compact(all)
}

// bare is a function's name alone.
func bare(signature string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(signature, "pg_catalog."), "(")
	return name
}

// covers says whether a right is what the hardening takes.
func (h Hardening) covers(e Entry) bool {
	return h.kind == e.Kind && h.privilege == e.Privilege && e.Column == "" && (h.object == "" || h.object == e.Name) &&
		(len(h.functions) == 0 || slices.Contains(h.names(), bare(e.Name)))
}

// inForce says whether the config asks for it.
func (w Want) inForce(h Hardening) bool { return w.Strict || !h.Strict }

// hardened finds what a right falls under.
func hardened(e Entry) (Hardening, bool) {
	i := slices.IndexFunc(Hardenings, func(h Hardening) bool { return h.covers(e) })
	if i < 0 {
		return Hardening{}, false
	}
	return Hardenings[i], true
}

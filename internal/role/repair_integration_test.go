//go:build integration

package role

import (
	"slices"
	"testing"
)

func TestEachDriftIsRepaired(t *testing.T) {
	s := start(t, false)
	w := declared()
	w.Roles = append(w.Roles, Spec{Name: "reader", Access: ReadOnly, ConnectionLimit: 5})
	h := newHost(t, s.Cluster, w)
	h.converge()
	s.sql("sessiondb", "CREATE ROLE dba; CREATE SCHEMA sessiondbd AUTHORIZATION sessiondb_owner")
	repaired := []struct{ drift, field string }{
		{"ALTER ROLE sessionuser SUPERUSER", "role/sessionuser SUPERUSER"},
		{"ALTER ROLE sessionuser CREATEDB", "role/sessionuser CREATEDB"},
		{"ALTER ROLE sessionuser CREATEROLE", "role/sessionuser CREATEROLE"},
		{"ALTER ROLE sessionuser REPLICATION", "role/sessionuser REPLICATION"},
		{"ALTER ROLE sessionuser BYPASSRLS", "role/sessionuser BYPASSRLS"},
		{"ALTER ROLE sessionuser NOINHERIT", "role/sessionuser INHERIT"},
		{"ALTER ROLE sessionuser CONNECTION LIMIT -1", "role/sessionuser connection limit"},
		{"ALTER ROLE sessionuser PASSWORD 'other'", "role/sessionuser password"},
		{"ALTER ROLE sessiondb_owner LOGIN", "role/sessiondb_owner LOGIN"},
		{"ALTER ROLE sessiondb_owner CREATEROLE", "role/sessiondb_owner CREATEROLE"},
		{"REVOKE CONNECT ON DATABASE sessiondb FROM sessionuser", "grants/sessionuser CONNECT on database sessiondb"},
		{"REVOKE USAGE ON SCHEMA public FROM sessionuser", "grants/sessionuser USAGE on schema public"},
		{"REVOKE INSERT ON session FROM sessionuser", "grants/sessionuser INSERT on public.session"},
		{"GRANT TRUNCATE ON session TO sessionuser WITH GRANT OPTION", "grants/sessionuser TRUNCATE on public.session"},
		{"GRANT SELECT ON session TO sessionuser WITH GRANT OPTION; SET ROLE sessionuser; GRANT SELECT ON session TO dba; RESET ROLE", "grants/sessionuser SELECT on public.session"},
		{"GRANT UPDATE (messages) ON session TO reader", "grants/reader UPDATE on public.session.messages"},
		{"GRANT DELETE ON session TO reader", "grants/reader DELETE on public.session"},
		{"GRANT INSERT ON session TO dba WITH GRANT OPTION; SET ROLE dba; GRANT INSERT ON session TO reader; RESET ROLE", "grants/reader INSERT on public.session"},
		{"GRANT UPDATE ON session TO sessionuser WITH GRANT OPTION; SET ROLE sessionuser; GRANT UPDATE ON session TO reader; RESET ROLE", "grants/reader UPDATE on public.session"},
		{"GRANT CREATE ON SCHEMA public TO sessionuser", "grants/sessionuser CREATE on schema public"},
		{"GRANT USAGE ON SCHEMA sessiondbd TO sessionuser", "grants/sessionuser USAGE on schema sessiondbd"},
		{"GRANT TEMP ON DATABASE sessiondb TO sessionuser", "grants/sessionuser TEMPORARY on database sessiondb"},
		{"GRANT CREATE ON DATABASE sessiondb TO sessionuser", "grants/sessionuser CREATE on database sessiondb"},
		{"GRANT USAGE ON TYPE inbox_status_enum TO sessionuser", "grants/sessionuser USAGE on type public.inbox_status_enum"},
		{"GRANT EXECUTE ON FUNCTION update_updated_at_column() TO sessionuser", "grants/sessionuser EXECUTE on function public.update_updated_at_column()"},
		{"ALTER SCHEMA public OWNER TO reader", "grants/reader owner of schema public"},
		{"GRANT TEMP ON DATABASE sessiondb TO PUBLIC", "grants/PUBLIC TEMPORARY on database sessiondb"},
		{"GRANT CREATE ON SCHEMA public TO PUBLIC", "grants/PUBLIC CREATE on schema public"},
		{"GRANT SELECT ON session TO PUBLIC", "grants/PUBLIC SELECT on public.session"},
		{"GRANT SELECT (id) ON session TO PUBLIC", "grants/PUBLIC SELECT on public.session.id"},
		{"GRANT USAGE ON SCHEMA sessiondbd TO PUBLIC", "grants/PUBLIC USAGE on schema sessiondbd"},
		{"ALTER DATABASE sessiondb OWNER TO sessionuser", "grants/sessionuser CONNECT on database sessiondb"},
		{"ALTER TABLE session OWNER TO sessionuser", "grants/sessionuser SELECT on public.session"},
		{"DROP OWNED BY sessionuser; DROP ROLE sessionuser", "role/sessionuser LOGIN"},
	}
	for _, r := range repaired {
		s.sql("sessiondb", r.drift)
		h.converge()
		if !slices.Contains(h.fields(), r.field) {
			t.Errorf("%s: changed %q, not %s", r.drift, h.fields(), r.field)
		}
	}
	// All but the last, which would take the others with it, at once.
	for _, r := range repaired[:len(repaired)-1] {
		s.sql("sessiondb", r.drift)
	}
	h.converge()
	s.may("sessionuser", "s3cret", insert)
}

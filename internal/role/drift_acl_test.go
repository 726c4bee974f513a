//go:build integration

package role

// aclProvocations are about what a role may do. dba is a role that no config declares, reader one that reads only.
var aclProvocations = []provocation{
	{"REVOKE CONNECT ON DATABASE sessiondb FROM sessionuser", "grants/sessionuser CONNECT on database sessiondb", 0},
	{"REVOKE USAGE ON SCHEMA public FROM sessionuser", "grants/sessionuser USAGE on schema public", 0},
	{"REVOKE INSERT ON session FROM sessionuser", "grants/sessionuser INSERT on public.session", 0},
	{"GRANT TRUNCATE ON session TO sessionuser WITH GRANT OPTION", "grants/sessionuser TRUNCATE on public.session", 0},
	{"GRANT SELECT ON session TO sessionuser WITH GRANT OPTION; SET ROLE sessionuser; GRANT SELECT ON session TO dba; RESET ROLE", "grants/sessionuser SELECT on public.session", 0},
	{"GRANT UPDATE (messages) ON session TO reader", "grants/reader UPDATE on public.session.messages", 0},
	{"GRANT DELETE ON session TO reader", "grants/reader DELETE on public.session", 0},
	{"GRANT INSERT ON session TO dba WITH GRANT OPTION; SET ROLE dba; GRANT INSERT ON session TO reader; RESET ROLE", "grants/reader INSERT on public.session", 0},
	{"GRANT UPDATE ON session TO sessionuser WITH GRANT OPTION; SET ROLE sessionuser; GRANT UPDATE ON session TO reader; RESET ROLE", "grants/reader UPDATE on public.session", 0},
	{"GRANT CREATE ON SCHEMA public TO sessionuser", "grants/sessionuser CREATE on schema public", 0},
	{"GRANT USAGE ON SCHEMA sessiondbd TO sessionuser", "grants/sessionuser USAGE on schema sessiondbd", 0},
	{"GRANT TEMP ON DATABASE sessiondb TO sessionuser", "grants/sessionuser TEMPORARY on database sessiondb", 0},
	{"GRANT CREATE ON DATABASE sessiondb TO sessionuser", "grants/sessionuser CREATE on database sessiondb", 0},
	{"GRANT USAGE ON TYPE inbox_status_enum TO sessionuser", "grants/sessionuser USAGE on type public.inbox_status_enum", 0},
	{"GRANT EXECUTE ON FUNCTION update_updated_at_column() TO sessionuser", "grants/sessionuser EXECUTE on function public.update_updated_at_column()", 0},
	{"ALTER SCHEMA public OWNER TO reader", "grants/reader owner of schema public", 0},
	{"GRANT TEMP ON DATABASE sessiondb TO PUBLIC", "grants/PUBLIC TEMPORARY on database sessiondb", 0},
	{"GRANT CREATE ON SCHEMA public TO PUBLIC", "grants/PUBLIC CREATE on schema public", 0},
	{"GRANT SELECT ON session TO PUBLIC", "grants/PUBLIC SELECT on public.session", 0},
	{"GRANT SELECT (id) ON session TO PUBLIC", "grants/PUBLIC SELECT on public.session.id", 0},
	{"GRANT USAGE ON SCHEMA sessiondbd TO PUBLIC", "grants/PUBLIC USAGE on schema sessiondbd", 0},
	{"ALTER DATABASE sessiondb OWNER TO sessionuser", "grants/sessionuser CONNECT on database sessiondb", 0},
	{"ALTER TABLE session OWNER TO sessionuser", "grants/sessionuser SELECT on public.session", 0},
}

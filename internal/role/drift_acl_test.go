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
	{"GRANT MAINTAIN ON session TO sessionuser", "grants/sessionuser MAINTAIN on public.session", 17},
	{"GRANT MAINTAIN ON session TO PUBLIC", "grants/PUBLIC MAINTAIN on public.session", 17},
	{"GRANT REFERENCES (id) ON session TO sessionuser", "grants/sessionuser REFERENCES on public.session.id", 0},
	{"GRANT CREATE ON DATABASE sessiondb TO PUBLIC", "grants/PUBLIC CREATE on database sessiondb", 0},
	{"ALTER SCHEMA public OWNER TO sessionuser", "grants/sessionuser owner of schema public", 0},
	{"ALTER TYPE inbox_status_enum OWNER TO dba; GRANT USAGE ON TYPE inbox_status_enum TO sessionuser", "grants/sessionuser USAGE on type public.inbox_status_enum", 0},
	{"ALTER FUNCTION update_updated_at_column() OWNER TO dba; GRANT EXECUTE ON FUNCTION update_updated_at_column() TO sessionuser", "grants/sessionuser EXECUTE on function public.update_updated_at_column()", 0},

	// what PostgreSQL lets everybody do
	{"GRANT EXECUTE ON FUNCTION pg_terminate_backend TO PUBLIC", "grants/PUBLIC EXECUTE on pg_terminate_backend", 0},
	{"GRANT EXECUTE ON FUNCTION pg_cancel_backend, pg_terminate_backend TO PUBLIC", "grants/PUBLIC EXECUTE on 2 functions for ending sessions", 0},
	{"GRANT EXECUTE ON FUNCTION pg_cancel_backend TO dba WITH GRANT OPTION; SET ROLE dba; GRANT EXECUTE ON FUNCTION pg_cancel_backend TO PUBLIC; RESET ROLE", "grants/PUBLIC EXECUTE on function pg_catalog.pg_cancel_backend(integer)", 0},
	{"GRANT EXECUTE ON FUNCTION pg_terminate_backend TO sessionuser", "grants/sessionuser EXECUTE on function pg_catalog.pg_terminate_backend(integer,bigint)", 0},
	{"REVOKE EXECUTE ON FUNCTION pg_terminate_backend FROM pg_signal_backend", "grants/pg_signal_backend EXECUTE on pg_terminate_backend", 0},
	{"GRANT EXECUTE ON FUNCTION lo_import(text) TO sessionuser", "grants/sessionuser EXECUTE on function pg_catalog.lo_import(pg_catalog.text)", 0},
	{"GRANT USAGE ON LANGUAGE plpgsql TO sessionuser", "grants/sessionuser USAGE on language plpgsql", 0},
	{"GRANT SELECT ON pg_authid TO sessionuser", "grants/sessionuser SELECT on pg_catalog.pg_authid", 0},
	{"GRANT SELECT (rolpassword) ON pg_authid TO reader", "grants/reader SELECT on pg_catalog.pg_authid.rolpassword", 0},

	// what others own
	{`GRANT INSERT ON "their s".t TO sessionuser`, `grants/sessionuser INSERT on "their s".t`, 0},
	{`GRANT UPDATE (n) ON "their s".t TO reader WITH GRANT OPTION`, `grants/reader UPDATE on "their s".t.n`, 0},
	{`GRANT USAGE ON SEQUENCE "their s".t_n_seq TO sessionuser`, `grants/sessionuser USAGE on sequence "their s".t_n_seq`, 0},
	{`GRANT CREATE ON SCHEMA "their s" TO sessionuser`, `grants/sessionuser CREATE on schema "their s"`, 0},
	{`GRANT EXECUTE ON PROCEDURE "their s".p(int) TO sessionuser`, `grants/sessionuser EXECUTE on procedure "their s".p(integer)`, 0},
	{`GRANT EXECUTE ON FUNCTION "their s".f(text[]) TO sessionuser`, `grants/sessionuser EXECUTE on function "their s".f(pg_catalog.text[])`, 0},
	{`GRANT USAGE ON DOMAIN "their s".d TO sessionuser`, `grants/sessionuser USAGE on type "their s".d`, 0},
	{"GRANT USAGE ON FOREIGN DATA WRAPPER w TO sessionuser", "grants/sessionuser USAGE on foreign data wrapper w", 0},
	{"GRANT USAGE ON FOREIGN SERVER v TO sessionuser", "grants/sessionuser USAGE on foreign server v", 0},
	{"GRANT UPDATE ON LARGE OBJECT 4711 TO sessionuser", "grants/sessionuser UPDATE on large object 4711", 0},
	{"GRANT CREATE ON TABLESPACE pg_default TO sessionuser", "grants/sessionuser CREATE on tablespace pg_default", 0},
	{"GRANT SET ON PARAMETER session_replication_role TO sessionuser", "grants/sessionuser SET on parameter session_replication_role", 15},
	{"GRANT ALTER SYSTEM ON PARAMETER work_mem TO reader", "grants/reader ALTER SYSTEM on parameter work_mem", 15},

	// what will be made
	{"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO sessionuser", "grants/sessionuser SELECT on future tables of postgres", 0},
	{"ALTER DEFAULT PRIVILEGES FOR ROLE dba IN SCHEMA public GRANT USAGE ON SEQUENCES TO sessionuser WITH GRANT OPTION", "grants/sessionuser USAGE on future sequences of dba in schema public", 0},
	{"ALTER DEFAULT PRIVILEGES FOR ROLE sessiondb_owner GRANT SELECT ON TABLES TO PUBLIC", "grants/PUBLIC SELECT on future tables of sessiondb_owner", 0},
	{"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO PUBLIC", "grants/PUBLIC DELETE on future tables of postgres in schema public", 0},
	{"ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO PUBLIC", "grants/PUBLIC USAGE on future schemas of postgres", 0},
	{"ALTER DEFAULT PRIVILEGES FOR ROLE sessionuser GRANT EXECUTE ON FUNCTIONS TO reader", "grants/reader EXECUTE on future functions of sessionuser", 0},
}

// others are objects of somebody else that a right may be on.
const others = `CREATE SCHEMA "their s"; CREATE TABLE "their s".t (n serial); CREATE DOMAIN "their s".d AS int;
	CREATE PROCEDURE "their s".p(int) LANGUAGE sql AS ''; CREATE FUNCTION "their s".f(text[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
	CREATE FOREIGN DATA WRAPPER w; CREATE SERVER v FOREIGN DATA WRAPPER w; SELECT lo_create(4711)`

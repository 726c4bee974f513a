//go:build integration

package main

// doors of whoever owns something. Who owns the database owns schema public as well, from PostgreSQL 15 on.
var (
	ownsTable  = []string{"owning the table"}
	ownsPublic = []string{"owning schema public", "owning the database@15"}
	makesThere = append([]string{"objects in public"}, ownsPublic...)
	ownsBase   = []string{"owning the database"}
	always     = []string{"always"}
)

// leftover is a table that sessionuser made before it might not any more; it stays its own.
const leftover = "CREATE SCHEMA leftover; CREATE TABLE leftover.t (s uuid); CREATE TABLE leftover.f (line text); ALTER SCHEMA leftover OWNER TO sessionuser; ALTER TABLE leftover.t OWNER TO sessionuser; ALTER TABLE leftover.f OWNER TO sessionuser"

const noLeftover = "DROP SCHEMA leftover CASCADE"

// tableAttacks are about the sessions and what they are kept in.
var tableAttacks = []attack{
	{name: "empty the table", steps: []string{"BEGIN; TRUNCATE session"}, proof: "SELECT count(*) = 0 FROM session", doors: append([]string{"TRUNCATE"}, ownsTable...), code: "42501|25P02"},
	{name: "drop the table", steps: []string{"BEGIN; DROP TABLE session CASCADE"}, proof: "SELECT to_regclass('public.session') IS NULL", doors: append(ownsTable, ownsPublic...), code: "42501|25P02"},
	{name: "drop the trigger's function", steps: []string{"BEGIN; DROP FUNCTION update_updated_at_column() CASCADE"}, proof: "SELECT to_regproc('update_updated_at_column') IS NULL", doors: ownsPublic},
	{name: "drop the enum", steps: []string{"BEGIN; DROP TYPE inbox_status_enum CASCADE"}, proof: "SELECT to_regtype('inbox_status_enum') IS NULL", doors: ownsPublic},
	{name: "rename an enum's label", steps: []string{"BEGIN; ALTER TYPE inbox_status_enum RENAME VALUE 'failed' TO 'lost'"}, proof: "SELECT 'lost' = ANY (enum_range(NULL::inbox_status_enum)::text[])"},
	{name: "replace the trigger's function", steps: []string{"BEGIN; CREATE OR REPLACE FUNCTION update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"}, proof: "SELECT prosrc LIKE '%NULL%' FROM pg_proc WHERE proname = 'update_updated_at_column'"},
	{name: "alter a column", steps: []string{"BEGIN; ALTER TABLE session ALTER inbox_status TYPE text"}, proof: "SELECT atttypid = 'text'::regtype FROM pg_attribute WHERE attrelid = 'session'::regclass AND attname = 'inbox_status'", doors: ownsTable},
	{name: "rename a column", steps: []string{"BEGIN; ALTER TABLE session RENAME COLUMN messages TO m"}, proof: "SELECT count(*) = 1 FROM pg_attribute WHERE attrelid = 'session'::regclass AND attname = 'm'", doors: ownsTable},
	{name: "switch the trigger off", steps: []string{"BEGIN; ALTER TABLE session DISABLE TRIGGER update_session_updated_at"}, proof: "SELECT tgenabled = 'D' FROM pg_trigger WHERE tgname = 'update_session_updated_at'", doors: ownsTable},
	{name: "plant a trigger", steps: []string{"BEGIN; CREATE TRIGGER a BEFORE UPDATE ON session FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"}, proof: "SELECT count(*) = 1 FROM pg_trigger WHERE tgname = 'a'", doors: append([]string{"TRIGGER"}, ownsTable...)},
	{name: "plant a rule", steps: []string{"BEGIN; CREATE RULE a AS ON INSERT TO session DO INSTEAD NOTHING"}, proof: "SELECT count(*) = 1 FROM pg_rewrite WHERE rulename = 'a'", doors: ownsTable},
	{name: "hide rows by row security", steps: []string{"BEGIN; ALTER TABLE session ENABLE ROW LEVEL SECURITY"}, proof: "SELECT relrowsecurity FROM pg_class WHERE oid = 'session'::regclass", doors: ownsTable},
	{name: "keep rows by a foreign key", scene: leftover, steps: []string{"ALTER TABLE leftover.t ADD FOREIGN KEY (s) REFERENCES public.session"}, effect: "SELECT count(*) = 1 FROM pg_constraint WHERE conrelid = 'leftover.t'::regclass AND contype = 'f'", undo: noLeftover, doors: append([]string{"REFERENCES"}, ownsTable...)},
	{name: "inherit from the table", scene: leftover, steps: []string{"BEGIN; CREATE TABLE leftover.c () INHERITS (public.session)"}, proof: "SELECT count(*) = 1 FROM pg_inherits", undo: noLeftover, doors: ownsTable},
	{name: "give the table away", steps: []string{"GRANT SELECT ON session TO PUBLIC"}, effect: "SELECT count(*) > 0 FROM pg_class, aclexplode(relacl) WHERE oid = 'session'::regclass AND grantee = 0", undo: "REVOKE SELECT ON session FROM PUBLIC", doors: ownsTable, code: silent},
	{name: "write on the table's label", steps: []string{"COMMENT ON TABLE session IS 'owned'"}, effect: "SELECT obj_description('session'::regclass) = 'owned'", undo: "COMMENT ON TABLE session IS NULL", doors: ownsTable},
	{name: "label it for a security module", steps: []string{"SECURITY LABEL ON TABLE session IS 'secret'"}, effect: "SELECT count(*) > 0 FROM pg_seclabel", code: "22023", never: "no library of labels is loaded"},
	{name: "rewrite the table", steps: []string{"BEGIN; CLUSTER session USING session_pkey"}, proof: "SELECT relfilenode <> oid FROM pg_class WHERE oid = 'session'::regclass", doors: append([]string{"MAINTAIN@17"}, ownsTable...)},
	{name: "rebuild its indexes", steps: []string{"BEGIN; REINDEX TABLE session"}, proof: "SELECT count(*) > 0 FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'idx_session_parent'::regclass AND mode = 'AccessExclusiveLock'", doors: append([]string{"MAINTAIN@17"}, ownsTable...)},
	{name: "rebuild everything", try: rewrites("REINDEX SCHEMA public"), doors: ownsPublic},
	{name: "rewrite the table in full", try: rewrites("VACUUM (FULL) session"), doors: append([]string{"MAINTAIN@17", "owning the database"}, ownsTable...), code: silent},
	{name: "forge its statistics", steps: []string{"BEGIN; CREATE STATISTICS public.a ON parent, inbox_status FROM session"}, proof: "SELECT count(*) > 0 FROM pg_statistic_ext"},
	{name: "read the diary of migrations", steps: []string{"SELECT 'sessiondbd.migrations'::regclass"}, proof: "SELECT to_regclass('sessiondbd.migrations') IS NOT NULL", doors: []string{"the diary"}, code: "42501|42P01|3F000|silent"},
	{name: "forge the diary", steps: []string{"BEGIN; DELETE FROM sessiondbd.migrations"}, proof: "SELECT count(*) = 0 FROM sessiondbd.migrations", code: "42501|42P01|25P02"},

	{name: "read and delete every session", steps: []string{"BEGIN; DELETE FROM session"}, proof: "SELECT count(*) = 0 FROM session", doors: always, bound: "backup"},
	{name: "forge timestamps", steps: []string{"BEGIN; UPDATE session SET created_at = '2000-01-01'"}, proof: "SELECT bool_and(created_at < '2001-01-01') FROM session", doors: always, bound: "backup"},
	{name: "lock the table", steps: []string{"BEGIN; LOCK TABLE session IN ACCESS EXCLUSIVE MODE"}, effect: "SELECT count(*) = 1 FROM pg_locks WHERE relation = 'public.session'::regclass AND mode = 'AccessExclusiveLock' AND granted", doors: always, bound: "limits.transaction_age"},
	{name: "hold a transaction open", steps: []string{"BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM session LIMIT 1"}, effect: "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'attacker' AND backend_xmin IS NOT NULL", doors: always, bound: "limits.transaction_age"},
	{name: "fill the table", steps: []string{"BEGIN; INSERT INTO session (messages) SELECT to_jsonb(string_agg(md5(n::text), '')) FROM generate_series(1, 50000) n"}, proof: "SELECT pg_total_relation_size('session') > 1000000", doors: always, bound: "file system"},
}

// objectAttacks make something in the database that others would find, or that fills it.
var objectAttacks = []attack{
	{name: "make a table in public", steps: []string{"BEGIN; CREATE TABLE public.a (x int)"}, proof: "SELECT to_regclass('public.a') IS NOT NULL", doors: makesThere, code: "42501|25P02"},
	{name: "shadow a function", steps: []string{"BEGIN; CREATE FUNCTION public.jsonb_build_object(text, text) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb'"}, proof: "SELECT count(*) = 1 FROM pg_proc WHERE proname = 'jsonb_build_object' AND pronamespace = 'public'::regnamespace", doors: makesThere},
	{name: "shadow an operator", steps: []string{"BEGIN; CREATE OPERATOR public.= (LEFTARG = uuid, RIGHTARG = text, FUNCTION = pg_catalog.texteq)", "ROLLBACK; BEGIN; CREATE FUNCTION public.a(uuid, text) RETURNS bool LANGUAGE sql AS 'SELECT true'; CREATE OPERATOR public.= (LEFTARG = uuid, RIGHTARG = text, FUNCTION = public.a)"}, proof: "SELECT count(*) = 1 FROM pg_operator WHERE oprnamespace = 'public'::regnamespace", doors: makesThere, code: "42501|42883|25P02"},
	{name: "open public to others", scene: "CREATE ROLE stranger", steps: []string{"GRANT CREATE ON SCHEMA public TO stranger"}, effect: "SELECT count(*) > 0 FROM pg_namespace, aclexplode(nspacl) WHERE nspname = 'public' AND grantee = 'stranger'::regrole", undo: "DROP OWNED BY stranger; DROP ROLE stranger", doors: ownsPublic, code: "42501|silent"},
	{name: "make a schema", steps: []string{"BEGIN; CREATE SCHEMA a"}, proof: "SELECT to_regnamespace('a') IS NOT NULL", doors: append([]string{"schemas"}, ownsBase...), code: "42501|25P02"},
	{name: "install a trusted extension", steps: []string{"BEGIN; CREATE EXTENSION pgcrypto"}, proof: "SELECT count(*) = 1 FROM pg_extension WHERE extname = 'pgcrypto'", doors: append([]string{"schemas"}, ownsBase...), code: "42501|25P02"},
	{name: "install dblink", steps: []string{"BEGIN; CREATE EXTENSION dblink"}, proof: "SELECT count(*) = 1 FROM pg_extension WHERE extname = 'dblink'"},
	{name: "install postgres_fdw", steps: []string{"BEGIN; CREATE EXTENSION postgres_fdw"}, proof: "SELECT count(*) = 1 FROM pg_extension WHERE extname = 'postgres_fdw'"},
	{name: "make a function of the server's own code", scene: leftover, steps: []string{"CREATE FUNCTION leftover.a() RETURNS int LANGUAGE internal AS 'pg_backend_pid'"}, effect: "SELECT count(*) = 1 FROM pg_proc WHERE pronamespace = 'leftover'::regnamespace", undo: noLeftover},
	{name: "publish changes", steps: []string{"BEGIN; CREATE PUBLICATION a"}, proof: "SELECT count(*) = 1 FROM pg_publication", doors: append([]string{"schemas"}, ownsBase...)},
	{name: "subscribe elsewhere", steps: []string{"BEGIN; CREATE SUBSCRIPTION a CONNECTION 'host=10.1.0.7' PUBLICATION a WITH (connect = false)"}, proof: "SELECT count(subname) = 1 FROM pg_subscription", code: "42501|25P02"},
	{name: "make an event trigger", scene: leftover + "; CREATE FUNCTION leftover.a() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'", steps: []string{"BEGIN; CREATE EVENT TRIGGER a ON ddl_command_end EXECUTE FUNCTION leftover.a()"}, proof: "SELECT count(*) = 1 FROM pg_event_trigger", undo: noLeftover},
	{name: "make a foreign-data wrapper", steps: []string{"BEGIN; CREATE FOREIGN DATA WRAPPER a"}, proof: "SELECT count(*) = 1 FROM pg_foreign_data_wrapper WHERE fdwname = 'a'"},
	{name: "fill temporary tables", steps: []string{"CREATE TEMP TABLE a AS SELECT md5(n::text) FROM generate_series(1, 10000) n"}, proof: "SELECT pg_relation_size('a') > 500000", doors: append([]string{"temporary tables"}, ownsBase...), code: "42501|42P01"},
	{name: "fill large objects", steps: []string{"SELECT lo_from_bytea(77777, decode(repeat('ab', 1000000), 'hex'))"}, effect: "SELECT sum(octet_length(data)) > 900000 FROM pg_largeobject WHERE loid = 77777", undo: "SELECT count(lo_unlink(oid)) FROM pg_largeobject_metadata WHERE oid = 77777", doors: []string{"large objects"}, bound: "file system"},
	{name: "fill the WAL", try: emitMessages, doors: []string{"logical messages"}, bound: "file system"},
	{name: "set the database's defaults", steps: []string{"ALTER DATABASE sessiondb SET default_transaction_read_only = on"}, effect: "SELECT count(*) > 0 FROM pg_db_role_setting WHERE setrole = 0", undo: "ALTER DATABASE sessiondb RESET default_transaction_read_only", doors: ownsBase},
	{name: "shut the database", steps: []string{"ALTER DATABASE sessiondb CONNECTION LIMIT 0"}, effect: "SELECT datconnlimit = 0 FROM pg_database WHERE datname = 'sessiondb'", undo: "ALTER DATABASE sessiondb CONNECTION LIMIT -1", doors: ownsBase},
	{name: "open the database to others", scene: "CREATE ROLE stranger", steps: []string{"GRANT CREATE ON DATABASE sessiondb TO stranger"}, effect: "SELECT has_database_privilege('stranger', 'sessiondb', 'CREATE')", undo: "DROP OWNED BY stranger; DROP ROLE stranger", doors: ownsBase, code: "42501|silent"},
	{name: "drop the database", steps: []string{"DROP DATABASE sessiondb WITH (FORCE)"}, code: "42501|55006", never: "not from inside it"},
}

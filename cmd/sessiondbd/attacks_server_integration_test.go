//go:build integration

package main

// noFile removes what an attack wrote.
const noFile = "COPY (SELECT) TO PROGRAM 'cat; rm -f FOLDER/attack'"

// alone takes sessionuser out of every role.
const alone = "DELETE FROM pg_auth_members WHERE member = 'sessionuser'::regrole"

// roleAttacks are about who the attacker is.
var roleAttacks = []attack{
	{name: "become superuser", steps: []string{"ALTER ROLE sessionuser SUPERUSER"}, effect: "SELECT rolsuper FROM pg_roles WHERE rolname = 'sessionuser'"},
	{name: "lift its own connection limit", steps: []string{"ALTER ROLE sessionuser CONNECTION LIMIT 77"}, effect: "SELECT rolconnlimit = 77 FROM pg_roles WHERE rolname = 'sessionuser'", undo: "UPDATE pg_authid SET rolconnlimit = 10 WHERE rolname = 'sessionuser' AND rolconnlimit = 77", doors: []string{"CREATEROLE<16"}},
	{name: "make its password last for ever", steps: []string{"ALTER ROLE sessionuser VALID UNTIL '2099-01-01'"}, effect: "SELECT rolvaliduntil = '2099-01-01' FROM pg_roles WHERE rolname = 'sessionuser'", undo: "ALTER ROLE sessionuser VALID UNTIL 'infinity'", doors: []string{"CREATEROLE<16"}},
	{name: "make a role", steps: []string{"CREATE ROLE a LOGIN PASSWORD 'a'"}, effect: "SELECT count(*) = 1 FROM pg_roles WHERE rolname = 'a'", undo: "DROP ROLE IF EXISTS a", doors: []string{"CREATEROLE"}},
	{name: "rename itself", steps: []string{"ALTER ROLE sessionuser RENAME TO a"}, effect: "SELECT count(*) = 1 FROM pg_roles WHERE rolname = 'a'", undo: "UPDATE pg_authid SET rolname = 'sessionuser' WHERE rolname = 'a'", code: "42501|0A000", never: "not while it is logged in"},
	{name: "mark itself as half made", steps: []string{"COMMENT ON ROLE sessionuser IS 'sessiondbd made this role; LOGIN follows once its grants are in place'"}, effect: "SELECT shobj_description('sessionuser'::regrole, 'pg_authid') IS NOT NULL", undo: "COMMENT ON ROLE sessionuser IS NULL", doors: []string{"CREATEROLE<16"}},
	{name: "make a database", steps: []string{"CREATE DATABASE a TEMPLATE template0"}, effect: "SELECT count(*) = 1 FROM pg_database WHERE datname = 'a'", undo: "DROP DATABASE IF EXISTS a", doors: []string{"CREATEDB"}},
	{name: "take the owner's role", steps: []string{"SET ROLE sessiondb_owner"}, proof: "SELECT current_user = 'sessiondb_owner'", code: "42501|22023"},
	{name: "take the administrator's role", steps: []string{"SET SESSION AUTHORIZATION postgres"}, proof: "SELECT current_user = 'postgres'"},
	{name: "join the readers of everything", steps: []string{"GRANT pg_read_all_data TO sessionuser"}, effect: "SELECT pg_has_role('sessionuser', 'pg_read_all_data', 'MEMBER')", undo: alone, doors: []string{"CREATEROLE<16"}},
	{name: "join the owner", steps: []string{"GRANT sessiondb_owner TO sessionuser"}, effect: "SELECT count(*) > 0 FROM pg_auth_members WHERE pg_get_userbyid(member) = 'sessionuser'", undo: alone, doors: []string{"CREATEROLE<16"}, code: "42501|42704"},
	{name: "lend itself to another role", scene: "CREATE ROLE stranger", steps: []string{"GRANT sessionuser TO stranger"}, effect: "SELECT pg_has_role('stranger', 'sessionuser', 'MEMBER')", undo: "DROP ROLE stranger", doors: []string{"always<15", "CREATEROLE<16"}, bound: "membership"},
	{name: "take over what the owner has", steps: []string{"BEGIN; REASSIGN OWNED BY sessiondb_owner TO sessionuser"}, proof: "SELECT typowner = 'sessionuser'::regrole FROM pg_type WHERE typname = 'inbox_status_enum'", code: "42501|42704"},
	{name: "drop what the owner has", steps: []string{"BEGIN; DROP OWNED BY sessiondb_owner CASCADE"}, proof: "SELECT to_regclass('session') IS NULL", code: "42501|42704"},
	{name: "read the verifiers", steps: []string{"SELECT rolpassword FROM pg_authid"}, proof: "SELECT count(rolpassword) > 0 FROM pg_authid"},
	{name: "read the verifiers of users", steps: []string{"SELECT passwd FROM pg_shadow"}, proof: "SELECT count(passwd) > 0 FROM pg_shadow"},
	{name: "change its own password", steps: []string{"ALTER ROLE sessionuser PASSWORD 'stolen'"}, scene: "CREATE SCHEMA kept; CREATE TABLE kept.verifier AS SELECT rolpassword FROM pg_authid WHERE rolname = 'sessionuser'", effect: "SELECT a.rolpassword <> v.rolpassword FROM pg_authid a, kept.verifier v WHERE rolname = 'sessionuser'", undo: "DROP SCHEMA kept CASCADE; ALTER ROLE sessionuser PASSWORD 'sessionpass123'", doors: always, bound: "reconcile.interval"},
	{name: "change its own settings", steps: []string{"ALTER ROLE sessionuser SET default_transaction_read_only = on"}, effect: "SELECT count(*) > 0 FROM pg_db_role_setting WHERE setrole = 'sessionuser'::regrole AND setconfig::text LIKE '%read_only%'", undo: "ALTER ROLE sessionuser RESET default_transaction_read_only", doors: always, bound: "reconcile.interval"},
	{name: "preset rights on what it makes", steps: []string{"BEGIN; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC"}, proof: "SELECT count(*) > 0 FROM pg_default_acl", doors: always, bound: "makes nothing"},
}

// serverAttacks are about the machine: its files, its log, its WAL.
var serverAttacks = []attack{
	{name: "run a program", steps: []string{"COPY (SELECT 1) TO PROGRAM 'touch FOLDER/attack'"}, effect: "SELECT (pg_stat_file('FOLDER/attack', true)).size IS NOT NULL", undo: noFile},
	{name: "write a file", steps: []string{"COPY (SELECT 1) TO 'FOLDER/attack'"}, effect: "SELECT (pg_stat_file('FOLDER/attack', true)).size IS NOT NULL", undo: noFile},
	{name: "read a file by COPY", scene: leftover, steps: []string{"COPY leftover.f FROM '/etc/passwd'"}, effect: "SELECT count(*) > 0 FROM leftover.f", undo: noLeftover},
	{name: "read a file", steps: []string{"SELECT pg_read_file('pg_hba.conf')"}, proof: "SELECT length(pg_read_file('pg_hba.conf')) > 0"},
	{name: "read a binary file", steps: []string{"SELECT pg_read_binary_file('global/pg_control')"}, proof: "SELECT length(pg_read_binary_file('global/pg_control')) > 0"},
	{name: "list the data folder", steps: []string{"SELECT pg_ls_dir('.')"}, proof: "SELECT count(*) > 0 FROM pg_ls_dir('.')"},
	{name: "list the WAL", steps: []string{"SELECT pg_ls_waldir()"}, proof: "SELECT count(*) > 0 FROM pg_ls_waldir()"},
	{name: "read pg_hba.conf's rules", steps: []string{"SELECT * FROM pg_hba_file_rules"}, proof: "SELECT count(*) > 0 FROM pg_hba_file_rules"},
	{name: "import a file as a large object", steps: []string{"SELECT lo_import('/etc/passwd')"}, effect: "SELECT count(*) > 0 FROM pg_largeobject_metadata"},
	{name: "export a large object to a file", steps: []string{"SELECT lo_create(78787)", "SELECT lo_export(78787, 'FOLDER/attack')"}, effect: "SELECT (pg_stat_file('FOLDER/attack', true)).size IS NOT NULL", undo: noFile + "; SELECT count(lo_unlink(oid)) FROM pg_largeobject_metadata WHERE oid = 78787"},
	{name: "load a library", steps: []string{"LOAD 'auto_explain'"}},
	{name: "switch triggers off", steps: []string{"SET session_replication_role = replica"}, proof: "SELECT current_setting('session_replication_role') = 'replica'"},
	{name: "hide from the log", steps: []string{"SET log_min_messages = panic"}, proof: "SELECT current_setting('log_min_messages') = 'panic'"},
	{name: "flood the log", steps: []string{"SET log_statement = 'all'"}, proof: "SELECT current_setting('log_statement') = 'all'"},
	{name: "change the server's settings", steps: []string{"ALTER SYSTEM SET work_mem = '1GB'"}, effect: "SELECT count(*) > 0 FROM pg_file_settings WHERE name = 'work_mem'"},
	{name: "reload the server", steps: []string{"SELECT pg_reload_conf()"}},
	{name: "rotate the log", steps: []string{"SELECT pg_rotate_logfile()"}},
	{name: "switch the WAL", try: switchesWAL},
	{name: "make a restore point", steps: []string{"SELECT pg_create_restore_point('a')"}},
	{name: "promote the server", steps: []string{"SELECT pg_promote()"}, never: "it is no standby"},
	{name: "force a checkpoint", steps: []string{"CHECKPOINT"}},
	{name: "reset the statistics", steps: []string{"SELECT pg_stat_reset()"}},
	{name: "make a tablespace", scene: "COPY (SELECT) TO PROGRAM 'cat; mkdir -p FOLDER/space'", steps: []string{"CREATE TABLESPACE a LOCATION 'FOLDER/space'"}, effect: "SELECT count(*) > 2 FROM pg_tablespace"},
	{name: "keep the WAL by a slot", steps: []string{"SELECT pg_create_physical_replication_slot('a', true)"}, effect: "SELECT count(*) = 1 FROM pg_replication_slots", undo: "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots", doors: []string{"REPLICATION"}},
	{name: "stream the cluster", try: streams("replication=true"), effect: "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'streamer'", code: "28000|42501", never: "pg_hba.conf has no rule for it"},
	{name: "open a replication connection to the database", try: streams("replication=database"), effect: "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'streamer'", doors: []string{"REPLICATION"}},
	{name: "leave a prepared transaction", steps: []string{"BEGIN; INSERT INTO session DEFAULT VALUES; PREPARE TRANSACTION 'a'"}, effect: "SELECT count(*) > 0 FROM pg_prepared_xacts", code: "55000", never: "max_prepared_transactions is 0"},
	{name: "register a replication origin", steps: []string{"SELECT pg_replication_origin_create('a')"}, effect: "SELECT count(*) > 0 FROM pg_replication_origin"},
	{name: "log in to the maintenance database", try: reaches("postgres"), effect: "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'elsewhere'", doors: []string{"pg_hba"}, code: "28000"},
	{name: "log in to the template", try: reaches("template1"), effect: "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'elsewhere'", doors: []string{"pg_hba"}, code: "28000"},
	{name: "squat on the daemon's lock", try: squats, effect: "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = 'postgres')", doors: []string{"pg_hba"}, code: "28000"},
}

// neighbourAttacks are about the other VMs, which log in as the same role.
var neighbourAttacks = []attack{
	{name: "end others' sessions", try: joined("SELECT pg_terminate_backend(pid, 3000) FROM pg_stat_activity WHERE application_name = 'victim'"), effect: "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'victim'", doors: []string{"ending sessions"}},
	{name: "cancel others' queries", try: joined("SELECT pg_cancel_backend(pid), pg_sleep(0.1) FROM pg_stat_activity WHERE application_name = 'victim'"), effect: "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'victim' AND state = 'active'", doors: []string{"ending sessions"}},
	{name: "guess the key of a cancel request", try: guessesKey, effect: "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'victim' AND state = 'active'", code: silent, never: "the key is random"},
	{name: "end the administrator's session", try: endsAdministrator, effect: "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'keeper'"},
	{name: "read others' queries", try: joined("SELECT 1"), proof: "SELECT query LIKE '%pg_sleep%' FROM pg_stat_activity WHERE application_name = 'victim'", doors: always, bound: "role of its own"},
	{name: "squat on advisory locks", steps: []string{"SELECT pg_advisory_lock(n) FROM generate_series(1, 100) n"}, effect: "SELECT count(*) = 100 FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'", doors: []string{"advisory locks"}, bound: "maintenance database"},
	{name: "flood NOTIFY", steps: []string{"LISTEN a", "BEGIN; SELECT 1"}, try: floods, effect: "SELECT pg_notification_queue_usage() > 0", doors: always, bound: "limits.transaction_age"},
	{name: "loop in DO", steps: []string{"DO 'BEGIN FOR i IN 1..1000 LOOP PERFORM i; END LOOP; PERFORM set_config(''a.looped'', ''t'', false); END'"}, proof: "SELECT current_setting('a.looped')", doors: []string{"DO"}, bound: "limits.transaction_age", code: "42501|42704"},
	{name: "loop in a query", steps: []string{"SET statement_timeout = 0; SELECT count(*) FROM generate_series(1, 200000)"}, proof: "SELECT current_setting('statement_timeout') = '0'", doors: always, bound: "limits.transaction_age"},
	{name: "take much memory", steps: []string{"SET work_mem = '1GB'; SET hash_mem_multiplier = 1000"}, proof: "SELECT current_setting('work_mem') = '1GB'", doors: always, bound: "connection_limit"},
	{name: "hoard prepared statements", steps: []string{"PREPARE a AS SELECT 1; PREPARE b AS SELECT 2"}, proof: "SELECT count(*) = 2 FROM pg_prepared_statements", doors: always, bound: "connection_limit"},
	{name: "use all processors", steps: []string{"SET max_parallel_workers_per_gather = 64; SET parallel_setup_cost = 0"}, proof: "SELECT current_setting('max_parallel_workers_per_gather') = '64'", doors: always, bound: "max_parallel_workers"},
	{name: "burn transaction ids", try: burns, doors: always, bound: "autovacuum"},
	{name: "take all connections", try: exhausts, effect: "SELECT count(*) > 12 FROM pg_stat_activity WHERE usename = 'sessionuser'", doors: []string{"connection limit"}, code: "53300"},
	{name: "spill into temporary files", steps: []string{"SET work_mem = '64kB'", "SELECT set_config('a.sorted', count(*)::text, false) FROM (SELECT md5(n::text) FROM generate_series(1, 100000) n ORDER BY 1) s"}, proof: "SELECT current_setting('a.sorted', true) = '100000'", doors: []string{"temp_file_limit"}, code: "53400", never: "it would lift the limit first"},
	{name: "keep a held cursor's file", steps: []string{"SET work_mem = '64kB'; BEGIN; DECLARE a CURSOR WITH HOLD FOR SELECT md5(n::text) FROM generate_series(1, 100000) n; COMMIT"}, proof: "SELECT count(*) = 1 FROM pg_cursors", doors: []string{"temp_file_limit"}, code: "53400", never: "it would lift the limit first"},
	{name: "lift its own temp_file_limit", steps: []string{"ALTER ROLE sessionuser RESET ALL; ALTER ROLE sessionuser IN DATABASE sessiondb RESET ALL", "SET temp_file_limit = -1"}, proof: "SELECT current_setting('temp_file_limit') = '-1'", effect: "SELECT count(*) = 0 FROM pg_db_role_setting WHERE setconfig::text LIKE '%temp_file_limit%'", doors: []string{"temp_file_limit"}},
}

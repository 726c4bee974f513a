//go:build integration

package role

import "slices"

// provocation is what hands, or the role itself, may do to a converged host.
type provocation struct {
	sql   string // of an administrator, in the session database; it may come after any others, more than once
	field string // what the repair is called
	since int    // the first major version that has it; 0: all of them
}

// provocations are repaired one by one, in any selection, and all at once. What a role is stands in this file, what it may do
// in drift_acl_test.go.
var provocations = slices.Concat(roleProvocations, aclProvocations)

var roleProvocations = []provocation{
	{"ALTER ROLE sessionuser SUPERUSER", "role/sessionuser SUPERUSER", 0},
	{"ALTER ROLE sessionuser CREATEDB", "role/sessionuser CREATEDB", 0},
	{"ALTER ROLE sessionuser CREATEROLE", "role/sessionuser CREATEROLE", 0},
	{"ALTER ROLE sessionuser REPLICATION", "role/sessionuser REPLICATION", 0},
	{"ALTER ROLE sessionuser BYPASSRLS", "role/sessionuser BYPASSRLS", 0},
	{"ALTER ROLE sessionuser NOINHERIT", "role/sessionuser INHERIT", 0},
	{"ALTER ROLE sessionuser CONNECTION LIMIT -1", "role/sessionuser connection limit", 0},
	{"ALTER ROLE sessionuser PASSWORD 'other'", "role/sessionuser password", 0},
	{"ALTER ROLE sessionuser VALID UNTIL '2099-01-01'", "role/sessionuser valid until", 0},
	{"ALTER ROLE sessionuser VALID UNTIL '-infinity'", "role/sessionuser valid until", 0},
	{"GRANT pg_execute_server_program TO sessionuser", "role/sessionuser membership in pg_execute_server_program", 0},
	{"GRANT dba TO sessionuser WITH ADMIN OPTION; SET ROLE sessionuser; GRANT dba TO guest; RESET ROLE", "role/sessionuser membership in dba", 0},
	{"GRANT guest TO sessionuser WITH INHERIT FALSE, SET FALSE", "role/sessionuser membership in guest", 16},
	{"GRANT team TO dba WITH ADMIN OPTION; GRANT team TO sessionuser; GRANT team TO sessionuser GRANTED BY dba", "role/sessionuser membership in team", 16},
	{"GRANT sessionuser TO reader", "role/reader membership in sessionuser", 0},
	{"GRANT sessiondb_owner TO sessionuser", "role/sessionuser membership in sessiondb_owner", 0},
	{"GRANT pg_monitor TO sessiondb_owner", "role/sessiondb_owner membership in pg_monitor", 0},
	{"ALTER ROLE sessionuser SET search_path = evil, \"$user\", public", "role/sessionuser search_path in all databases", 0},
	{"ALTER ROLE sessionuser IN DATABASE sessiondb SET default_transaction_read_only = on", "role/sessionuser default_transaction_read_only", 0},
	{"ALTER ROLE reader IN DATABASE postgres SET statement_timeout = 1", "role/reader statement_timeout in database postgres", 0},
	{"ALTER ROLE sessionuser SET role = 'dba'", "role/sessionuser role in all databases", 0},
	{"ALTER ROLE sessionuser SET session_preload_libraries = 'auto_explain'", "role/sessionuser session_preload_libraries in all databases", 0},
	{"ALTER ROLE sessionuser SET my.setting = 'a=b'", "role/sessionuser my.setting in all databases", 0},
	{"ALTER ROLE sessionuser IN DATABASE sessiondb SET statement_timeout = '1ms'", "role/sessionuser statement_timeout", 0},
	{"ALTER ROLE sessionuser IN DATABASE sessiondb SET temp_file_limit = -1", "role/sessionuser temp_file_limit", 0},
	{"ALTER ROLE sessionuser IN DATABASE sessiondb RESET ALL", "role/sessionuser temp_file_limit", 0},
	{"ALTER ROLE reader IN DATABASE sessiondb RESET sessiondbd.declared", "role/reader sessiondbd.declared", 0},
	{"UPDATE pg_db_role_setting SET setconfig = setconfig || '{gone=1,pg_stat_statements.gone=1}' WHERE setrole = 'sessionuser'::regrole AND setdatabase <> 0", "role/sessionuser gone", 0},
	{"ALTER ROLE sessiondb_owner LOGIN", "role/sessiondb_owner LOGIN", 0},
	{"ALTER ROLE sessiondb_owner CREATEROLE", "role/sessiondb_owner CREATEROLE", 0},
}

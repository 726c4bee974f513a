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
	{"ALTER ROLE sessiondb_owner LOGIN", "role/sessiondb_owner LOGIN", 0},
	{"ALTER ROLE sessiondb_owner CREATEROLE", "role/sessiondb_owner CREATEROLE", 0},
}

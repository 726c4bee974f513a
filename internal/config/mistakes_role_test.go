package config

// roleMistakes are values of the database or of roles.
var roleMistakes = []mistake{
	// database
	{
		`database: {url: ''}`,
		`1:17: database.url: must not be empty`,
	},
	{
		`database: {url: localhost}`,
		`1:17: database.url: must be a URL (postgres://…) or keywords with values (host=… dbname=…)`,
	},
	{
		`database: {url: "a=b\n"}`,
		`1:17: database.url: must not hold control characters or line breaks`,
	},
	{
		`database: {url: 'host=h password=(hidden)'}`,
		`1:17: database.url: holds (hidden), which config show prints in place of a password; put the password back`,
	},
	{
		`database: {os_user: ''}`,
		`1:21: database.os_user: must be the name of a system user, not ""`,
	},
	{
		`database: {os_user: 'a b'}`,
		`1:21: database.os_user: must be the name of a system user, not "a b"`,
	},
	{
		`database: {os_user: '-a'}`,
		`1:21: database.os_user: must be the name of a system user, not "-a"`,
	},
	{
		`database: {name: ''}`,
		`1:18: database.name: must not be empty`,
	},
	{
		`database: {name: postgres}`,
		`1:18: database.name: postgres belongs to PostgreSQL; name a database of your own`,
	},
	{
		`database: {name: template1}`,
		`1:18: database.name: template1 belongs to PostgreSQL; name a database of your own`,
	},
	{
		`database: {name: replication}`,
		`1:18: database.name: replication has a meaning of its own in pg_hba.conf; choose another name`,
	},
	{
		`database: {name: Sessions}`,
		`1:18: database.name: must start with a-z or _ and continue with a-z, 0-9, _, $ or -, not "Sessions"`,
	},
	{
		`database: {name: 1a}`,
		`1:18: database.name: must start with a-z or _ and continue with a-z, 0-9, _, $ or -, not "1a"`,
	},
	{
		`database: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}`,
		`1:18: database.name: must be at most 63 bytes, not 64; PostgreSQL would cut it off`,
	},
	{
		`database: {name: true}`,
		`1:18: database.name: must be a string, but YAML takes this for a boolean; put it in quotes`,
	},
	// roles
	{
		`roles: [{access: none}]`,
		`1:9: roles[0]: needs name`,
	},
	{
		`roles: [{nmae: a}]`,
		"1:9: roles[0]: needs name\n1:10: roles[0].nmae: unknown key; did you mean name?",
	},
	{
		`roles: [{name: a}, {name: b}, {name: a}]`,
		`1:38: roles[2].name: "a" repeats roles[0].name`,
	},
	{
		`roles: [{name: postgres}]`,
		`1:16: roles[0].name: postgres is the administrator's role; name one for the application`,
	},
	{
		`roles: [{name: sessiondb_owner}]`,
		`1:16: roles[0].name: sessiondb_owner owns the database and must not log in; choose another name`,
	},
	{
		`roles: [{name: pg_monitor}]`,
		`1:16: roles[0].name: must not start with pg_, which PostgreSQL keeps for its own roles`,
	},
	{
		`roles: [{name: public}]`,
		`1:16: roles[0].name: public has a meaning of its own in PostgreSQL; choose another name`,
	},
	{
		`roles: [{name: 'a"b'}]`,
		`1:16: roles[0].name: must start with a-z or _ and continue with a-z, 0-9, _, $ or -, not "a\"b"`,
	},
	{
		`roles: [{name: "a\0"}]`,
		`1:16: roles[0].name: must start with a-z or _ and continue with a-z, 0-9, _, $ or -, not "a\x00"`,
	},
	{
		`roles: [{name: a, access: write}]`,
		`1:27: roles[0].access: must be readwrite, readonly or none, not "write"`,
	},
	{
		`roles: [{name: a, connection_limit: -2}]`,
		`1:37: roles[0].connection_limit: must be from -1 to 10000, not -2`,
	},
	{
		`roles: [{name: a, connection_limit: 10001}]`,
		`1:37: roles[0].connection_limit: must be from -1 to 10000, not 10001`,
	},
	{
		`roles: [{name: a, temp_file_limit: 64M}]`,
		`1:36: roles[0].temp_file_limit: must be a size with its unit (kB, MB, GB or TB), such as 64MB, or -1 for none, not "64M"`,
	},
	{
		`roles: [{name: a, temp_file_limit: 65536}]`,
		`1:36: roles[0].temp_file_limit: must be a size with its unit (kB, MB, GB or TB), such as 64MB, or -1 for none, not "65536"`,
	},
	{
		`roles: [{name: a, temp_file_limit: '-1'}]`,
		`1:36: roles[0].temp_file_limit: must be a size with its unit (kB, MB, GB or TB), such as 64MB, or -1 for none, not "-1"`,
	},
	{
		`roles: [{name: a, temp_file_limit: 2147483648kB}]`,
		`1:36: roles[0].temp_file_limit: must be less than 2TB, or -1 for none, not "2147483648kB"`,
	},
	{
		`roles: [{name: a, temp_file_limit: 9999999999TB}]`,
		`1:36: roles[0].temp_file_limit: must be less than 2TB, or -1 for none, not "9999999999TB"`,
	},
	{
		`roles: [{name: a, temp_file_limit: }]`,
		`1:36: roles[0].temp_file_limit: has no value; give one, or remove the key`,
	},
	{
		`roles: [{name: a, statement_timeout: 30}]`,
		`1:38: roles[0].statement_timeout: must be a duration with its unit, such as 30s or 5m, or 0 for none, not "30"`,
	},
	{
		`roles: [{name: a, statement_timeout: 99ms}]`,
		`1:38: roles[0].statement_timeout: must be from 100ms to 24h, or 0 for none, not "99ms"`,
	},
	{
		`roles: [{name: a, statement_timeout: -1s}]`,
		`1:38: roles[0].statement_timeout: must be from 100ms to 24h, or 0 for none, not "-1s"`,
	},
	{
		`roles: [{name: a, statement_timeout: 100.5ms}]`,
		`1:38: roles[0].statement_timeout: must be whole milliseconds, PostgreSQL's unit`,
	},
	{
		`roles: [{name: a, idle_in_transaction_session_timeout: 24h1s}]`,
		`1:56: roles[0].idle_in_transaction_session_timeout: must be from 100ms to 24h, or 0 for none, not "24h1s"`,
	},
	{
		`roles: [{name: a, statement_timeout: [1s]}]`,
		`1:38: roles[0].statement_timeout: must be a string, not a list`,
	},
	{
		`roles: [{name: a, temp_file_limits: 1GB}]`,
		`1:19: roles[0].temp_file_limits: unknown key; did you mean temp_file_limit?`,
	},
	{
		`roles: [{name: a, networks: [vm9]}]`,
		`1:30: roles[0].networks[0]: no network is named "vm9"; did you mean vm1?`,
	},
	{
		`roles: [{name: a, networks: [gateway]}]`,
		`1:30: roles[0].networks[0]: no network is named "gateway"; add it to networks`,
	},
	{
		`roles: [{name: a, networks: [vm1, vm2, vm1]}]`,
		`1:40: roles[0].networks[2]: "vm1" repeats roles[0].networks[0]`,
	},
	{
		`roles: [{name: a, networks: }]`,
		`1:29: roles[0].networks: has no value; give a list, [] for no network, or remove the key for all`,
	},
	{
		`roles: [{name: a, networks: vm1}]`,
		`1:29: roles[0].networks: must be a list, not a string`,
	},
	{
		`roles: [{name: a, networks: [1]}]`,
		`1:30: roles[0].networks[0]: must be a string, but YAML takes this for an integer; put it in quotes`,
	},
	{
		"networks: []\nroles: [{name: a, networks: [vm1]}]",
		`2:30: roles[0].networks[0]: no network is named "vm1"; add it to networks`,
	},
	{
		`roles: [{name: a, networks: [null]}]`,
		`1:30: roles[0].networks[0]: has no value; give one, or remove the key`,
	},
	{
		`roles: [{name: a, networks: ['A b']}]`,
		`1:30: roles[0].networks[0]: must be 1 to 32 of a-z, 0-9 and -, not starting with -, not "A b"`,
	},
	{
		"roles:\n  -\n  - name: a",
		`2:4: roles[0]: needs name`,
	},
	{
		"firewall: {port: 1, prot: x, backend: of, allow: {}}\nserver: {listen: gateway}\nfoo: {}\nroles: [{name: A, access: x}]",
		"1:21: firewall.prot: unknown key; did you mean port?\n1:39: firewall.backend: must be auto, nft, legacy or off, not \"of\"\n1:50: firewall.allow: must be a list, not a mapping\n2:18: server.listen: must be all or gateways, not \"gateway\"\n3:1: foo: unknown key; known here: database, roles, networks, firewall, server, hardening, limits, reconcile, retention and backup\n4:16: roles[0].name: must start with a-z or _ and continue with a-z, 0-9, _, $ or -, not \"A\"\n4:27: roles[0].access: must be readwrite, readonly or none, not \"x\"",
	},
	{
		"database: {}\n---\n[",
		`3: YAML: did not find expected node content`,
	},
	{
		"foo: 1\n---\nbar: 1",
		"1:1: foo: unknown key; known here: database, roles, networks, firewall, server, hardening, limits, reconcile, retention and backup\n2:1: a second YAML document starts here; the config is one document",
	},
	// password
	{
		`roles: [{name: a, password: {}}]`,
		`1:29: roles[0].password: needs credential, file or initial; remove it to leave the role's password alone`,
	},
	{
		`roles: [{name: a, password: x}]`,
		`1:29: roles[0].password: must be a mapping with credential, file and initial, not a string`,
	},
	{
		`roles: [{name: a, password: {credential: a, file: b}}]`,
		`1:29: roles[0].password: credential and file exclude each other; keep the one that holds the password`,
	},
	{
		`roles: [{name: a, password: {initail: x}}]`,
		`1:30: roles[0].password.initail: unknown key; did you mean initial?`,
	},
	{
		`roles: [{name: a, password: {foo: x}}]`,
		`1:30: roles[0].password: holds an unknown key; known here: credential, file and initial (a key ends with a colon before a space)`,
	},
	{
		`roles: [{name: a, password: {credential: a/b}}]`,
		`1:42: roles[0].password.credential: must be the name of a credential without a slash; a path belongs into file`,
	},
	{
		`roles: [{name: a, password: {credential: ''}}]`,
		`1:42: roles[0].password.credential: must be the name of a credential: letters, digits, and any of : . _ - @`,
	},
	{
		`roles: [{name: a, password: {credential: ..}}]`,
		`1:42: roles[0].password.credential: must be the name of a credential: letters, digits, and any of : . _ - @`,
	},
	{
		`roles: [{name: a, password: {file: ''}}]`,
		`1:36: roles[0].password.file: must not be empty`,
	},
	{
		`roles: [{name: a, password: {file: a/}}]`,
		`1:36: roles[0].password.file: must be a file, not a folder`,
	},
	{
		`roles: [{name: a, password: {file: "a\0"}}]`,
		`1:36: roles[0].password.file: must not hold control characters or line breaks`,
	},
	{
		`roles: [{name: a, password: {initial: }}]`,
		`1:39: roles[0].password.initial: has no value; give one, or remove the key`,
	},
	{
		`roles: [{name: a, password: {initial: ''}}]`,
		`1:39: roles[0].password.initial: must not be empty; PostgreSQL refuses every login with an empty password`,
	},
	{
		`roles: [{name: a, password: {initial: 1234}}]`,
		`1:39: roles[0].password.initial: must be a string, but YAML takes this for an integer; put it in quotes`,
	},
	{
		`roles: [{name: a, password: {initial: é}}]`,
		`1:39: roles[0].password.initial: must be printable ASCII; clients normalise other characters differently`,
	},
	{
		`roles: [{name: a, password: {initial: "a\n"}}]`,
		`1:39: roles[0].password.initial: must be printable ASCII; clients normalise other characters differently`,
	},
	{
		`roles: [{name: a, password: {initial: md5aabbccddeeff00112233445566778899}}]`,
		`1:39: roles[0].password.initial: must be the password itself, not its md5 or SCRAM verifier`,
	},
	{
		`roles: [{name: a, password: {initial: SCRAM-SHA-256$4096:x}}]`,
		`1:39: roles[0].password.initial: must be the password itself, not its md5 or SCRAM verifier`,
	},
	{
		`roles: [{name: a, password: {initial: (hidden)}}]`,
		`1:39: roles[0].password.initial: is (hidden), which config show prints in place of the password; put the password back`,
	},
}

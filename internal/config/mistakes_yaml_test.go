package config

// yamlMistakes are about the file, its keys or the types of their values.
var yamlMistakes = []mistake{
	// The file.
	{
		"a: \x00",
		`1:4: holds a NUL byte or one that is no UTF-8; save the file as UTF-8 text`,
	},
	{
		"a: 1\nb: \xff",
		`2:4: holds a NUL byte or one that is no UTF-8; save the file as UTF-8 text`,
	},
	{
		`- a`,
		`1:1: must be a mapping with database, roles, networks, firewall, server, hardening, limits, reconcile, retention and backup, not a list`,
	},
	{
		`hello`,
		`1:1: must be a mapping with database, roles, networks, firewall, server, hardening, limits, reconcile, retention and backup, not a string`,
	},
	{
		"database: {}\n---\nb: 2\n",
		`2:1: a second YAML document starts here; the config is one document`,
	},
	{
		"database: {}\n...\nb: 2\n---\n- [",
		`3: YAML: did not find expected <document start>`,
	},
	// YAML
	{
		`database: {name: a`,
		`1: YAML: did not find expected ',' or '}'`,
	},
	{
		"database:\n  name: a\n port: 3\n",
		`3: YAML: did not find expected key`,
	},
	{
		`hardening: strict: x`,
		`1: YAML: mapping values are not allowed in this context`,
	},
	{
		"hardening: \"strict\n",
		`1: YAML: found unexpected end of stream`,
	},
	{
		"database:\n\tname: x",
		`2: YAML: is indented with a tab; YAML wants spaces`,
	},
	{
		`hardening: *foo`,
		`1: YAML: a value starts with * and YAML takes it for an alias; put it in quotes`,
	},
	{
		"x: &a 1\nhardening: *a",
		"1:1: x: unknown key; known here: database, roles, networks, firewall, server, hardening, limits, reconcile, retention and backup\n2:12: hardening: must be a string, not an alias",
	},
	{
		`hardening: &a strict`,
		`1:12: hardening: must be a string, not an anchor`,
	},
	{
		`hardening: !mine strict`,
		`1:12: hardening: must be a string, not a tag`,
	},
	{
		`database: &a {}`,
		`1:11: database: must be a mapping with url, os_user and name, not an anchor`,
	},
	{
		`server: {<<: {manage: auto}}`,
		`1:10: server: merge keys (<<) are not supported; write the values out`,
	},
	{
		`[a]: 1`,
		`1:1: a key must be a word, not a list`,
	},
	{
		"? {a: 1}\n: 1",
		`1:3: a key must be a word, not a mapping`,
	},
	// keys
	{
		`databse: {}`,
		`1:1: databse: unknown key; did you mean database?`,
	},
	{
		`foo: 1`,
		`1:1: foo: unknown key; known here: database, roles, networks, firewall, server, hardening, limits, reconcile, retention and backup`,
	},
	{
		`  port: 5432`,
		`1:3: port: unknown key; did you mean firewall.port?`,
	},
	{
		`firewall: {listen: all}`,
		`1:12: firewall.listen: unknown key; known here: port, backend, max_connections_per_vm and allow`,
	},
	{
		`firewall: {Port: 1}`,
		`1:12: firewall.Port: unknown key; did you mean port?`,
	},
	{
		`firewall: {max-connections-per-vm: 1}`,
		`1:12: firewall.max-connections-per-vm: unknown key; did you mean max_connections_per_vm?`,
	},
	{
		`firewall: {port: 1, port: 1}`,
		`1:21: firewall.port: is given twice; keep one`,
	},
	{
		"hardening: strict\nserver:\nhardening: strict",
		`3:1: hardening: is given twice; keep one`,
	},
	{
		"firewall: {'po\nrt': 1}",
		`2: YAML: did not find expected ',' or '}'`,
	},
	{
		`5432: 1`,
		`1:1: 5432: unknown key; known here: database, roles, networks, firewall, server, hardening, limits, reconcile, retention and backup`,
	},
	{
		`null: 1`,
		`1:1: null: unknown key; known here: database, roles, networks, firewall, server, hardening, limits, reconcile, retention and backup`,
	},
	// types
	{
		`firewall: 5432`,
		`1:11: firewall: must be a mapping with port, backend, max_connections_per_vm and allow, not an integer`,
	},
	{
		`firewall: []`,
		`1:11: firewall: must be a mapping with port, backend, max_connections_per_vm and allow, not a list`,
	},
	{
		`roles: {name: a}`,
		`1:8: roles: must be a list, not a mapping`,
	},
	{
		`roles: a`,
		`1:8: roles: must be a list, not a string`,
	},
	{
		`roles: [a]`,
		`1:9: roles[0]: must be a mapping with name, password, access, connection_limit, temp_file_limit, statement_timeout, idle_in_transaction_session_timeout and networks, not a string`,
	},
	{
		`roles: [null]`,
		`1:9: roles[0]: needs name`,
	},
	{
		`hardening:`,
		`1:11: hardening: has no value; give one, or remove the key`,
	},
	{
		`hardening: true`,
		`1:12: hardening: must be standard or strict, not "true"`,
	},
	{
		`hardening: 1`,
		`1:12: hardening: must be standard or strict, not "1"`,
	},
	{
		`hardening: 1.5`,
		`1:12: hardening: must be standard or strict, not "1.5"`,
	},
	{
		`hardening: 2024-01-01`,
		`1:12: hardening: must be standard or strict, not "2024-01-01"`,
	},
	{
		`hardening: [strict]`,
		`1:12: hardening: must be a string, not a list`,
	},
	{
		`hardening: {strict: 1}`,
		`1:12: hardening: must be a string, not a mapping`,
	},
	{
		`firewall: {port: }`,
		`1:18: firewall.port: has no value; give one, or remove the key`,
	},
	{
		`firewall: {port: '5432'}`,
		`1:18: firewall.port: must be an integer; remove the quotes`,
	},
	{
		`firewall: {port: http}`,
		`1:18: firewall.port: must be an integer from 1 to 65535, not a string`,
	},
	{
		`firewall: {port: 5432.0}`,
		`1:18: firewall.port: must be an integer from 1 to 65535, not a number`,
	},
	{
		`firewall: {port: 0x1538}`,
		`1:18: firewall.port: must be a decimal integer from 1 to 65535, without leading zeros, sign or underscores`,
	},
	{
		`firewall: {port: 05432}`,
		`1:18: firewall.port: must be a decimal integer from 1 to 65535, without leading zeros, sign or underscores`,
	},
	{
		`firewall: {port: 5_432}`,
		`1:18: firewall.port: must be a decimal integer from 1 to 65535, without leading zeros, sign or underscores`,
	},
	{
		`firewall: {port: 0}`,
		`1:18: firewall.port: must be from 1 to 65535, not 0`,
	},
	{
		`firewall: {port: 65536}`,
		`1:18: firewall.port: must be from 1 to 65535, not 65536`,
	},
	{
		`firewall: {port: -1}`,
		`1:18: firewall.port: must be from 1 to 65535, not -1`,
	},
	{
		`firewall: {port: 99999999999999999999999}`,
		`1:18: firewall.port: must be from 1 to 65535, not 99999999999999999999999`,
	},
	{
		`firewall: {port: true}`,
		`1:18: firewall.port: must be an integer from 1 to 65535, not a boolean`,
	},
	{
		`firewall: {port: [1]}`,
		`1:18: firewall.port: must be an integer from 1 to 65535, not a list`,
	},
}

package config

// networkMistakes are values of networks or of what concerns the whole host.
var networkMistakes = []mistake{
	// networks
	{
		`networks: [{name: a}]`,
		`1:12: networks[0]: needs subnet and gateway`,
	},
	{
		`networks: [{name: A, subnet: 10.1.0.0/24, gateway: 10.1.0.1}]`,
		`1:19: networks[0].name: must be 1 to 32 of a-z, 0-9 and -, not starting with -, not "A"`,
	},
	{
		`networks: [{name: -a, subnet: 10.1.0.0/24, gateway: 10.1.0.1}]`,
		`1:19: networks[0].name: must be 1 to 32 of a-z, 0-9 and -, not starting with -, not "-a"`,
	},
	{
		`networks: [{name: a, subnet: "10.1.0.5/24", gateway: "10.1.0.1"}]`,
		`1:30: networks[0].subnet: 10.1.0.5/24 has bits behind its mask; did you mean 10.1.0.0/24?`,
	},
	{
		`networks: [{name: a, subnet: "10.1.0.0", gateway: "10.1.0.1"}]`,
		`1:30: networks[0].subnet: must be a network such as 10.1.0.0/24, not "10.1.0.0"`,
	},
	{
		`networks: [{name: a, subnet: "::ffff:10.1.0.0/120", gateway: "10.1.0.1"}]`,
		`1:30: networks[0].subnet: must be written as IPv4, not as "::ffff:10.1.0.0/120"`,
	},
	{
		`networks: [{name: a, subnet: "0.0.0.0/0", gateway: "10.1.0.1"}]`,
		`1:30: networks[0].subnet: 0.0.0.0/0 is no network of a VM: it would open the port to the internet`,
	},
	{
		`networks: [{name: a, subnet: "2000::/3", gateway: "2000::1"}]`,
		`1:30: networks[0].subnet: 2000::/3 is no network of a VM: it would open the port to the internet`,
	},
	{
		`networks: [{name: a, subnet: "10.1.0.1/32", gateway: "10.1.0.1"}]`,
		`1:30: networks[0].subnet: 10.1.0.1/32 has room for the gateway alone; widen it`,
	},
	{
		`networks: [{name: a, subnet: "127.0.0.0/8", gateway: "127.0.0.1"}]`,
		`1:30: networks[0].subnet: 127.0.0.0/8 is a loopback or multicast network, where no VM can be`,
	},
	{
		`networks: [{name: a, subnet: "10.1.0.0/24", gateway: "10.2.0.1"}]`,
		`1:54: networks[0].gateway: 10.2.0.1 is not inside the subnet 10.1.0.0/24`,
	},
	{
		`networks: [{name: a, subnet: "10.1.0.0/24", gateway: "10.1.0.0"}]`,
		`1:54: networks[0].gateway: 10.1.0.0 is the address of the network itself; did you mean 10.1.0.1?`,
	},
	{
		`networks: [{name: a, subnet: "10.1.0.0/24", gateway: "10.1.0.255"}]`,
		`1:54: networks[0].gateway: 10.1.0.255 is the broadcast address of 10.1.0.0/24`,
	},
	{
		`networks: [{name: a, subnet: "10.1.0.0/24", gateway: "fd00::1"}]`,
		`1:54: networks[0].gateway: fd00::1 is not inside the subnet 10.1.0.0/24`,
	},
	{
		`networks: [{name: a, subnet: "fd00::/64", gateway: "fd00::"}]`,
		`1:52: networks[0].gateway: fd00:: is the address of the network itself; did you mean fd00::1?`,
	},
	{
		`networks: [{name: a, subnet: "10.1.0.0/24", gateway: "x"}]`,
		`1:54: networks[0].gateway: must be an address such as 10.1.0.1, not "x"`,
	},
	{
		`networks: [{name: a, subnet: "fd00::/64", gateway: "fd00::1%eth0"}]`,
		`1:52: networks[0].gateway: must be an address such as 10.1.0.1, not "fd00::1%eth0"`,
	},
	{
		"networks:\n- {name: a, subnet: 10.1.0.0/16, gateway: 10.1.0.1}\n- {name: a, subnet: 10.1.1.0/24, gateway: 10.1.1.1}",
		"3:10: networks[1].name: \"a\" repeats networks[0].name\n3:21: networks[1].subnet: 10.1.1.0/24 overlaps 10.1.0.0/16 of networks[0].subnet",
	},
	{
		`networks: [{name: a, subnet: 10.1.0.0/24, gateway: 10.1.0.1, interface: 'eth+'}]`,
		`1:73: networks[0].interface: must be auto or the name of an interface (1 to 15 letters, digits, _ . @ -; no wildcard), not "eth+"`,
	},
	{
		`networks: [{name: a, subnet: 10.1.0.0/24, gateway: 10.1.0.1, interface: abcdefghijklmnop}]`,
		`1:73: networks[0].interface: must be auto or the name of an interface (1 to 15 letters, digits, _ . @ -; no wildcard), not "abcdefghijklmnop"`,
	},
	{
		`networks: [{name: a, subnet: 10.1.0.0/24, gateway: 10.1.0.1, interface: ''}]`,
		`1:73: networks[0].interface: must be auto or the name of an interface (1 to 15 letters, digits, _ . @ -; no wildcard), not ""`,
	},
	// firewall
	{
		`firewall: {backend: iptables}`,
		`1:21: firewall.backend: must be auto, nft, legacy or off, not "iptables"`,
	},
	{
		`firewall: {backend: false}`,
		`1:21: firewall.backend: must be auto, nft, legacy or off, not "false"`,
	},
	{
		`firewall: {max_connections_per_vm: 0}`,
		`1:36: firewall.max_connections_per_vm: must be from 1 to 10000, not 0`,
	},
	{
		`firewall: {allow: [{}]}`,
		`1:20: firewall.allow[0]: needs source`,
	},
	{
		`firewall: {allow: [10.9.0.1]}`,
		`1:20: firewall.allow[0]: must be a mapping with source and interface, not a string`,
	},
	{
		`firewall: {allow: [{source: vm}]}`,
		`1:29: firewall.allow[0].source: must be an address or a network such as 100.64.0.0/10, not "vm"`,
	},
	{
		`firewall: {allow: [{source: 10.9.0.1/24}]}`,
		`1:29: firewall.allow[0].source: 10.9.0.1/24 has bits behind its mask; did you mean 10.9.0.0/24?`,
	},
	{
		`firewall: {allow: [{source: 0.0.0.0/0}]}`,
		`1:29: firewall.allow[0].source: 0.0.0.0/0 opens the port to the internet; name smaller networks, or the interface that they come in by`,
	},
	{
		`firewall: {allow: [{source: '::/0'}]}`,
		`1:29: firewall.allow[0].source: ::/0 opens the port to the internet; name smaller networks, or the interface that they come in by`,
	},
	{
		`firewall: {allow: [{source: 10.9.0.1}, {source: 10.9.0.1/32}]}`,
		`1:40: firewall.allow[1]: is the same as firewall.allow[0]; keep one`,
	},
	{
		`firewall: {allow: [{source: 10.9.0.1, interface: auto}]}`,
		`1:50: firewall.allow[0].interface: must be the name of an interface (1 to 15 letters, digits, _ . @ -; no wildcard), not "auto"; remove it for any`,
	},
	{
		`firewall: {allow: [{source: 10.9.0.1, interface: a/b}]}`,
		`1:50: firewall.allow[0].interface: must be the name of an interface (1 to 15 letters, digits, _ . @ -; no wildcard), not "a/b"; remove it for any`,
	},
	// the rest
	{
		`server: {manage: yes, listen: any, restart: always}`,
		"1:18: server.manage: must be auto or verify, not \"yes\"\n1:31: server.listen: must be all or gateways, not \"any\"\n1:45: server.restart: must be when-idle or never, not \"always\"",
	},
	{
		`hardening: Strict`,
		`1:12: hardening: must be standard or strict, not "Strict"`,
	},
	{
		`limits: {transaction_age: 10}`,
		`1:27: limits.transaction_age: must be a duration with its unit, such as 15m or 1h30m, or 0 for never, not "10"`,
	},
	{
		`limits: {transaction_age: never}`,
		`1:27: limits.transaction_age: must be a duration with its unit, such as 15m or 1h30m, or 0 for never, not "never"`,
	},
	{
		`limits: {transaction_age: 59s}`,
		`1:27: limits.transaction_age: must be from 1m to 720h, or 0 for never, not "59s"`,
	},
	{
		`limits: {transaction_age: -15m}`,
		`1:27: limits.transaction_age: must be from 1m to 720h, or 0 for never, not "-15m"`,
	},
	{
		`limits: {transaction_age: 721h}`,
		`1:27: limits.transaction_age: must be from 1m to 720h, or 0 for never, not "721h"`,
	},
	{
		`limits: {transaction_age: }`,
		`1:27: limits.transaction_age: has no value; give one, or remove the key`,
	},
	{
		`limits: {statement_timeout: 1m}`,
		`1:10: limits.statement_timeout: unknown key; known here: transaction_age`,
	},
	{
		`transaction_age: 15m`,
		`1:1: transaction_age: unknown key; did you mean limits.transaction_age?`,
	},
	{
		`reconcile: {interval: 10}`,
		`1:23: reconcile.interval: must be a duration with its unit, such as 10s or 1m30s, not "10"`,
	},
	{
		`reconcile: {interval: '10'}`,
		`1:23: reconcile.interval: must be a duration with its unit, such as 10s or 1m30s, not "10"`,
	},
	{
		`reconcile: {interval: 1ms}`,
		`1:23: reconcile.interval: must be from 1s to 1h, not "1ms"`,
	},
	{
		`reconcile: {interval: 2h}`,
		`1:23: reconcile.interval: must be from 1s to 1h, not "2h"`,
	},
	{"backup: {keep: 0, directory: /, upload: aws}", "1:16: backup.keep: must be from 1 to 10000, not 0\n1:30: backup.directory: must be a folder of its own, not the root of everything\n1:41: backup.upload: must be a list, not a string"},
	{"backup: {keep: 10001, directory: /var/, schedule: \"02:00\\n[Service]\", upload: [\"\"]}", "1:16: backup.keep: must be from 1 to 10000, not 10001\n1:34: backup.directory: must be a folder of its own, not /var: what lies in it is made private, and old backups in it are removed\n1:51: backup.schedule: must be a calendar event of systemd.time(7), such as \"*-*-* 02:00:00\", not \"02:00\\n[Service]\"; try it: systemd-analyze calendar\n1:79: backup.upload: must begin with a program"},
	{"backup: {directory: '', schedule: '', upload: [bin/aws, 5]}", "1:21: backup.directory: must not be empty\n1:35: backup.schedule: must be a calendar event of systemd.time(7), such as \"*-*-* 02:00:00\", not \"\"; try it: systemd-analyze calendar\n1:48: backup.upload[0]: must be a program's name or its whole path, not \"bin/aws\"\n1:57: backup.upload[1]: must be a string, but YAML takes this for an integer; put it in quotes"},
	{
		`reconcile: {drift: ignore}`,
		`1:20: reconcile.drift: must be repair or report, not "ignore"`,
	},
	{
		`retention: {}`,
		`1:12: retention: needs status and older_than`,
	},
	{
		`retention: {status: completed}`,
		`1:12: retention: needs older_than`,
	},
	{
		`retention: [completed]`,
		`1:12: retention: must be a mapping with status and older_than, not a list`,
	},
	{
		`retention: {status: processing, older_than: 30d}`,
		"1:21: retention.status: must be completed or failed: a session that is processing is not finished, and never deleted\n1:45: retention.older_than: must be a duration with its unit, such as 720h for 30 days, not \"30d\"",
	},
	{
		`retention: {status: [failed, pending, failed, done], older_than: 720h}`,
		"1:30: retention.status[1]: must be completed or failed: a session that is pending is not finished, and never deleted\n1:39: retention.status[2]: \"failed\" repeats retention.status[0]\n1:47: retention.status[3]: must be completed or failed, not \"done\"",
	},
	{
		`retention: {status: [], older_than: 59m}`,
		"1:21: retention.status: must name completed, failed or both; remove retention to delete nothing\n1:37: retention.older_than: must be from 1h to 87600h, not \"59m\"",
	},
	{
		`retention: {status: completed, older_than: 720h0.5s}`,
		`1:44: retention.older_than: must be whole seconds, not "720h0.5s"`,
	},
	{
		`retention: {status: completed, older_than: }`,
		`1:44: retention.older_than: has no value; give one, or remove the key`,
	},
	{
		`older_than: 720h`,
		`1:1: older_than: unknown key; did you mean retention.older_than?`,
	},
}

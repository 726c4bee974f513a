package systemd

// Messages are the catalogue, in the order of a host's life. deploy/catalog is generated from it.
var Messages = []Message{
	{
		ID: "f6fadfa7e5c14b629362da5cc13da58a", Name: "Ready", Subject: "The session database service is up",
		Text: "The @SESSIONDBD_PART@ part has verified what it looks after: @SESSIONDBD_STATUS@.\n" +
			"Nothing needs to be done. `sessiondbd status` shows the details at any time.",
	},
	{
		ID: "2c63888f28f04481be6ddce7a7ace732", Name: "FirewallChanged", Subject: "The firewall was changed: @SESSIONDBD_RESOURCE@ @SESSIONDBD_FIELD@",
		Text: "A rule of PostgreSQL's port was not as the config says, and was put right.\n" +
			"Before: @SESSIONDBD_HAVE@\n" +
			"Now: @SESSIONDBD_WANT@\n" +
			"Reason for looking: @SESSIONDBD_REASON@\n" +
			"If nobody changed the config, somebody else changed the firewall. A reason that names a process says who.",
	},
	{
		ID: "8a119b9e16bc47328f7b7676d015b0dc", Name: "ConnectionsCut", Subject: "Connections to PostgreSQL were cut",
		Text: "The rules forbid connections that were open, so they were reset: @SESSIONDBD_HAVE@.\n" +
			"A peer that should get in is missing in `networks:` or `firewall.allow:` of the config.",
	},
	{
		ID: "bc67ba94637d4efaa09e467ada679f81", Name: "MigrationApplied", Subject: "A migration of the session database was applied: @SESSIONDBD_RESOURCE@",
		Text: "The schema has a new version. Migrations run once, in one transaction each, and are noted in sessiondbd.migrations.\n" +
			"Nothing needs to be done.",
	},
	{
		ID: "fab36728a78b4b7e8787c0de2f960063", Name: "SchemaChanged", Subject: "The schema of the session database was repaired: @SESSIONDBD_RESOURCE@ @SESSIONDBD_FIELD@",
		Text: "An object was not as the migrations made it.\n" +
			"Before: @SESSIONDBD_HAVE@\n" +
			"Now: @SESSIONDBD_WANT@\n" +
			"Whoever changed it finds it changed back: changes of the schema belong into a migration. For maintenance: sudo sessiondbd pause",
	},
	{
		ID: "a712755f6cac44d599d5269512e74f7b", Name: "RightsChanged", Subject: "Rights or attributes of a role were changed: @SESSIONDBD_RESOURCE@ @SESSIONDBD_FIELD@",
		Text: "A role was not as the config says.\n" +
			"Before: @SESSIONDBD_HAVE@\n" +
			"Now: @SESSIONDBD_WANT@\n" +
			"If that was meant, say so in `roles:` of the config.",
	},
	{
		ID: "ac8efe121c5949f1ba2dde83458bfed0", Name: "TransactionEnded", Subject: "A transaction was ended because it was too old",
		Text: "The @SESSIONDBD_FIELD@ was @SESSIONDBD_HAVE@; its locks shut others out and kept VACUUM from cleaning up.\n" +
			"The client has lost its connection and what it had not committed. The limit is `limits.transaction_age` of the config.",
	},
	{
		ID: "5796a670482c490e8d9782bfcdc83011", Name: "ServerChanged", Subject: "PostgreSQL's settings were changed: @SESSIONDBD_FIELD@",
		Text: "A setting that the VMs or their safety depend on was not as the config says.\n" +
			"Before: @SESSIONDBD_HAVE@\n" +
			"Now: @SESSIONDBD_WANT@\n" +
			"Our settings are in a file of their own beside postgresql.conf; `server.manage: verify` leaves them to you.",
	},
	{
		ID: "0b80a25553a14945a93258ef7777682c", Name: "HBAChanged", Subject: "pg_hba.conf was changed",
		Text: "The lines that let the VMs in and keep others out were not as the config says, and were put right.\n" +
			"They stand in a block of our own; other lines are left alone.",
	},
	{
		ID: "45ac16b9c20d4c218f8a7abff2e91ac7", Name: "DatabaseChanged", Subject: "The session database was made or taken over: @SESSIONDBD_FIELD@",
		Text: "Before: @SESSIONDBD_HAVE@\n" +
			"Now: @SESSIONDBD_WANT@\n" +
			"Nothing needs to be done.",
	},
	{
		ID: "dd2ee150d2844277b89c1af40ce8fcc9", Name: "Refused", Subject: "Refused, and left alone: @SESSIONDBD_RESOURCE@",
		Text: "@SESSIONDBD_SUMMARY@\n" +
			"What could lose data or meaning is not guessed. This settles it:\n" +
			"@SESSIONDBD_REMEDY@",
	},
	{
		ID: "3c3ae353fb14428e90b401a6c1cc0aff", Name: "AnotherDatabase", Subject: "The database or its server is another one than before",
		Text: "@SESSIONDBD_SUMMARY@\n" +
			"It was dropped, restored or upgraded, or the server is another. Nothing was changed in it. If it is meant:\n" +
			"@SESSIONDBD_REMEDY@",
	},
	{
		ID: "b9c8b9ffe46e46279419c7723226db94", Name: "Blocked", Subject: "Not done, because something else stands in the way: @SESSIONDBD_RESOURCE@",
		Text: "@SESSIONDBD_SUMMARY@\n" +
			"It follows by itself once that is settled.",
	},
	{
		ID: "bbeeb6361d334c6d96f0da847a2a3b87", Name: "StepFailed", Subject: "Could not be done: @SESSIONDBD_RESOURCE@",
		Text: "@SESSIONDBD_SUMMARY@\n" +
			"It is tried again, at growing intervals. `sessiondbd doctor` looks for reasons.",
	},
	{
		ID: "68e58909ccb24416925a56c9a30f4300", Name: "Drift", Subject: "Not as the config says, and left so: @SESSIONDBD_RESOURCE@",
		Text: "@SESSIONDBD_SUMMARY@\n" +
			"The config has `reconcile.drift: report`. To mend it once: sudo sessiondbd apply",
	},
	{
		ID: "ff53a46f5ead403a84c4b877678537a3", Name: "Warning", Subject: "Worth knowing: @SESSIONDBD_RESOURCE@",
		Text: "@SESSIONDBD_SUMMARY@\n" +
			"It is other people's business and left alone. If it is not meant:\n" +
			"@SESSIONDBD_REMEDY@",
	},
	{
		ID: "e179f773a6e043c09514b7dde2ad0478", Name: "InitialPassword", Subject: "The initial password is in use",
		Text: "@SESSIONDBD_SUMMARY@\n" +
			"Give the role a password of its own:\n" +
			"@SESSIONDBD_REMEDY@",
	},
	{
		ID: "0c28cec1b94742afa4b936976b4b76b0", Name: "OldOneshot", Subject: "A shell oneshot that sessiondbd replaces is still installed",
		Text: "@SESSIONDBD_SUMMARY@\n" +
			"What it does at each boot is undone again. Take it away:\n" +
			"@SESSIONDBD_REMEDY@",
	},
	{
		ID: "a398d022d4354df48322905089933837", Name: "CutOff", Subject: "Rules of others keep VMs out",
		Text: "@SESSIONDBD_SUMMARY@\n" +
			"Each chain that a packet passes has a say, and ours cannot overrule it. Add the line:\n" +
			"@SESSIONDBD_REMEDY@",
	},
	{
		ID: "4c8b1eb44f1e4ccf8372a2a784a67245", Name: "Fight", Subject: "Another program undoes what sessiondbd repairs",
		Text: "@SESSIONDBD_SUMMARY@\n" +
			"Between two repairs the port may be open; pg_hba.conf still stands behind it.\n" +
			"@SESSIONDBD_REMEDY@",
	},
	{
		ID: "ac9130f4547c47d38e3a655f20731ab2", Name: "Settled", Subject: "Settled: @SESSIONDBD_RESOURCE@",
		Text: "What was told before does not hold any more: @SESSIONDBD_SUMMARY@",
	},
	{
		ID: "ca3ab343ac334b68be9bf77c6519a9d5", Name: "Waiting", Subject: "Waiting: @SESSIONDBD_REASON@",
		Text: "The service goes on by itself as soon as that is over. If PostgreSQL should be up: systemctl status postgresql",
	},
	{
		ID: "03c472ca449548b4b8d889d2b47a5c1d", Name: "WaitingEnded", Subject: "What was waited for is there",
		Text: "It took @SESSIONDBD_AFTER@. Nothing needs to be done.",
	},
	{
		ID: "77dde229df884e4dac2386e5cc86ba64", Name: "NoProgress", Subject: "A look at the host makes no progress",
		Text: "PostgreSQL or a program that reads the firewall does not answer. What status shows is older than it should be.\n" +
			"Look for a server that hangs: sudo -u postgres psql -c 'SELECT 1'",
	},
	{
		ID: "c3dd75f6808548e6ac925f09a227f039", Name: "PassGivenUp", Subject: "A look at the host did not end in time",
		Text: "The service was to end and did not wait any longer. Nothing is half done: each step is one transaction.",
	},
	{
		ID: "bb262a934ce14c61aa0336d98b8c82f1", Name: "Reloaded", Subject: "The config was read again",
		Text: "What it changes is applied before the reload ends.",
	},
	{
		ID: "b183256ea16e4121b07a6fc42fd7b23a", Name: "ReloadRefused", Subject: "The config was refused, the one in force stays",
		Text: "@SESSIONDBD_ERROR@\n" +
			"Mend it and reload again: sessiondbd config check",
	},
	{
		ID: "8f39aaa5729a453cb891da33e83a9d40", Name: "Paused", Subject: "Paused for maintenance",
		Text: "The database part leaves everything alone and holds no connection; the firewall stays. It ends by itself, or by: sudo sessiondbd resume",
	},
	{
		ID: "e5a9f6b1a29749bfadf438f7b27c1c74", Name: "Resumed", Subject: "The pause is over",
		Text: "The database is looked after again.",
	},
	{
		ID: "f1a38d3268344c65927cb2382bedda16", Name: "RulesKept", Subject: "The firewall rules stay, and nobody looks after them",
		Text: "The config cannot be used, so nothing was changed. Mend it: sessiondbd config check; then: sudo systemctl start sessiondbd",
	},
	{
		ID: "d00f7b11205f42f788c1d781b972e776", Name: "RulesRestored", Subject: "The firewall rules of the last good config were put up",
		Text: "The config cannot be used, and a boot had taken the rules away. Nobody looks after them until it is mended: sessiondbd config check; then: sudo systemctl start sessiondbd",
	},
	{
		ID: "b21b1c2e1f6141bcacb70dd842762334", Name: "Blind", Subject: "No events of the firewall can be had",
		Text: "Changes by others are found at the interval only. The error says what is missing: @SESSIONDBD_ERROR@",
	},
	{
		ID: "3ceb083187444e92ad9336c0f9c4b930", Name: "StateUnwritten", Subject: "What is verified cannot be told",
		Text: "The state file cannot be written, so that `sessiondbd status` shows an old state: @SESSIONDBD_ERROR@\n" +
			"Look for a full disk or for who owns the folder below /run/sessiondbd.",
	},
	{
		ID: "b338afd6b7764568a9ca4bb956e78ec7", Name: "EntriesLost", Subject: "Entries of this log are missing",
		Text: "journald took nothing for a while, and the service did not wait for it: @SESSIONDBD_LOST@ entries are lost.\n" +
			"`sessiondbd status` shows the present state.",
	},
}

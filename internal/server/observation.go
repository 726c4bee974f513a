package server

import (
	"encoding/base64"
	"slices"
	"strings"

	"sessiondbd/internal/postgres"
)

// Observation is what the server says of its files, beside what this process sees of them.
type Observation struct {
	Server   []Facts // one row
	Settings []Setting
	Files    []FileSetting
	Rules    []Rule
	Members  []Member // only where a rule speaks of groups
	Sessions []Session
	Sockets  []Socket // only for ListenGateways
	Local    Local    // from Probe
}

// Facts are where the server's files are, beside what they hold.
type Facts struct {
	DataDirectory string `json:"data_directory"`
	ConfigFile    string `json:"config_file"`
	HBAFile       string `json:"hba_file"`
	// Config and HBA are the two files as the server reads them, base64 in lines; empty: it cannot.
	Config string `json:"config"`
	HBA    string `json:"hba"`
	// Loaded is when the server last loaded its files, in microseconds since 1970.
	Loaded     int64  `json:"loaded"`
	Started    string `json:"started"`
	InRecovery bool   `json:"in_recovery"`
}

// Setting is a row of pg_settings: what the server runs with.
type Setting struct {
	Name    string `json:"name"`
	Value   string `json:"setting"` // in the setting's base unit
	Boot    string `json:"boot_val"`
	Source  string `json:"source"`
	Pending bool   `json:"pending_restart"`
}

// FileSetting is a row of pg_file_settings: a line of a configuration file as it is on disk, in the order of reading.
type FileSetting struct {
	File  string `json:"sourcefile"`
	Line  int    `json:"sourceline"`
	Name  string `json:"name"`
	Value string `json:"setting"`
	Error string `json:"error"`
}

// Session is somebody else's connection, which a restart would end. Total is how many there are; a few are listed.
type Session struct {
	Total       int    `json:"total"`
	User        string `json:"usename"`
	Database    string `json:"datname"`
	Application string `json:"application_name"`
	Address     string `json:"client_addr"`
}

// maxFile bounds what is read of a file, in bytes. Longer ones are not ours to edit.
const maxFile = 1 << 20

const factsSQL = `SELECT current_setting('data_directory') AS data_directory, current_setting('config_file') AS config_file,
	current_setting('hba_file') AS hba_file,
	encode(pg_read_binary_file(current_setting('config_file'), 0, 1048576, true), 'base64') AS config,
	encode(pg_read_binary_file(current_setting('hba_file'), 0, 1048576, true), 'base64') AS hba,
	(extract(epoch FROM pg_conf_load_time()) * 1000000)::int8 AS loaded,
	pg_postmaster_start_time()::text AS started, pg_is_in_recovery() AS in_recovery`

const filesSQL = `SELECT sourcefile, sourceline, lower(name) AS name, setting, error FROM pg_file_settings
	WHERE error IS NOT NULL OR sourcefile LIKE '%/` + includeName + `' OR lower(name) = ANY ($1::text[])
	ORDER BY seqno`

const settingsSQL = `SELECT name, setting, boot_val, source, pending_restart FROM pg_settings
	WHERE pending_restart OR name = ANY ($1::text[])`

// A backup that is being taken dies in a restart like a client; a standby comes back by itself.
const sessionsSQL = `SELECT count(*) OVER () AS total, usename, datname, application_name, host(client_addr) AS client_addr
	FROM pg_stat_activity
	WHERE pid <> pg_backend_pid()
	  AND (backend_type = 'client backend' OR backend_type = 'walsender' AND application_name = 'pg_basebackup')
	  AND (application_name = '` + postgres.ApplicationName + `' AND usename = session_user) IS NOT TRUE
	ORDER BY backend_start LIMIT 5`

// QueriesFor are Queries for a pass, which wants to know who is connected only where a restart may come of it: that question
// looks at every process of the server.
func QueriesFor(w Want, version int, into *Observation) []postgres.Query {
	list := Queries(version, into)
	list[len(list)-1].When = func() bool {
		return slices.ContainsFunc(settings, func(s owned) bool { return s.restart && !s.fits(w, into.setting(s.name).Value) })
	}
	if w.Listen == ListenGateways {
		list = slices.Insert(list, 0, socketsQuery(into))
	}
	return list
}

// Queries ask for everything the diffs need. They may run in any database, as a superuser. into starts afresh.
func Queries(version int, into *Observation) []postgres.Query {
	*into = Observation{}
	file := "current_setting('hba_file') AS file_name" // includes are from 16 on
	if version >= 160000 {
		file = "file_name"
	}
	names := append(ownedNames(), "port", "ssl", "max_connections", "superuser_reserved_connections", "reserved_connections")
	return []postgres.Query{
		{Name: "the server's files", SQL: factsSQL, Into: &into.Server},
		// Before pg_settings: reading the files is what makes a change on disk show up as pending there.
		{Name: "pg_file_settings", SQL: filesSQL, Args: []string{postgres.Array(ownedNames())}, Into: &into.Files},
		{Name: "pg_settings", SQL: settingsSQL, Args: []string{postgres.Array(names)}, Into: &into.Settings, Then: func() {
			slices.SortFunc(into.Settings, func(a, b Setting) int { return strings.Compare(a.Name, b.Name) })
		}},
		{Name: "pg_hba_file_rules", SQL: "SELECT " + file + `, line_number, type, database, user_name, address, netmask, auth_method, error
			FROM pg_hba_file_rules`, Into: &into.Rules},
		membersQuery(into),
		// The last: QueriesFor knows it by that.
		{Name: "open sessions", SQL: sessionsSQL, Into: &into.Sessions},
	}
}

// facts are the one row, or none of what it would say.
func (o Observation) facts() Facts {
	if len(o.Server) == 0 {
		return Facts{}
	}
	return o.Server[0]
}

// InRecovery says whether the server is a standby, where nothing of the databases can be written.
func (o Observation) InRecovery() bool { return o.facts().InRecovery }

// setting is what the server runs with; the zero value for a setting that this version does not have.
func (o Observation) setting(name string) Setting {
	for _, s := range o.Settings {
		if s.Name == name {
			return s
		}
	}
	return Setting{}
}

// text decodes a file that the server sent.
func text(encoded string) string {
	// MIME's line breaks are PostgreSQL's; the decoder skips them.
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return ""
	}
	return string(b)
}

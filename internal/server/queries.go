package server

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"sessiondbd/internal/postgres"
)

// maxFile bounds what is read of a file, in bytes. Longer ones are not ours to edit.
const maxFile = 1 << 20

// asked are the settings that the diffs want to know of; not every version has all of them.
var asked = append(ownedNames(), "port", "ssl", "max_connections", "superuser_reserved_connections", "reserved_connections")

// factsSQL asks for the files' stamps and not for what they hold: a file that this process sees with the same stamp need not
// travel. Times and settings are text, since each cast or operator costs a backend that has just been forked its look-up.
var factsSQL = `SELECT current_setting('data_directory') AS data_directory, current_setting('config_file') AS config_file,
	current_setting('hba_file') AS hba_file, pg_stat_file(current_setting('config_file'), true)::text AS config_stamp,
	pg_stat_file(current_setting('hba_file'), true)::text AS hba_stamp, pg_conf_load_time() AS loaded,
	pg_postmaster_start_time() AS started, pg_is_in_recovery() AS in_recovery,
	ARRAY[current_setting('` + strings.Join(asked, `', true), current_setting('`) + `', true)] AS running`

const textsSQL = `SELECT encode(pg_read_binary_file(current_setting('config_file'), 0, 1048576, true), 'base64') AS config,
	encode(pg_read_binary_file(current_setting('hba_file'), 0, 1048576, true), 'base64') AS hba`

// The functions behind the views pg_file_settings, pg_settings and pg_hba_file_rules: a view would have to be read and
// rewritten first.
const (
	filesSQL    = `SELECT seqno, sourcefile, sourceline, name, setting, error FROM pg_show_all_file_settings()`
	settingsSQL = `SELECT name, setting, boot_val, source, pending_restart FROM pg_show_all_settings()
		WHERE pending_restart OR name = ANY ($1::text[])`
	rulesSQL = `SELECT %s, line_number, type, database, user_name, address, netmask, auth_method, error FROM pg_hba_file_rules()`
)

// A backup that is being taken dies in a restart like a client; a standby comes back by itself.
const sessionsSQL = `SELECT count(*) OVER () AS total, usename, datname, application_name, host(client_addr) AS client_addr
	FROM pg_stat_activity
	WHERE pid <> pg_backend_pid()
	  AND (backend_type = 'client backend' OR backend_type = 'walsender' AND application_name = 'pg_basebackup')
	  AND (application_name = '` + postgres.ApplicationName + `' AND usename = session_user) IS NOT TRUE
	ORDER BY backend_start LIMIT 5`

// QueriesFor are Queries for a pass, which leaves out what costs the server most where the answer would change nothing: who
// is connected, unless a restart may come of it, and where settings come from, unless one is not as it should be.
func QueriesFor(w Want, version int, into *Observation) []postgres.Query {
	list := Queries(version, into)
	for i := range list {
		switch list[i].Into {
		case &into.Sessions:
			list[i].When = func() bool {
				return slices.ContainsFunc(settings, func(s owned) bool { return s.restart && !s.fits(w, into.setting(s.name).Value) })
			}
		case &into.Settings:
			list[i].When = func() bool { return !into.settled(w) }
		}
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
	return []postgres.Query{
		{Name: "the server's files", SQL: factsSQL, Into: &into.Server, Then: into.takeFacts},
		{Name: "what the server's files hold", SQL: textsSQL, Into: &into.Texts, When: func() bool { return !into.Local.seen() }},
		// Before the settings: reading the files is what makes a change on disk show up as pending there.
		{Name: "pg_file_settings", SQL: filesSQL, Into: &into.Files, Then: into.takeFiles},
		{Name: "pg_settings", SQL: settingsSQL, Args: []string{postgres.Array(asked)}, Into: &into.Settings, Then: func() {
			slices.SortFunc(into.Settings, func(a, b Setting) int { return strings.Compare(a.Name, b.Name) })
		}},
		{Name: "pg_hba_file_rules", SQL: strings.Replace(rulesSQL, "%s", file, 1), Into: &into.Rules},
		membersQuery(into),
		{Name: "open sessions", SQL: sessionsSQL, Into: &into.Sessions},
	}
}

// takeFacts reads the files here while the server is busy with the next questions.
func (o *Observation) takeFacts() {
	if len(o.Server) != 1 {
		return
	}
	f := &o.Server[0]
	if t, ok := postgres.Timestamp(f.LoadedAt); ok {
		f.Loaded = t.UnixMicro()
	}
	o.Settings = nil
	for i, value := range f.Running {
		o.Settings = append(o.Settings, Setting{Name: asked[i], Value: value})
	}
	o.look()
}

// takeFiles keeps what is about our settings, in our file, or broken.
func (o *Observation) takeFiles() {
	slices.SortFunc(o.Files, func(a, b FileSetting) int { return cmp.Compare(a.Seq, b.Seq) })
	owned := ownedNames()
	o.Files = slices.DeleteFunc(o.Files, func(f FileSetting) bool {
		return f.Error == "" && filepath.Base(f.File) != includeName && !slices.Contains(owned, strings.ToLower(f.Name))
	})
	for i := range o.Files {
		o.Files[i].Name, o.Files[i].Seq = strings.ToLower(o.Files[i].Name), 0
	}
}

// settled says whether the files set every setting as it should be, without an error, and the server runs with that: it then
// does not matter who set what.
func (o *Observation) settled(w Want) bool {
	for _, s := range settings {
		if !s.fits(w, o.current(s.name, s.boot).Value) || !s.fits(w, o.setting(s.name).Value) {
			return false
		}
	}
	return !slices.ContainsFunc(o.Files, func(f FileSetting) bool { return f.Error != "" })
}

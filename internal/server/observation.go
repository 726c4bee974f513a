package server

// Observation is what the server says of its files, beside what this process sees of them.
type Observation struct {
	Server   []Facts // one row
	Texts    []Texts // one row, only where the files are not to be seen from here
	Settings []Setting
	Files    []FileSetting
	Rules    []Rule
	Members  []Member // only where a rule speaks of groups
	Sessions []Session
	Sockets  []Socket // only for ListenGateways
	Local    Local    // from look and Probe
}

// Facts are where the server's files are, and what it runs with.
type Facts struct {
	DataDirectory string `json:"data_directory"`
	ConfigFile    string `json:"config_file"`
	HBAFile       string `json:"hba_file"`
	// ConfigStamp and HBAStamp are rows of pg_stat_file; empty: the server does not see the file.
	ConfigStamp string `json:"config_stamp"`
	HBAStamp    string `json:"hba_stamp"`
	// Loaded is when the server last loaded its files, in microseconds since 1970.
	Loaded     int64    `json:"-"`
	LoadedAt   string   `json:"loaded"`
	Started    string   `json:"started"`
	InRecovery bool     `json:"in_recovery"`
	Running    []string `json:"running"` // the values of asked, for people
}

// Texts are the two files as the server reads them, base64 in lines; empty: it cannot.
type Texts struct {
	Config string `json:"config"`
	HBA    string `json:"hba"`
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
	Seq   int    `json:"seqno"`
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

package systemd

import "log/slog"

// Message is an entry of the message catalogue (systemd.message-catalog, `journalctl -x`): its id is for ever.
type Message struct {
	ID      string // 128 bits in hexadecimal (sd_id128(3))
	Name    string
	Subject string
	Text    string // fields of the entry between @
}

// Attr is what has an entry of the journal found and explained.
func (m *Message) Attr() slog.Attr { return slog.String(messageID, m.ID) }

// The messages, by what has happened.
var (
	Ready            = message("Ready")
	FirewallChanged  = message("FirewallChanged")
	ConnectionsCut   = message("ConnectionsCut")
	MigrationApplied = message("MigrationApplied")
	SchemaChanged    = message("SchemaChanged")
	RightsChanged    = message("RightsChanged")
	TransactionEnded = message("TransactionEnded")
	ServerChanged    = message("ServerChanged")
	HBAChanged       = message("HBAChanged")
	DatabaseChanged  = message("DatabaseChanged")
	Refused          = message("Refused")
	AnotherDatabase  = message("AnotherDatabase")
	Blocked          = message("Blocked")
	StepFailed       = message("StepFailed")
	Drift            = message("Drift")
	Warning          = message("Warning")
	InitialPassword  = message("InitialPassword")
	OldOneshot       = message("OldOneshot")
	CutOff           = message("CutOff")
	Fight            = message("Fight")
	Settled          = message("Settled")
	Waiting          = message("Waiting")
	WaitingEnded     = message("WaitingEnded")
	NoProgress       = message("NoProgress")
	PassGivenUp      = message("PassGivenUp")
	Reloaded         = message("Reloaded")
	ReloadRefused    = message("ReloadRefused")
	Paused           = message("Paused")
	Resumed          = message("Resumed")
	RulesKept        = message("RulesKept")
	RulesRestored    = message("RulesRestored")
	Blind            = message("Blind")
	StateUnwritten   = message("StateUnwritten")
	EntriesLost      = message("EntriesLost")
)

// message finds an entry of the catalogue; a name that it lacks is a mistake that no program starts with.
func message(name string) *Message {
	for i := range Messages {
		if Messages[i].Name == name {
			return &Messages[i]
		}
	}
	panic("no message " + name)
}

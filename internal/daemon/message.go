package daemon

import (
	"strings"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/systemd"
)

// changes are the messages of what was done, by the beginning of the resource.
var changes = []struct {
	resource string
	message  *systemd.Message
}{
	{"firewall/", systemd.FirewallChanged},
	{"migration/", systemd.MigrationApplied},
	{"schema/", systemd.SchemaChanged},
	{"server/", systemd.ServerChanged},
	{"hba", systemd.HBAChanged},
	{"database/", systemd.DatabaseChanged},
	{"role/", systemd.RightsChanged},
	{"grants/", systemd.RightsChanged},
}

// ChangeMessage is the entry of the catalogue that explains a change.
func ChangeMessage(c plan.Change) *systemd.Message {
	switch {
	case c.Action == plan.Run && strings.HasPrefix(c.Resource, "role/"):
		return systemd.TransactionEnded
	case strings.HasPrefix(c.Resource, "firewall/") && strings.HasPrefix(c.Field, "peer "):
		return systemd.ConnectionsCut
	}
	for _, m := range changes {
		if strings.HasPrefix(c.Resource, m.resource) {
			return m.message
		}
	}
	return systemd.RightsChanged
}

// message is the entry of the catalogue that explains a notice.
func (n notice) message() *systemd.Message {
	switch {
	case n.about != nil:
		return n.about
	case n.kind == "refused" && strings.Contains(n.remedy, "--accept-new-database"):
		return systemd.AnotherDatabase
	case n.kind == "refused":
		return systemd.Refused
	case n.kind == "blocked":
		return systemd.Blocked
	case n.kind == "failed":
		return systemd.StepFailed
	case n.kind == "drift":
		return systemd.Drift
	}
	return systemd.Warning
}

// about is the entry of the catalogue for what a warning is about; nil: for a warning of no particular kind.
func about(w plan.Warning) *systemd.Message {
	switch {
	case w.Initial:
		return systemd.InitialPassword
	case w.Oneshot:
		return systemd.OldOneshot
	case w.Fight:
		return systemd.Fight
	case w.Impairs:
		return systemd.CutOff
	}
	return nil
}

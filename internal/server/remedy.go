package server

import (
	"fmt"
	"strings"
)

// debianConfig is where Debian keeps a cluster's configuration: version, then name.
var debianConfig = lazy(`^/etc/postgresql/([0-9]{2})/([A-Za-z0-9][A-Za-z0-9_.-]{0,62})/postgresql\.conf$`)

// unit is the systemd unit that runs the server.
func (o Observation) unit() string {
	if m := debianConfig().FindStringSubmatch(o.facts().ConfigFile); m != nil {
		return "postgresql@" + m[1] + "-" + m[2] + ".service"
	}
	return "postgresql.service"
}

// onNixOS says whether a file comes out of a NixOS configuration, where its text has to be changed.
func (f File) onNixOS() bool {
	return strings.HasPrefix(f.Real, nixStore) || strings.HasPrefix(f.Path, nixStore)
}

// settingRemedy shows the line that we would have written.
func (o Observation) settingRemedy(v verdict, want string) string {
	if o.Local.Config.onNixOS() {
		return fmt.Sprintf("in the NixOS configuration:\nservices.postgresql.settings.%s = lib.mkForce %q;", v.name, want)
	}
	then := reloadCommand
	if v.restart {
		then = "sudo systemctl restart " + o.unit()
	}
	return fmt.Sprintf("put this line last into %s, then: %s\n%s = %s", o.facts().ConfigFile, then, v.name, quoteValue(want))
}

// hbaRemedy shows the lines that we would have written.
func (o Observation) hbaRemedy(lines []string) string {
	all := strings.Join(lines, "\n")
	if o.Local.HBA.onNixOS() {
		return "in the NixOS configuration, first in services.postgresql.authentication (where that is set with mkOverride, inside its text):\n" + all
	}
	return fmt.Sprintf("put these lines first into %s, then: %s\n%s", o.facts().HBAFile, reloadCommand, all)
}

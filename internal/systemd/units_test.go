package systemd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"
)

const unitsDir = "../../deploy/systemd"

// settings are a unit's values by SECTION.KEY, in order.
func settings(t *testing.T, name string) map[string][]string {
	t.Helper()
	f, err := os.Open(filepath.Join(unitsDir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	options, err := unit.DeserializeOptions(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	all := map[string][]string{}
	for _, o := range options {
		key := o.Section + "." + o.Name
		all[key] = append(all[key], o.Value)
	}
	return all
}

// words splits the values of a key that lists.
func words(s map[string][]string, key string) []string {
	return strings.Fields(strings.Join(s[key], " "))
}

func TestUnitsFollowTheRules(t *testing.T) {
	const db, fw = "sessiondbd.service", "sessiondbd-firewall.service"
	// Each row is a way in which a unit was seen to break, or a promise to administrators.
	tests := []struct {
		unit, key string
		has       []string // among the words
	}{
		{db, "Unit.After", []string{"postgresql.service", "postgresql.target", "postgresql-setup.service", fw}},
		{db, "Unit.Wants", []string{fw, "sessiondbd-restart-postgresql.path"}},
		{db, "Unit.After", []string{"set-sessionuser-password.service"}},
		{db, "Service.User", []string{"postgres"}},
		{db, "Service.LoadCredential", []string{"sessionuser.password"}},
		{db, "Service.RuntimeDirectory", []string{"sessiondbd/database"}},
		{db, "Service.RestartPreventExitStatus", []string{"USAGE", "DATAERR", "NOPERM", "CONFIG"}},
		{db, "Service.RestrictAddressFamilies", []string{"AF_UNIX"}},
		{fw, "Unit.Before", []string{"postgresql.service", "shutdown.target"}},
		{fw, "Unit.ReloadPropagatedFrom", []string{"nftables.service", "firewall.service"}},
		{fw, "Unit.DefaultDependencies", []string{"no"}},
		{fw, "Service.User", []string{"sessiondbd-firewall"}},
		{fw, "Service.RuntimeDirectory", []string{"sessiondbd/firewall"}},
		{fw, "Service.AmbientCapabilities", []string{"CAP_NET_ADMIN"}},
		{fw, "Service.CapabilityBoundingSet", []string{"CAP_NET_ADMIN"}},
		{"postgresql@.service.d/50-sessiondbd.conf", "Unit.After", []string{fw}},
		{"postgresql@.service.d/50-sessiondbd.conf", "Unit.Wants", []string{fw}},
		{"sessiondbd-metrics.socket", "Socket.ListenStream", []string{"127.0.0.1:19187"}},
		{"sessiondbd-metrics.socket", "Socket.IPAddressDeny", []string{"any"}},
		{"sessiondbd-metrics.socket", "Socket.IPAddressAllow", []string{"localhost"}},
		{"sessiondbd-metrics.socket", "Install.WantedBy", []string{"sockets.target"}},
		{"sessiondbd-metrics.service", "Unit.Requires", []string{"sessiondbd-metrics.socket"}},
		{"sessiondbd-metrics.service", "Service.User", []string{"postgres"}},
		{"sessiondbd-metrics.service", "Service.RestrictAddressFamilies", []string{"AF_UNIX"}},
		{"sessiondbd-metrics.service", "Service.PrivateNetwork", []string{"yes"}},
		{"sessiondbd-prune.service", "Service.User", []string{"postgres"}},
		{"sessiondbd-prune.service", "Service.RestrictAddressFamilies", []string{"AF_UNIX"}},
		{"sessiondbd-prune.service", "Service.PrivateNetwork", []string{"yes"}},
		{"sessiondbd-prune.service", "Service.SuccessExitStatus", []string{"TEMPFAIL"}},
		{"sessiondbd-backup.service", "Service.User", []string{"postgres"}},
		{"sessiondbd-backup.service", "Service.PrivateNetwork", []string{"yes"}},
		{"sessiondbd-backup.service", "Service.Restart", []string{"on-failure"}},
		{"sessiondbd-backup.service", "Service.TimeoutStartSec", []string{"1d"}},
		{"sessiondbd-backup-verify.service", "Service.Restart", []string{"on-failure"}},
		{"sessiondbd-backup-verify.service", "Service.RestartPreventExitStatus", []string{"FAILURE", "USAGE", "DATAERR", "NOPERM", "CONFIG"}},
		{"sessiondbd-backup-verify.service", "Unit.StartLimitBurst", []string{"12"}},
		{"sessiondbd-backup-verify.service", "Service.User", []string{"postgres"}},
		{"sessiondbd-backup-verify.service", "Service.RestrictAddressFamilies", []string{"AF_UNIX", "AF_INET", "AF_INET6"}},
		{"sessiondbd-backup-verify.service", "Service.IPAddressDeny", []string{"any"}},
		{"sessiondbd-backup-verify.service", "Service.IPAddressAllow", []string{"localhost"}},
		{"sessiondbd-backup.timer", "Timer.Persistent", []string{"yes"}},
		{"sessiondbd-backup.timer", "Install.WantedBy", []string{"timers.target"}},
		{"sessiondbd-prune.timer", "Install.WantedBy", []string{"timers.target"}},
		{"sessiondbd-restart-postgresql.path", "Path.PathExists", []string{"/run/sessiondbd/database/restart-postgresql"}},
	}
	for _, tt := range tests {
		have := words(settings(t, tt.unit), tt.key)
		for _, w := range tt.has {
			if !slices.Contains(have, w) {
				t.Errorf("%s: %s=%s lacks %s", tt.unit, tt.key, have, w)
			}
		}
	}
}

// ProcSubset=pid hides the id of the boot, without which neither a pause nor a state file can be told from one before it.
func TestUnitsKnowTheBoot(t *testing.T) {
	units, err := filepath.Glob(unitsDir + "/*.service")
	if err != nil || len(units) == 0 {
		t.Fatal(units, err)
	}
	for _, path := range units {
		s := settings(t, filepath.Base(path))
		if slices.Contains(words(s, "Service.ProcSubset"), "pid") && !slices.Contains(words(s, "Service.Environment"), "SESSIONDBD_BOOT_ID=%b") {
			t.Errorf("%s: the boot's id is hidden, and it is not told", filepath.Base(path))
		}
	}
}

func TestUnitsAvoidTheTraps(t *testing.T) {
	for _, name := range []string{"sessiondbd.service", "sessiondbd-firewall.service"} {
		s := settings(t, name)
		for _, key := range []string{"Unit.Requires", "Unit.Requisite", "Unit.BindsTo", "Unit.PartOf"} {
			for _, w := range words(s, key) {
				if strings.HasPrefix(w, "postgresql") {
					t.Errorf("%s: %s=%s: a restart of PostgreSQL would take us down", name, key, w)
				}
			}
		}
		// A host's own unit of that name, started by hand as the documentation says, would stop us for good; and where the
		// name is our alias, systemd complains at each reload.
		if v := words(s, "Unit.Conflicts"); slices.Contains(v, "init-session-schema.service") {
			t.Errorf("%s: Conflicts=%s", name, v)
		}
		if !slices.Equal(s["Service.Type"], []string{"notify"}) {
			t.Errorf("%s: Type=%s: systemd 252 takes notify-reload for simple", name, s["Service.Type"])
		}
	}
	db, fw := settings(t, "sessiondbd.service"), settings(t, "sessiondbd-firewall.service")
	for _, s := range []map[string][]string{db, settings(t, "sessiondbd-metrics.service"), settings(t, "sessiondbd-prune.service"), settings(t, "sessiondbd-backup.service"), settings(t, "sessiondbd-backup-verify.service")} {
		if v, ok := s["Service.RemoveIPC"]; ok {
			t.Errorf("RemoveIPC=%s with User=postgres deletes the server's shared memory", v)
		}
	}
	if v := words(db, "Service.CapabilityBoundingSet"); len(v) > 0 {
		t.Errorf("the database part has capabilities: %s", v)
	}
	for _, key := range []string{"Service.PrivateNetwork", "Service.PrivateUsers"} {
		if v, ok := fw[key]; ok {
			t.Errorf("%s=%s: rules go into the wrong namespace, or nowhere", key, v)
		}
	}
	for _, w := range append(words(db, "Service.LoadCredential"), words(fw, "Service.LoadCredential")...) {
		if strings.ContainsAny(w, ":/") {
			t.Errorf("LoadCredential=%s: with a path the start fails when it is missing (243)", w)
		}
	}
}

package nix

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// defaultPath is what NixOS puts behind the path of every service.
var defaultPath = []string{"coreutils", "findutils", "gnugrep", "gnused", "systemd"}

const storePrefix = "/nix/store/00000000000000000000000000000000-"

// dropIn renders what NixOS adds to a unit of a package: overrides.conf.
func (s service) dropIn() string {
	var b strings.Builder
	b.WriteString("[Unit]\n")
	lines(&b, "After", s.After)
	lines(&b, "Wants", s.Wants)
	lines(&b, "X-Reload-Triggers", s.ReloadTriggers)
	keys(&b, s.UnitConfig)
	b.WriteString("\n[Service]\n")
	var path []string
	for _, bin := range []string{"bin", "sbin"} {
		for _, p := range s.Path {
			path = append(path, p+"/"+bin)
		}
		for _, p := range defaultPath {
			path = append(path, storePrefix+p+"/"+bin)
		}
	}
	fmt.Fprintf(&b, "Environment=%q\n", "PATH="+strings.Join(path, ":"))
	keys(&b, s.ServiceConfig)
	return b.String()
}

func lines(b *strings.Builder, key string, values []string) {
	if len(values) > 0 {
		fmt.Fprintf(b, "%s=%s\n", key, strings.Join(values, " "))
	}
}

func keys(b *strings.Builder, config map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(config)) {
		list, ok := config[key].([]any)
		if !ok {
			list = []any{config[key]}
		}
		for _, v := range list {
			fmt.Fprintf(b, "%s=%v\n", key, v)
		}
	}
}

// postgresqlConf renders the settings as NixOS does, beside the files that it names itself.
func (r *result) postgresqlConf(hba, ident string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "hba_file = '%s'\nident_file = '%s'\nlog_destination = 'stderr'\n", hba, ident)
	for _, key := range slices.Sorted(maps.Keys(r.PostgreSQL.Settings)) {
		if s, ok := r.PostgreSQL.Settings[key].(string); ok {
			fmt.Fprintf(&b, "%s = '%s'\n", key, strings.ReplaceAll(s, "'", "''"))
			continue
		}
		fmt.Fprintf(&b, "%s = %v\n", key, r.PostgreSQL.Settings[key])
	}
	return b.String()
}

// The drop-in adds to the units of the package; what hardens them stays as deploy/systemd has it, but where a config asks
// for more.
func TestDropInsKeepTheHardening(t *testing.T) {
	e := committed(t)
	remote := []string{"IPAddressDeny", "PrivateNetwork", "RestrictAddressFamilies"}
	elsewhere := map[string][]string{
		"sessiondbd": remote, "sessiondbd-metrics": remote, "sessiondbd-prune": remote, "sessiondbd-backup": remote, "sessiondbd-backup-verify": remote,
	}
	may := map[string]map[string][]string{ // case, unit, keys
		"password-file":           {"sessiondbd": {"LoadCredential"}},
		"hypervisor":              {"sessiondbd": {"LoadCredential"}},
		"after":                   {"sessiondbd": {"LoadCredential"}},
		"password-unused":         {"sessiondbd": {"LoadCredential"}},
		"booted":                  {"sessiondbd": {"LoadCredential"}},
		"credential-in-credstore": {"sessiondbd": {"LoadCredential"}},
		"credentials":             {"sessiondbd": {"LoadCredential"}},
		"remote":                  elsewhere,
		"remote-url":              elsewhere,
		"own-backup-elsewhere": {
			"sessiondbd-backup":        {"IPAddressDeny", "PrivateNetwork", "ReadWritePaths", "RestrictAddressFamilies"},
			"sessiondbd-backup-verify": {"ReadWritePaths"},
		},
		"firewall-legacy": {"sessiondbd-firewall": {"AmbientCapabilities", "CapabilityBoundingSet", "ExecStartPre", "ReadWritePaths", "RestrictAddressFamilies"}},
	}
	for name, want := range expectations {
		if want.fails || len(want.failed) > 0 {
			continue
		}
		for _, release := range releases {
			for unit, s := range e.result(t, name, release).Services {
				if have := slices.Sorted(maps.Keys(s.ServiceConfig)); strings.HasPrefix(unit, "sessiondbd") && !slices.Equal(have, may[name][unit]) {
					t.Errorf("%s on %s: %s sets %v, want %v", name, release, unit, have, may[name][unit])
				}
			}
		}
	}
}

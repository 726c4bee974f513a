package nix

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// expectation is what a configuration of tests/cases.nix must come to, on every release.
type expectation struct {
	fails    bool       // does not evaluate
	failed   [][]string // one list an assertion: what its message says
	warnings [][]string // one list a warning
	check    func(t *testing.T, r *result)
}

// Each mistake has a twin near it that is none.
var expectations = map[string]expectation{
	"disabled":   {check: untouched},
	"minimal":    {check: documentedHost},
	"hypervisor": {check: documentedHost},

	"booted": {check: interfaces("br-vm1", "br-vm2")},

	"password-file":     {check: loads("sessionuser.password:/run/secrets/sessionuser.password")},
	"password-in-store": {failed: [][]string{{"passwordFile", "Nix store", "as a string"}}},
	"password-as-path":  {failed: [][]string{{"passwordFile", "Nix store", "not as a Nix path"}}},
	"password-relative": {fails: true},
	"password-initial":  {failed: [][]string{{"sessionuser", "Nix store", "passwordFile"}}},
	"password-in-url":   {failed: [][]string{{"database.url", "Nix store", "passfile"}}},
	"credentials":       {check: loads("reporting.password:/run/secrets/reporting")},

	"password-file-in-settings": {},
	"password-file-in-store":    {failed: [][]string{{"password.file of sessionuser", "Nix store"}}},
	"password-unused":           {warnings: [][]string{{"passwordFile", `password.credential = "sessionuser.password"`}}},
	"credential-in-credstore":   {check: loads("reporting.password")},

	"networks-own-set":    {check: interfaces("br-vm1", "br-vm2", "br-vm3", "br-vm4", "br-vm5")},
	"networks-cidr":       {check: interfaces("br0", "auto")},
	"networks-many":       {check: setting("max_connections", 12*16+7.0)},
	"networks-no-gateway": {fails: true},
	"networks-no-subnet":  {fails: true},
	"gateways-only":       {check: gatewaysOnly},
	"allow":               {},

	"misspelt-option":       {fails: true},
	"misspelt-setting-type": {fails: true},
	"wrong-enum":            {fails: true},
	"freeform-setting":      {},

	"firewall-nftables":       {check: letsIn(`iifname "br-vm1" ip saddr 10.1.0.0/24 tcp dport 5432 accept`)},
	"firewall-nftables-auto":  {check: letsIn("ip saddr 10.5.0.0/24 tcp dport 5432 accept")},
	"firewall-nftables-allow": {check: letsIn(`iifname "tailscale0" ip6 saddr fd7a:115c:a1e0::/48 tcp dport 5432 accept`)},
	"firewall-legacy":         {check: legacyUnit},
	"firewall-off":            {check: firewallOff},
	"firewall-open-port":      {warnings: [][]string{{"allowedTCPPorts", "Delete 5432"}}},
	"ruleset-documented":      {check: letsIn()},
	"ruleset-wildcard":        {},
	"ruleset-auto-names":      {},
	"ruleset-subnets":         {},
	"ruleset-drops":           {warnings: [][]string{{"of vm4, vm5 to", `  iifname "br-vm4" ip saddr 10.4.0.0/24 tcp dport 5432 accept`}}},
	"ruleset-drops-port":      {warnings: [][]string{{"of vm1, vm2, vm3, vm4, vm5 to"}}},
	"ruleset-public-drop":     {},
	"ruleset-sets":            {},
	"ruleset-unchecked":       {},
	"ruleset-file":            {warnings: [][]string{{"of vm1, vm2, vm3, vm4, vm5 to"}}},
	"ruleset-table":           {warnings: [][]string{{"of vm1, vm2, vm3, vm4, vm5 to"}}},

	"hba-overridden":           {failed: [][]string{{"overridden", "config.services.sessiondb.authentication", "  host  sessiondb  sessionuser  10.5.0.0/24  scram-sha-256", "reject"}}},
	"hba-overridden-old-lines": {warnings: [][]string{{"closing reject", "  host  all,replication  sessionuser,sessiondb_owner  all  reject"}}},
	"hba-overridden-repeated":  {},
	"hba-earlier-line":         {warnings: [][]string{{"host all all 0.0.0.0/0 trust", "mkAfter"}}},
	"hba-added-line":           {},
	"port":                     {},
	"port-mismatch":            {failed: [][]string{{"5433", "5432", "delete the former"}}},
	"postgresql-off":           {failed: [][]string{{"remove services.postgresql.enable = false"}}},
	"postgresql-tuned":         {check: setting("max_connections", 300.0)},
	"ensured":                  {warnings: [][]string{{"ensureDatabases", "delete it"}, {"ensureUsers", "delete it"}}},
	"remote":                   {check: remote},
	"remote-url":               {check: remote},
	"socket-url":               {check: documentedHost},
	"socket-default":           {check: documentedHost},

	"old-oneshots":     {failed: [][]string{{"init-session-schema", "delete the definition"}, {"set-sessionuser-password", "delete"}}},
	"old-oneshots-off": {},
	"before": {
		failed:   [][]string{{"init-session-schema", "delete the definition"}, {"set-sessionuser-password", "delete"}},
		warnings: [][]string{{"closing reject"}, {"allowedTCPPorts", "no effect", "Delete 5432"}, {"ensureDatabases"}, {"ensureUsers"}},
	},
	"after": {check: documentedHost},

	"metrics": {check: func(t *testing.T, r *result) {
		documentedHost(t, r)
		if have := r.Sockets["sessiondbd-metrics"]; !slices.Equal(have, []string{"sockets.target"}) {
			t.Errorf("the socket of the metrics is wanted by %v", have)
		}
	}},

	"retention": {check: func(t *testing.T, r *result) {
		documentedHost(t, r)
		if have := r.Timers["sessiondbd-prune"]; !slices.Equal(have, []string{"timers.target"}) {
			t.Errorf("the timer of prune is wanted by %v", have)
		}
	}},
	"retention-pending": {fails: true},

	"own-backup":           {check: ownBackup(nil, nil, "")},
	"own-backup-elsewhere": {check: ownBackup([]string{"", "Mon..Fri 23:30"}, []any{"-/srv/backups"}, "s3://my-backups/{file}")},
	"own-backup-none":      {fails: true},
	"own-backup-off":       {check: noOwnBackup},

	"own-backup-of-another": {check: ownBackup(nil, nil, "")},
	"backup-of-all":         {check: noOwnBackup},

	"backup":          {check: backup("*-*-* 02:00:00")},
	"backup-own-time": {check: backup("*-*-* 04:30:00")},
}

func TestCases(t *testing.T) {
	e := committed(t)
	if have, want := slices.Sorted(maps.Keys(e.Cases)), slices.Sorted(maps.Keys(expectations)); !slices.Equal(have, want) {
		t.Fatalf("cases: evaluated %v, expected %v", have, want)
	}
	if n := len(e.Cases); n < 20 {
		t.Errorf("%d configurations, want 20", n)
	}
	for name, want := range expectations {
		for _, release := range releases {
			t.Run(name+"/"+release, func(t *testing.T) {
				r := e.result(t, name, release)
				if r == nil {
					t.Fatal("no result")
				}
				if r.Error != want.fails {
					t.Fatalf("evaluates: %v, want %v", !r.Error, !want.fails)
				}
				says(t, "assertions", r.Failed, want.failed)
				says(t, "warnings", r.Warnings, want.warnings)
				if want.check != nil {
					want.check(t, r)
				}
			})
		}
	}
}

func says(t *testing.T, what string, have []string, want [][]string) {
	t.Helper()
	if len(have) != len(want) {
		t.Fatalf("%d %s, want %d: %q", len(have), what, len(want), have)
	}
	for i, parts := range want {
		for _, p := range parts {
			if !strings.Contains(have[i], p) {
				t.Errorf("%s: %q lacks %q", what, have[i], p)
			}
		}
	}
}

func untouched(t *testing.T, r *result) {
	if len(r.Services)+len(r.Etc)+len(r.Packages)+len(r.Users)+len(r.UnitPackages) > 0 || r.PostgreSQL.Enable {
		t.Errorf("the module does something although it is not enabled: %+v", r)
	}
}

// documentedHost holds `enable = true` to the documented deployment.
func documentedHost(t *testing.T, r *result) {
	if !r.PostgreSQL.Enable {
		t.Error("PostgreSQL is not enabled")
	}
	setting("listen_addresses", "*")(t, r)
	setting("authentication_timeout", "5s")(t, r)
	setting("client_connection_check_interval", "5s")(t, r)
	if !slices.Equal(r.UnitPackages, []string{"sessiondbd"}) || !slices.Equal(r.TmpfilesPackage, []string{"sessiondbd"}) {
		t.Errorf("units from %v, tmpfiles from %v", r.UnitPackages, r.TmpfilesPackage)
	}
	if !slices.Contains(r.Users, "sessiondbd-firewall") {
		t.Errorf("no user for the firewall: %v", r.Users)
	}
	db, fw := r.Services["sessiondbd"], r.Services["sessiondbd-firewall"]
	if !slices.Contains(db.Aliases, "init-session-schema.service") {
		t.Errorf("aliases %v", db.Aliases)
	}
	for name, s := range map[string]service{"sessiondbd": db, "sessiondbd-firewall": fw} {
		if !s.Enable || !slices.Contains(s.WantedBy, "multi-user.target") {
			t.Errorf("%s does not start at boot", name)
		}
		if len(s.ReloadTriggers) != 1 || s.StopIfChanged {
			t.Errorf("%s: a new config must reload it, and a new version restart it without a stop: %+v", name, s)
		}
	}
	if _, timer := r.Timers["sessiondbd-prune"]; timer != strings.Contains(r.Etc["sessiondbd/config.yaml"], "older_than") {
		t.Errorf("sessions are deleted every night: %v", timer)
	}
	if _, timer := r.Timers["sessiondbd-backup"]; timer != strings.Contains(r.Etc["sessiondbd/config.yaml"], "backup") {
		t.Errorf("backups are made every night: %v", timer)
	}
	if _, metrics := r.Services["sessiondbd-metrics"]; metrics {
		t.Error("the metrics' unit is changed without a reason")
	}
	if !slices.ContainsFunc(fw.Path, func(p string) bool { return strings.HasSuffix(p, "-iptables") }) {
		t.Errorf("the firewall's PATH lacks iptables: %v", fw.Path)
	}
	if pg := r.Services["postgresql"]; !slices.Contains(pg.After, "sessiondbd-firewall.service") || !slices.Contains(pg.Wants, "sessiondbd-firewall.service") {
		t.Errorf("PostgreSQL does not start behind the guard: %+v", pg)
	}
}

func loads(credential string) func(*testing.T, *result) {
	return func(t *testing.T, r *result) {
		if have, _ := r.Services["sessiondbd"].ServiceConfig["LoadCredential"].([]any); !slices.Contains(have, any(credential)) {
			t.Errorf("LoadCredential=%v lacks %s", have, credential)
		}
		name, path, given := strings.Cut(credential, ":")
		if link := "L+ /run/credstore/" + name + " - - - - " + path; slices.Contains(r.TmpfilesRules, link) != given {
			t.Errorf("root's commands do not see what the service has: %q", r.TmpfilesRules)
		}
	}
}

func setting(name string, want any) func(*testing.T, *result) {
	return func(t *testing.T, r *result) {
		if have := r.PostgreSQL.Settings[name]; have != want {
			t.Errorf("%s = %v, want %v", name, have, want)
		}
	}
}

func interfaces(want ...string) func(*testing.T, *result) {
	return func(t *testing.T, r *result) {
		var have []string
		for _, n := range configOf(t, r).Networks {
			have = append(have, n.Interface)
		}
		if !slices.Equal(have, want) {
			t.Errorf("interfaces %v, want %v", have, want)
		}
	}
}

func gatewaysOnly(t *testing.T, r *result) {
	setting("listen_addresses", "localhost, 10.1.0.1, 10.2.0.1, 10.3.0.1, 10.4.0.1, 10.5.0.1")(t, r)
	if r.Sysctl["net.ipv4.ip_nonlocal_bind"] != 1.0 {
		t.Errorf("sysctl %v: a gateway that comes late would never be bound", r.Sysctl)
	}
}

// letsIn requires rules of NixOS's own nftables firewall; none: that they are left alone.
func letsIn(rules ...string) func(*testing.T, *result) {
	return func(t *testing.T, r *result) {
		if len(rules) == 0 && r.Firewall.Extra != "" {
			t.Errorf("rules for a firewall that is not there: %s", r.Firewall.Extra)
		}
		for _, rule := range rules {
			if !slices.Contains(strings.Split(r.Firewall.Extra, "\n"), rule) {
				t.Errorf("%q lacks %q", r.Firewall.Extra, rule)
			}
		}
	}
}

func legacyUnit(t *testing.T, r *result) {
	c := r.Services["sessiondbd-firewall"].ServiceConfig
	for _, key := range []string{"CapabilityBoundingSet", "AmbientCapabilities"} {
		if c[key] != "CAP_NET_ADMIN CAP_NET_RAW" {
			t.Errorf("%s=%v", key, c[key])
		}
	}
}

func firewallOff(t *testing.T, r *result) {
	if r.Services["sessiondbd-firewall"].Enable {
		t.Error("the firewall part runs although it is off")
	}
}

func remote(t *testing.T, r *result) {
	if r.PostgreSQL.Enable {
		t.Error("PostgreSQL is enabled on a host whose server is elsewhere")
	}
	if c := r.Services["sessiondbd"].ServiceConfig; c["PrivateNetwork"] != false {
		t.Errorf("the server cannot be reached: %v", c)
	}
}

// ownBackup wants both timers, pg_dump in the services' PATH, and the network for an upload alone.
func ownBackup(calendar []string, writes []any, upload string) func(*testing.T, *result) {
	return func(t *testing.T, r *result) {
		documentedHost(t, r)
		for _, name := range []string{"sessiondbd-backup", "sessiondbd-backup-verify"} {
			s := r.Services[name]
			if !slices.Equal(r.Timers[name], []string{"timers.target"}) || len(s.Path) != 1 {
				t.Errorf("%s: timer %v, PATH %v", name, r.Timers[name], s.Path)
			}
			if have, _ := s.ServiceConfig["ReadWritePaths"].([]any); !slices.Equal(have, writes) {
				t.Errorf("%s may write to %v, want %v", name, have, writes)
			}
			if _, out := s.ServiceConfig["PrivateNetwork"]; out != (upload != "" && name == "sessiondbd-backup") {
				t.Errorf("%s: the network is open: %v", name, out)
			}
		}
		if have := r.Calendars["sessiondbd-backup"]; !slices.Equal(have, calendar) {
			t.Errorf("calendar %q, want %q", have, calendar)
		}
		if config := r.Etc["sessiondbd/config.yaml"]; !strings.Contains(config, upload) {
			t.Errorf("the config lacks %q:\n%s", upload, config)
		}
	}
}

// noOwnBackup is a host whose backups are somebody else's business.
func noOwnBackup(t *testing.T, r *result) {
	documentedHost(t, r)
	for _, name := range []string{"sessiondbd-backup", "sessiondbd-backup-verify"} {
		if _, service := r.Services[name]; service || r.Timers[name] != nil {
			t.Errorf("%s: %v, timer %v", name, service, r.Timers[name])
		}
	}
}

func backup(at string) func(*testing.T, *result) {
	return func(t *testing.T, r *result) {
		noOwnBackup(t, r)
		b := r.Backup
		if !b.Enable || !slices.Equal(b.Databases, []string{"sessiondb"}) || b.StartAt != at || b.Compression != "zstd" {
			t.Errorf("backup: %+v", b)
		}
	}
}

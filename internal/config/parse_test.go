package config

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mistake is a file with a fault; want is the error with the file's name taken off.
type mistake struct{ in, want string }

var mistakes = slices.Concat(yamlMistakes, roleMistakes, networkMistakes)

func TestMistakes(t *testing.T) {
	for _, m := range mistakes {
		c, err := Parse("c.yaml", []byte(m.in))
		var errs Errors
		if !errors.As(err, &errs) || c != nil {
			t.Errorf("%s\nis accepted, or the error is of another type: %v", m.in, err)
			continue
		}
		got := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\nc.yaml:", "\n"), "c.yaml:")
		if diff := cmp.Diff(m.want, got); diff != "" {
			t.Errorf("%s\n(-want +got):\n%s", m.in, diff)
		}
	}
}

// What lies just inside the bounds that the mistakes are just outside of.
func TestAccepted(t *testing.T) {
	for _, in := range []string{
		"", "\n", "# nothing\n", "---\n", "--- {}\n...\n", "null", "{}", "\ufeffhardening: strict", "hardening: strict\r\n",
		"database:\nroles:\nnetworks:\nfirewall:\nserver:\nreconcile:\n", "firewall: {allow: }", `{"hardening": "strict"}`,
		"firewall: {port: 1}", "firewall: {port: 65535}", "firewall: {max_connections_per_vm: 1}", "firewall: {backend: off}",
		"database: {name: " + strings.Repeat("a", 63) + "}", "database: {name: yes}", "database: {name: _a-b$1}", "database: {os_user: www-data}",
		"database: {url: postgresql:///postgres}", "database: {url: 'host=a,b port=1,2'}",
		"roles: []", "roles: [{name: a}]", "roles: [{name: a, password: }]", "roles: [{name: pg}]", "roles: [{name: a, connection_limit: -1}]", "roles: [{name: a, connection_limit: 0}]",
		"roles: [{name: a, temp_file_limit: 2147483647kB}]", "roles: [{name: a, temp_file_limit: 1TB}]", "roles: [{name: a, temp_file_limit: '0kB'}]", "roles: [{name: a, temp_file_limit: -1}]",
		"roles: [{name: a, statement_timeout: 100ms}]", "roles: [{name: a, statement_timeout: 24h}]", "roles: [{name: a, statement_timeout: 0}]", "roles: [{name: a, idle_in_transaction_session_timeout: 0s}]",
		"roles: [{name: a, connection_limit: 10000}]", "roles: [{name: a, networks: [vm5]}, {name: b, networks: []}]",
		"roles: [{name: a, password: {initial: '1'}}]", "roles: [{name: a, password: {initial: md5}}]", "roles: [{name: a, password: {initial: '~ !'}}]",
		"networks: []", network("10.1.0.0/30", "10.1.0.2"), network("10.1.0.0/31", "10.1.0.0"), network("10.1.0.0/31", "10.1.0.1"), network("10.0.0.0/8", "10.0.0.1"),
		network("fd00::/64", "fd00::1"), network("fd00::/127", "fd00::"), network("fd00::/126", "fd00::3"),
		"networks: [{name: a, subnet: 10.1.0.0/24, gateway: 10.1.0.1}, {name: b, subnet: 10.1.1.0/24, gateway: 10.1.1.1}]",
		"networks: [{name: a, subnet: 10.1.0.0/24, gateway: 10.1.0.1, interface: abcdefghijklmno}]",
		"firewall: {allow: [{source: 10.9.0.1, interface: a}, {source: 10.9.0.1}]}", "firewall: {allow: [{source: 0.0.0.0/0, interface: wg0}, {source: '::1'}]}",
		"limits: {transaction_age: 1m}", "limits: {transaction_age: 720h}", "limits: {transaction_age: 0}", "limits: {transaction_age: 0s}", "limits:", "reconcile: {interval: 1s}", "reconcile: {interval: 1h}",
		"retention:", "retention: {status: completed, older_than: 1h}", "retention: {status: [failed, completed], older_than: 87600h}",
		"backup:", "backup: {keep: 1}", "backup: {directory: ../backups/}", "backup: {schedule: hourly}", "backup: {schedule: Mon..Fri *-*-* 2/6:00:00}", "backup: {upload: [/usr/bin/tee, '{file}', '']}",
	} {
		c, err := Parse("c.yaml", []byte(in))
		if err != nil {
			t.Errorf("%q is refused: %v", in, err)
			continue
		}
		checkRoundTrip(t, c)
	}
}

func network(subnet, gateway string) string {
	return `networks: [{name: a, subnet: "` + subnet + `", gateway: "` + gateway + `"}]`
}

// The values that an item of a list gets without asking, and those that a list of its own takes away.
func TestListsReplaceTheDefaults(t *testing.T) {
	c, err := Parse("/etc/x/c.yaml", []byte(`roles: [{name: sessionuser}, {name: b, password: {file: ../b}, networks: []}]`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Role{
		{Name: "sessionuser", Access: ReadWrite, ConnectionLimit: 80, TempFileLimit: 262144},
		{Name: "b", Access: ReadWrite, ConnectionLimit: 80, TempFileLimit: 262144, Password: Password{File: "/etc/b"}, Networks: Names{}},
	}
	if diff := cmp.Diff(want, c.Roles, values); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	if c.Roles[0].Password.Managed() || !c.Roles[1].Password.Managed() {
		t.Error("Managed does not follow the password key")
	}
	if got := c.RoleNetworks(c.Roles[0]); len(got) != 5 {
		t.Errorf("a role without networks may connect from %v, want all five", got)
	}
	if got := c.RoleNetworks(c.Roles[1]); len(got) != 0 {
		t.Errorf("a role with no network may connect from %v", got)
	}
}

func TestDefaultRoleFollowsTheNetworks(t *testing.T) {
	c, err := Parse("c.yaml", []byte(network("10.1.0.0/24", "10.1.0.1")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Names{"a"}, c.Roles[0].Networks); diff != "" {
		t.Errorf("networks of sessionuser (-want +got):\n%s", diff)
	}
	if got := c.RoleNetworks(c.Roles[0]); len(got) != 1 || got[0].Interface != AutoInterface {
		t.Errorf("RoleNetworks = %v", got)
	}
}

func TestPasswordFileIsRelativeToTheConfig(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"/etc/s/c.yaml": "/etc/s/secrets/a", "c.yaml": here + "/secrets/a", "x/c.yaml": here + "/x/secrets/a"} {
		c, err := Parse(name, []byte("roles: [{name: a, password: {file: secrets/a}}]"))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Roles[0].Password.File; got != want {
			t.Errorf("in %s: %s, want %s", name, got, want)
		}
	}
}

func TestDeepNestingIsRefused(t *testing.T) {
	for _, in := range []string{strings.Repeat("[", 20000), strings.Repeat("a: {", 20000), strings.Repeat("- ", 20000)} {
		if c, err := Parse("c.yaml", []byte(in)); err == nil {
			t.Errorf("%.20s… is accepted as %v", in, c)
		}
	}
}

// A zero that is written is no absent key, which means the default.
func TestNeverIsNotTheDefault(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"limits: {transaction_age: 0}": 0, "limits: {transaction_age: 0s}": 0, "limits: {transaction_age: 90s}": 90 * time.Second,
		"limits: {}": 15 * time.Minute, "": 15 * time.Minute,
	} {
		c, err := Parse("c.yaml", []byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if have := c.Limits.TransactionAge; have != want {
			t.Errorf("%q: %s, want %s", in, have, want)
		}
	}
}

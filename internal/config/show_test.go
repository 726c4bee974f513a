package config

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

func show(t *testing.T, c *Config) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.Show(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// keyPaths lists every key path of a YAML document.
func keyPaths(t *testing.T, data []byte) map[string]bool {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{}
	var walk func(n *yaml.Node, path string)
	walk = func(n *yaml.Node, path string) {
		for i, child := range n.Content {
			switch n.Kind {
			case yaml.DocumentNode:
				walk(child, path)
			case yaml.SequenceNode:
				walk(child, path+"["+strconv.Itoa(i)+"]")
			case yaml.MappingNode:
				if i%2 == 1 {
					key := join(path, n.Content[i-1].Value)
					paths[key] = true
					walk(child, key)
				}
			}
		}
	}
	walk(&doc, "")
	return paths
}

const shownDefault = `database:
  url: host=/run/postgresql dbname=postgres
  os_user: postgres
  name: sessiondb
roles:
  - name: sessionuser
    password:
      credential: sessionuser.password
      initial: (hidden)
    access: readwrite
    connection_limit: 80
    temp_file_limit: 256MB
    statement_timeout: 0s
    idle_in_transaction_session_timeout: 0s
    networks:
      - vm1
      - vm2
      - vm3
      - vm4
      - vm5
networks:
  - name: vm1
    subnet: 10.1.0.0/24
    gateway: 10.1.0.1
    interface: auto
`

func TestShowDefault(t *testing.T) {
	got, _, _ := strings.Cut(string(show(t, Default())), "  - name: vm2\n")
	if diff := cmp.Diff(shownDefault, got); diff != "" {
		t.Errorf("Show (-want +got):\n%s", diff)
	}
}

// everything differs from every default.
const everything = `
database: {url: "postgres://admin@db1,db2:5433/postgres?sslmode=verify-full", os_user: admin, name: sessions}
roles:
  - {name: writer, password: {file: secrets/writer}, connection_limit: -1, temp_file_limit: -1, statement_timeout: 30s}
  - {name: reader, access: readonly, temp_file_limit: 1025kB, idle_in_transaction_session_timeout: 1h30m0.5s, networks: [six]}
  - {name: nobody, access: none, temp_file_limit: 0kB, networks: []}
  - {name: both, password: {credential: both, initial: "p w: #'\""}, networks: [six, four]}
networks:
  - {name: four, subnet: 192.168.7.0/31, gateway: 192.168.7.0, interface: br-4}
  - {name: six, subnet: "fd00:6::/64", gateway: "fd00:6::1"}
firewall:
  port: 6543
  backend: off
  max_connections_per_vm: 3
  allow: [{source: 100.64.0.0/10, interface: tailscale0}, {source: 10.9.0.1}, {source: 0.0.0.0/0, interface: wg0}]
server: {manage: verify, listen: gateways, restart: never}
hardening: strict
limits: {transaction_age: 1h30m}
reconcile: {interval: 1m30s, drift: report}
retention: {status: [failed, completed], older_than: 2160h}
`

func TestShowIsParsedAsTheSameConfig(t *testing.T) {
	c, err := Parse("/etc/sessiondbd/config.yaml", []byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	checkRoundTrip(t, c)
	checkRoundTrip(t, Default())
}

// checkRoundTrip shows c, puts a secret back where one is hidden, and expects the same config with that secret.
func checkRoundTrip(t *testing.T, c *Config) {
	t.Helper()
	const secret = "secret"
	want := *c
	want.Database.URL = ConnString(strings.ReplaceAll(c.Database.URL.String(), hidden, secret))
	want.Roles = nil
	for _, r := range c.Roles {
		if r.Password.Initial != "" {
			r.Password.Initial = secret
		}
		want.Roles = append(want.Roles, r)
	}
	if c.Roles != nil && want.Roles == nil {
		want.Roles = []Role{}
	}
	shown := show(t, c)
	got, err := Parse("/shown.yaml", bytes.ReplaceAll(shown, []byte(hidden), []byte(secret)))
	if err != nil {
		t.Fatalf("what Show printed is refused: %v\n%s", err, shown)
	}
	if diff := cmp.Diff(&want, got, values); diff != "" {
		t.Errorf("shown and parsed again (-want +got):\n%s\n%s", diff, shown)
	}
}

// Package config turns the YAML config file into checked values with defaults.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"time"
)

// DefaultPath is where the package installs the config file.
const DefaultPath = "/etc/sessiondbd/config.yaml"

// OwnerRole is the NOLOGIN role that owns the database; no configured role may bear its name.
const OwnerRole = "sessiondb_owner"

// AutoInterface as Network.Interface means whichever interface holds the gateway address.
const AutoInterface = "auto"

// maxSize bounds what is read of a config file, in bytes, so that a wrong path (a device, a log) is not read to its end.
const maxSize = 4 << 20

// Config is the effective config: every value checked, every default filled in. Field order is the order of the contract.
type Config struct {
	// Path is the file that was read; empty when there was none, so that these are the built-in defaults.
	Path      string    `yaml:"-"`
	Database  Database  `yaml:"database"`
	Roles     []Role    `yaml:"roles"`
	Networks  []Network `yaml:"networks"`
	Firewall  Firewall  `yaml:"firewall"`
	Server    Server    `yaml:"server"`
	Hardening Hardening `yaml:"hardening"`
	Limits    Limits    `yaml:"limits"`
	Reconcile Reconcile `yaml:"reconcile"`
	Retention Retention `yaml:"retention,omitempty"` // zero: prune has nothing to do
	Backup    Backup    `yaml:"backup"`
}

// Database says which database is managed, as whom and over which connection.
type Database struct {
	URL    ConnString `yaml:"url"`     // the administrator's connection, to the maintenance database
	OSUser string     `yaml:"os_user"` // whom root switches to
	Name   string     `yaml:"name"`
}

// Role is a login role.
type Role struct {
	Name            string   `yaml:"name"`
	Password        Password `yaml:"password,omitempty"` // zero: not managed
	Access          Access   `yaml:"access"`
	ConnectionLimit int      `yaml:"connection_limit"` // -1 is unlimited, as in PostgreSQL
	TempFileLimit   Size     `yaml:"temp_file_limit"`  // of each session
	// Of 0 the server's own holds, which is none unless its administrator set one.
	StatementTimeout         time.Duration `yaml:"statement_timeout"`
	IdleInTransactionTimeout time.Duration `yaml:"idle_in_transaction_session_timeout"`
	Networks                 Names         `yaml:"networks,omitempty"` // nil: all; empty but not nil: none
}

// Password says where a role's password comes from. At most one of Credential and File is set; the zero value means that
// somebody else manages it. It is no pointer, because fmt prints what a nested pointer leads to without asking Secret.
type Password struct {
	Credential string `yaml:"credential,omitempty"` // name of a systemd credential
	File       string `yaml:"file,omitempty"`       // absolute path
	Initial    Secret `yaml:"initial,omitempty"`    // only for a role without a password, only while no other source is there
}

// Managed says whether any source of a password is configured.
func (p Password) Managed() bool { return p != Password{} }

// Network is the network of one VM.
type Network struct {
	Name      string       `yaml:"name"`
	Subnet    netip.Prefix `yaml:"subnet"` // masked; overlaps no other
	Gateway   netip.Addr   `yaml:"gateway"`
	Interface string       `yaml:"interface"` // AutoInterface or a name that is safe in an iptables rule
}

// Firewall says who may reach PostgreSQL's port.
type Firewall struct {
	Port                int             `yaml:"port"`
	Backend             FirewallBackend `yaml:"backend"`
	MaxConnectionsPerVM int             `yaml:"max_connections_per_vm"`
	Allow               []Source        `yaml:"allow"`
}

// Source is a further source that the firewall lets in.
type Source struct {
	Source    netip.Prefix `yaml:"source"`              // masked; a single address has its full length
	Interface string       `yaml:"interface,omitempty"` // empty: any
}

// Server says how far PostgreSQL's own settings are managed.
type Server struct {
	Manage  Manage  `yaml:"manage"`
	Listen  Listen  `yaml:"listen"`
	Restart Restart `yaml:"restart"`
}

// Limits bound what PostgreSQL lets every role take, whatever its rights.
type Limits struct {
	TransactionAge time.Duration `yaml:"transaction_age"` // a declared role's transaction that is older is ended; 0: none is
}

// Reconcile says how often the daemon looks, besides what wakes it, with what it does about drift.
type Reconcile struct {
	Interval time.Duration `yaml:"interval"`
	Drift    Drift         `yaml:"drift"`
}

// Names is a list of network names in which nil (all) differs from empty (none).
type Names []string

// IsZero keeps "none" apart from "all" when the config is shown.
func (n Names) IsZero() bool { return n == nil }

// RoleNetworks lists the networks from which r may connect, in the order of the config.
func (c *Config) RoleNetworks(r Role) []Network {
	if r.Networks == nil {
		return c.Networks
	}
	named := map[string]bool{}
	for _, n := range r.Networks {
		named[n] = true
	}
	var list []Network
	for _, n := range c.Networks {
		if named[n.Name] {
			list = append(list, n)
		}
	}
	return list
}

// Load reads the file at path. When there is no such file it returns the defaults, unless mustExist says that somebody
// named the file. What is wrong inside the file is returned as Errors; anything else is an error of the file system.
func Load(path string, mustExist bool) (*Config, error) {
	data, err := read(path)
	if errors.Is(err, fs.ErrNotExist) && !mustExist && !danglingLink(path) {
		return Default(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return Parse(path, data)
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("%s: is larger than 4 MiB; name a config file", path)
	}
	return data, nil
}

// danglingLink tells a config that lost its target (NixOS links into the store) from one that was never there.
func danglingLink(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

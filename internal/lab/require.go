package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Need is something that part of the lab wants of the machine.
type Need int

// What can be needed; each is independent of the others.
const (
	NeedNamespaces Need = iota
	NeedHypervisor
	NeedCluster
	NeedClients
)

// tools are commands by need, each with the Debian package that has it.
var tools = map[Need][][2]string{
	NeedNamespaces: {{"ip", "iproute2"}, {"nsenter", "util-linux"}, {"sysctl", "procps"}, {"iptables", "iptables"}, {"nft", "nftables"}},
	NeedHypervisor: {{"mmdebstrap", "mmdebstrap"}, {"systemd-nspawn", "systemd-container"}, {"unshare", "util-linux"}},
	NeedCluster:    {{"psql", "postgresql-client"}},
	NeedClients:    {{"psql", "postgresql-client"}, {"node", "nodejs"}, {"npm", "npm"}, {"go", "golang"}},
}

// Require says what the machine lacks for these needs, and the command that installs it.
func Require(ctx context.Context, needs ...Need) error {
	var missing []string
	for _, need := range needs {
		for _, t := range tools[need] {
			if _, err := lookPath(t[0]); err != nil {
				missing = append(missing, fmt.Sprintf("%s (package %s)", t[0], t[1]))
			}
		}
		switch need {
		case NeedNamespaces, NeedHypervisor:
			if os.Geteuid() != 0 {
				return fmt.Errorf("needs root: namespaces and containers; run make as root")
			}
		case NeedCluster:
			if _, err := newestBindir(); err != nil {
				missing = append(missing, "initdb (package postgresql)")
			}
		case NeedClients:
			if exec.CommandContext(ctx, systemPython, "-c", "import psycopg2").Run() != nil {
				missing = append(missing, "psycopg2 (package python3-psycopg2)")
			}
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fmt.Errorf("missing %s; run: make setup", strings.Join(slices.Compact(missing), ", "))
	}
	return nil
}

// lookPath finds a program also where root's are: after a plain su, PATH lacks them.
func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if p := filepath.Join(dir, name); exists(p) {
			return p, nil
		}
	}
	return "", err
}

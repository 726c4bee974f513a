package nix

import (
	"slices"
	"strings"
	"testing"

	"sessiondbd/internal/config"
	"sessiondbd/internal/server"
)

// configOf reads the config that a configuration writes, as the product does.
func configOf(t *testing.T, r *result) *config.Config {
	t.Helper()
	c, err := config.Parse("config.yaml", []byte(r.Etc["sessiondbd/config.yaml"]))
	if err != nil {
		t.Fatalf("the product refuses the config: %v\n%s", err, r.Etc["sessiondbd/config.yaml"])
	}
	return c
}

// The module says in Nix what the product says in Go: the config means the same, and the lines of pg_hba.conf are the
// product's own, first of all rules.
func TestProductAgrees(t *testing.T) {
	e := committed(t)
	for name, want := range expectations {
		if want.fails || name == "disabled" {
			continue
		}
		for _, release := range releases {
			t.Run(name+"/"+release, func(t *testing.T) {
				r := e.result(t, name, release)
				c := configOf(t, r)
				if strings.HasPrefix(name, "remote") || len(want.failed) > 0 {
					return
				}
				if c.Server.Manage != config.ManageVerify {
					t.Errorf("server.manage is %s: the files lie in the store", c.Server.Manage)
				}
				rules, block := rulesOf(r.PostgreSQL.Authentication), blockOf(t, c)
				at := 0 // of our first line
				if name == "hba-earlier-line" {
					at = 1
				}
				if name != "hba-overridden-old-lines" && !slices.Equal(rules[at:min(len(rules), at+len(block))], block) {
					t.Errorf("pg_hba.conf:\n%s\nwant first:\n%s", strings.Join(rules, "\n"), strings.Join(block, "\n"))
				}
				if port := r.PostgreSQL.Settings["port"]; port != float64(c.Firewall.Port) {
					t.Errorf("PostgreSQL listens on %v, the firewall guards %d", port, c.Firewall.Port)
				}
			})
		}
	}
}

// The one line means what no config at all means to the product.
func TestMinimalIsDefault(t *testing.T) {
	e := committed(t)
	for _, release := range releases {
		c := configOf(t, e.result(t, "minimal", release))
		c.Path = ""
		c.Server.Manage = config.ManageAuto // verify on NixOS
		var have, want strings.Builder
		if err := c.Show(&have); err != nil {
			t.Fatal(err)
		}
		if err := config.Default().Show(&want); err != nil {
			t.Fatal(err)
		}
		if have.String() != want.String() {
			t.Errorf("%s:\n%s\nwant\n%s", release, have.String(), want.String())
		}
	}
}

func rulesOf(text string) []string {
	var rules []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			rules = append(rules, line)
		}
	}
	return rules
}

// blockOf are the lines that the product would write into a pg_hba.conf of its own.
func blockOf(t *testing.T, c *config.Config) []string {
	t.Helper()
	w := server.Want{Manage: server.ManageAuto, Database: c.Database.Name, Owner: config.OwnerRole}
	for _, r := range c.Roles {
		a := server.RoleAccess{Name: r.Name, Access: string(r.Access)}
		for _, n := range c.RoleNetworks(r) {
			a.Networks = append(a.Networks, server.Network{Name: n.Name, Prefix: n.Subnet})
		}
		if r.Networks == nil {
			for _, s := range c.Firewall.Allow {
				a.Networks = append(a.Networks, server.Network{Prefix: s.Source})
			}
		}
		w.Roles = append(w.Roles, a)
	}
	file := server.File{Path: "/pg_hba.conf", Real: "/pg_hba.conf", Exists: true, Writable: true}
	o := server.Observation{Server: []server.Facts{{HBAFile: file.Path}}, Local: server.Local{Here: true, HBA: file}}
	for _, r := range server.HBA(w, o) {
		for _, change := range r.Changes {
			if change.Field == "block" {
				return rulesOf(change.Want)
			}
		}
	}
	t.Fatal("the product has no block")
	return nil
}

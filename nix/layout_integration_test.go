//go:build integration

package nix

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sessiondbd/internal/lab"
)

// host lays out on Debian what NixOS would make of a result: the store, links into it from /etc, units with drop-ins.
type host struct {
	*lab.Root
	ctx context.Context
	r   *result
	pkg string // where installPackage left the package
}

func (h host) build() error {
	steps := []func() error{h.store, h.units, h.server, h.users, h.firewall}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (h host) write(name, text string, mode os.FileMode) error {
	return h.WriteFile(h.ctx, name, []byte(text), mode)
}

func (h host) sh(script string) error {
	_, err := h.Run(h.ctx, "sh", "-euc", script)
	return err
}

// store holds the package, the config, and the tools by the names that the units know.
func (h host) store() error {
	err := filepath.WalkDir(h.pkg, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(h.pkg, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return h.Put(h.ctx, path, storePrefix+"sessiondbd/"+rel, info.Mode().Perm())
	})
	if err != nil {
		return err
	}
	tools := slices.Clone(defaultPath)
	for _, s := range h.r.Services {
		for _, p := range s.Path {
			tools = append(tools, strings.TrimPrefix(p, storePrefix))
		}
	}
	for _, name := range tools {
		if err := h.sh(fmt.Sprintf("mkdir -p %[1]s%[2]s; ln -sfn /usr/bin %[1]s%[2]s/bin; ln -sfn /usr/sbin %[1]s%[2]s/sbin", storePrefix, name)); err != nil {
			return err
		}
	}
	for name, text := range h.r.Etc {
		if err := h.write(storePrefix+"etc/"+name, text, 0o444); err != nil {
			return err
		}
		if err := h.sh(fmt.Sprintf("mkdir -p $(dirname /etc/%[2]s); ln -sfn %[1]setc/%[2]s /etc/%[2]s", storePrefix, name)); err != nil {
			return err
		}
	}
	return nil
}

// units are those of the package, linked, with what the configuration adds.
func (h host) units() error {
	const system = "/etc/systemd/system/"
	if err := h.sh("ln -sfn " + storePrefix + "sessiondbd/lib/systemd/system/* " + system + "; ln -sfn " + storePrefix + "sessiondbd/lib/tmpfiles.d/*.conf /etc/tmpfiles.d/"); err != nil {
		return err
	}
	if err := h.write("/etc/tmpfiles.d/00-nixos.conf", strings.Join(h.r.TmpfilesRules, "\n")+"\n", 0o444); err != nil {
		return err
	}
	for name, s := range h.r.Services {
		unit := name + ".service"
		if strings.HasPrefix(name, "sessiondbd") || name == "postgresql" {
			if err := h.write(system+unit+".d/overrides.conf", s.dropIn(), 0o444); err != nil {
				return err
			}
		}
		for _, by := range s.WantedBy {
			if err := h.sh(fmt.Sprintf("mkdir -p %[1]s%[2]s.wants; ln -sfn ../%[3]s %[1]s%[2]s.wants/%[3]s", system, by, unit)); err != nil {
				return err
			}
		}
		for _, alias := range s.Aliases {
			if err := h.sh("ln -sfn " + unit + " " + system + alias); err != nil {
				return err
			}
		}
	}
	return nil
}

// server replaces Debian's PostgreSQL service by NixOS's, whose files lie in the store.
func (h host) server() error {
	files := map[string]string{
		storePrefix + "postgresql-pre-start/pre-start":  initdb,
		storePrefix + "pg_hba.conf/pg_hba.conf":         h.r.PostgreSQL.Authentication,
		storePrefix + "pg_ident.conf/pg_ident.conf":     h.r.PostgreSQL.IdentMap,
		storePrefix + "postgresql.conf/postgresql.conf": h.r.postgresqlConf(storePrefix+"pg_hba.conf/pg_hba.conf", storePrefix+"pg_ident.conf/pg_ident.conf"),
		"/etc/systemd/system/postgresql.service":        postgresqlUnit,
	}
	if h.r.HasTarget {
		files["/etc/systemd/system/postgresql-setup.service"] = setupUnit
		files["/etc/systemd/system/postgresql.target"] = targetUnit
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := h.write(name, files[name], 0o555); err != nil {
			return err
		}
	}
	script := `rm -rf /etc/postgresql /var/lib/postgresql/15 /lib/systemd/system-generators/postgresql-generator /lib/systemd/system/postgresql*
install -d -o postgres -g postgres -m 0750 /var/lib/postgresql/15
`
	if h.r.HasTarget {
		script += "mkdir -p /etc/systemd/system/multi-user.target.wants; ln -sfn ../postgresql.target /etc/systemd/system/multi-user.target.wants/postgresql.target"
	}
	return h.sh(script)
}

func (h host) users() error {
	for _, u := range h.r.Users {
		if err := h.sh("useradd --system --user-group --no-create-home --shell /usr/sbin/nologin " + u); err != nil {
			return err
		}
	}
	return nil
}

// firewallUnitName is the unit that holds the host's own rules.
func (r *result) firewallUnitName() string {
	if r.Firewall.NFTables {
		return "nftables.service"
	}
	return "firewall.service"
}

// firewall is the host's own: NixOS's of either kind, or a ruleset. Whatever is set as one is flushed at every reload.
func (h host) firewall() error {
	start := iptablesFirewall
	if h.r.Firewall.NFTables {
		rules := h.r.Firewall.Ruleset
		if h.r.Firewall.Enable {
			rules += fmt.Sprintf(nftablesFirewall, h.r.Firewall.Extra)
		}
		start = "#!/usr/sbin/nft -f\nflush ruleset\n" + rules
	}
	unit := h.r.firewallUnitName()
	if err := h.write(storePrefix+"firewall/start", start, 0o555); err != nil {
		return err
	}
	if err := h.write("/etc/systemd/system/"+unit, firewallUnit, 0o444); err != nil {
		return err
	}
	return h.sh("mkdir -p /etc/systemd/system/sysinit.target.wants; ln -sfn ../" + unit + " /etc/systemd/system/sysinit.target.wants/")
}

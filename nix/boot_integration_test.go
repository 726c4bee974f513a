//go:build integration

package nix

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sessiondbd/internal/lab"
)

// initdb is what NixOS does before PostgreSQL starts: a cluster in the data folder, its configuration a link to the store.
const initdb = `#!/bin/sh
set -eu
if [ ! -e "$PGDATA/PG_VERSION" ]; then
	/usr/lib/postgresql/15/bin/initdb -U postgres
fi
ln -sfn ` + storePrefix + `postgresql.conf/postgresql.conf "$PGDATA/postgresql.conf"
`

const postgresqlUnit = `[Unit]
Description=PostgreSQL Server
After=network.target

[Service]
Type=notify
User=postgres
Group=postgres
Environment=PGDATA=/var/lib/postgresql/15
ExecStartPre=` + storePrefix + `postgresql-pre-start/pre-start
ExecStart=/usr/lib/postgresql/15/bin/postgres
ExecReload=/bin/kill -HUP $MAINPID
KillMode=mixed
KillSignal=SIGINT
TimeoutSec=120
RuntimeDirectory=postgresql
RuntimeDirectoryPreserve=yes
`

const setupUnit = `[Unit]
Description=PostgreSQL Setup Scripts
Requires=postgresql.service
After=postgresql.service

[Service]
Type=oneshot
RemainAfterExit=yes
User=postgres
ExecStart=/bin/true
`

const targetUnit = `[Unit]
Description=PostgreSQL
Requires=postgresql.service postgresql-setup.service
`

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

// firewall is the host's own ruleset, whose every load flushes what others have.
func (h host) firewall() error {
	if h.r.NFTables.Ruleset == "" {
		return nil
	}
	if err := h.write("/etc/nftables.conf", "#!/usr/sbin/nft -f\nflush ruleset\n"+h.r.NFTables.Ruleset, 0o755); err != nil {
		return err
	}
	return h.sh("mkdir -p /etc/systemd/system/sysinit.target.wants; ln -sfn /lib/systemd/system/nftables.service /etc/systemd/system/sysinit.target.wants/")
}

const documentedPassword = "sessionpass123"

const password = "a password of this test"

// What the module evaluates to is a host that boots into a session database, from either generation of NixOS's PostgreSQL.
func TestEvaluatedHostsBoot(t *testing.T) {
	e := committed(t)
	pkg := filepath.Join(t.TempDir(), "out")
	installPackage(t, pkg, storePrefix+"sessiondbd")
	for _, tt := range []struct{ name, release, password string }{
		{"minimal", "24.05", documentedPassword},
		{"hypervisor", "26.05", password},
	} {
		t.Run(tt.name+"/"+tt.release, func(t *testing.T) {
			r := e.result(t, tt.name, tt.release)
			h := lab.BootT(t, lab.Options{Prepare: func(ctx context.Context, root *lab.Root) error {
				if err := (host{root, ctx, r, pkg}).build(); err != nil {
					return err
				}
				// Where a secrets manager would put it before services start.
				return root.WriteFile(ctx, "/etc/tmpfiles.d/secret.conf", []byte("d /run/secrets 0700 root root -\nf /run/secrets/sessionuser.password 0600 root root - "+password+"\n"), 0o644)
			}})
			bootsIntoDatabase(t, h, tt.password)
			if r.NFTables.Ruleset != "" {
				survivesFlush(t, h, tt.password)
			}
		})
	}
}

func on(t *testing.T, h *lab.Hypervisor, script string) string {
	t.Helper()
	out, err := h.Run(t.Context(), "sh", "-euc", "PATH=$PATH:"+storePrefix+"sessiondbd/bin; "+script)
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return out
}

func ask(t *testing.T, from *lab.Peer, host, password string) error {
	t.Helper()
	_, err := from.Exec(t.Context(), lab.Command{
		Argv: []string{"psql", "-X", "-At", "-h", host, "-U", "sessionuser", "-d", "sessiondb", "-c", "INSERT INTO session (inbox_status) VALUES ('pending')"},
		Env:  []string{"PGPASSWORD=" + password, "PGCONNECT_TIMEOUT=3"},
	})
	return err
}

func bootsIntoDatabase(t *testing.T, h *lab.Hypervisor, password string) {
	t.Helper()
	on(t, h, "systemctl is-active sessiondbd sessiondbd-firewall sessiondbd-restart-postgresql.path")
	if failed := on(t, h, "systemctl --failed --quiet --plain"); failed != "" {
		t.Errorf("failed units:\n%s", failed)
	}
	if out := on(t, h, "sessiondbd status"); !strings.Contains(out, "schema 0004, 1/1 roles, 5/5 networks") {
		t.Errorf("status:\n%s", out)
	}
	// The module wrote what verifying wants: nothing is left to change, to refuse or, beside a documented password, to warn of.
	out := on(t, h, "sessiondbd plan --json")
	var report struct {
		InSync   bool `json:"in_sync"`
		Warnings []struct{ Resource, Summary string }
	}
	must(t, json.Unmarshal([]byte(out), &report))
	for _, w := range report.Warnings {
		if password != documentedPassword || !strings.Contains(w.Summary, "initial password") {
			t.Errorf("%s: %s", w.Resource, w.Summary)
		}
	}
	if !report.InSync {
		t.Errorf("plan:\n%s", out)
	}
	if id := strings.TrimSpace(on(t, h, "systemctl show -P Id init-session-schema")); id != "sessiondbd.service" {
		t.Errorf("init-session-schema is %q", id)
	}
	for _, vm := range h.VMs() {
		if err := ask(t, vm, vm.Gateway, password); err != nil {
			t.Errorf("VM %d: %v", vm.Number, err)
		}
		if err := ask(t, vm, vm.Gateway, "wrong"); err == nil {
			t.Errorf("VM %d gets in with a wrong password", vm.Number)
		}
	}
	if err := ask(t, h.Outside, h.Outside.Gateway, password); err == nil {
		t.Error("the outside gets in")
	}
	on(t, h, "systemctl reload sessiondbd sessiondbd-firewall")
	on(t, h, "systemctl restart postgresql")
	on(t, h, "systemctl is-active sessiondbd")
}

// survivesFlush reloads the host's ruleset, which flushes ours: the reload comes back with the rules.
func survivesFlush(t *testing.T, h *lab.Hypervisor, password string) {
	t.Helper()
	before := on(t, h, "iptables-save | grep -c SESSIONDB-")
	on(t, h, "systemctl reload nftables; until sessiondbd plan --only firewall; do sleep 0.05; done")
	if after := on(t, h, "iptables-save | grep -c SESSIONDB-"); after != before {
		t.Errorf("%s rules after the reload, %s before", after, before)
	}
	if err := ask(t, h.VM(5), h.VM(5).Gateway, password); err != nil {
		t.Errorf("VM 5: %v", err)
	}
}

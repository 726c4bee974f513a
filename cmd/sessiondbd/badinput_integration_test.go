//go:build integration

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/plan"
)

func blocked(r plan.Report, resource string) bool {
	return slices.ContainsFunc(r.Blocked, func(b plan.Blocked) bool { return b.Resource == resource })
}

func changed(r plan.Report, resource string) bool {
	return slices.ContainsFunc(r.Changes, func(c plan.Change) bool { return c.Resource == resource })
}

// shutDown applies to a host whose database cannot be had: the firewall is applied, the database is named as blocked, and
// nothing of it is touched.
func (s *site) shutDown(code int, says ...string) {
	s.t.Helper()
	before := s.files()
	rep, r := s.report("apply")
	r.check(s.t, "apply", code, says...)
	if rep.InSync || !blocked(rep, "database/sessiondb") || !changed(rep, "firewall/ipv4") {
		s.t.Errorf("apply: %+v", rep)
	}
	if !s.guarded() {
		s.t.Error("the firewall is not there")
	}
	if s.files() != before {
		s.t.Error("files were changed")
	}
	rep, r = s.report("plan")
	r.check(s.t, "plan", code, says...)
	if rep.InSync || len(rep.Changes) != 0 || !blocked(rep, "database/sessiondb") {
		s.t.Errorf("plan after apply: %+v", rep)
	}
}

func TestUnavailable(t *testing.T) {
	t.Run("down", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, lab.ClusterOptions{})
		s.must(s.Stop(t.Context()))
		s.shutDown(exitUnavailable, "systemctl start postgresql")
		s.must(s.Start(t.Context()))
		s.apply()
	})
	t.Run("starting", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, lab.ClusterOptions{Settings: map[string]string{"hot_standby": "off"}})
		s.must(s.Stop(t.Context()))
		s.write(filepath.Join(s.DataDir, "standby.signal"), "")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Start(ctx); err == nil {
			t.Fatal("it accepts connections")
		}
		s.shutDown(exitUnavailable, "(SQLSTATE 57P03)", "systemctl status postgresql")
		s.must(s.Stop(t.Context()))
		s.must(os.Remove(filepath.Join(s.DataDir, "standby.signal")))
		s.must(s.Start(t.Context()))
		s.apply()
	})
	t.Run("standby", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, lab.ClusterOptions{})
		s.must(s.Stop(t.Context()))
		s.write(filepath.Join(s.DataDir, "standby.signal"), "")
		s.must(s.Start(t.Context()))
		s.shutDown(exitUnavailable, "standby", "promote it, or point database.url at the primary")
		s.sql("postgres", "SELECT pg_promote()")
		s.apply()
	})
	t.Run("no slots", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, lab.ClusterOptions{Settings: map[string]string{"max_connections": "5", "max_wal_senders": "0", "superuser_reserved_connections": "3"}})
		var held []*pgconn.PgConn
		for range 5 {
			held = append(held, s.dial("postgres"))
		}
		s.shutDown(exitUnavailable, "(SQLSTATE 53300)", "systemctl status postgresql")
		for _, c := range held {
			s.must(c.Close(t.Context()))
		}
		s.apply()
	})
}

// dial is somebody else's connection of an administrator.
func (s *site) dial(database string) *pgconn.PgConn {
	s.t.Helper()
	c, err := pgconn.Connect(s.t.Context(), s.URL(database))
	s.must(err)
	s.t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func TestNotPermitted(t *testing.T) {
	const hba = "local all limited peer map=limited\nlocal all postgres peer map=lab\nlocal all all peer\n"
	t.Run("no superuser", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, lab.ClusterOptions{HBA: hba})
		s.write("ident", s.read("ident")+"limited postgres limited\n")
		s.sql("postgres", "CREATE ROLE limited LOGIN CREATEDB CREATEROLE; SELECT pg_reload_conf()")
		s.configure(fmt.Sprintf(siteConfig, s.connection()+" user=limited", "postgres"))
		s.shutDown(exitNotAllowed, "not a superuser", "give database.url a superuser")
	})
	t.Run("database's user may not log in", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, lab.ClusterOptions{})
		s.configure(fmt.Sprintf(siteConfig, s.connection()+" user=postgres", "nobody"))
		s.shutDown(exitNotAllowed, "(SQLSTATE 28000)", "database.os_user")
	})
	t.Run("database's user does not exist", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, lab.ClusterOptions{})
		s.configure(fmt.Sprintf(siteConfig, s.connection(), "postgrse"))
		s.shutDown(exitUnavailable, "database.os_user: there is no user postgrse")
	})
	t.Run("wrong password", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, lab.ClusterOptions{})
		s.sql("postgres", "ALTER ROLE postgres PASSWORD 'right'")
		s.configure(fmt.Sprintf(siteConfig, "postgres://postgres:"+documentedPassword+"@127.0.0.1/postgres?sslmode=disable", "postgres"))
		s.shutDown(exitNotAllowed, "(SQLSTATE 28P01)", "database.url")
	})
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, lab.ClusterOptions{})
		s.must(os.Chmod(s.path("config.yaml"), 0o644))
		nobody := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"}
		for _, command := range []string{"plan", "apply"} {
			r := s.runIn(nobody, command, "--json")
			r.check(t, command, exitNotAllowed, "run it as root", "(SQLSTATE 28000)")
			rep, err := decode(r.stdout)
			s.must(err)
			for _, resource := range []string{"firewall/ipv4", "firewall/ipv6", "database/sessiondb"} {
				if !blocked(rep, resource) {
					t.Errorf("%s: %s is not named: %+v", command, resource, rep)
				}
			}
		}
		s.runIn(nobody, "apply", "--only", "firewall").check(t, "apply --only firewall", exitNotAllowed, "CAP_NET_ADMIN")
		s.runIn(nobody, "remove").check(t, "remove", exitNotAllowed, "CAP_NET_ADMIN")
		if s.guarded() {
			t.Error("nobody changed the firewall")
		}
		s.must(os.Chmod(s.path("config.yaml"), 0o600))
		s.runIn(nobody, "plan").check(t, "an unreadable config", exitConfig, "config.yaml: permission denied: run it as root, or for the services: sudo chmod a+rX "+s.dir)
	})
	t.Run("root as the database's user", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, lab.ClusterOptions{})
		s.configure(fmt.Sprintf(siteConfig, s.connection()+" user=postgres", "root"))
		s.apply()
		s.inSync()
		s.must(s.Restart(t.Context())) // PostgreSQL can read what was written
		s.inSync()
	})
}

// in has a command run in a mount namespace of its own, prepared by a script.
func in(script string) []string {
	return []string{"unshare", "-m", "sh", "-euc", script + "\nexec \"$@\"", "sh"}
}

func TestIPTables(t *testing.T) {
	for _, tt := range []struct {
		name, hide string
		code       int
		says       string
	}{
		{"missing", "mount -t tmpfs none /usr/sbin", exitUnavailable, "apt install iptables"},
		{"of one family missing", "cp -a /usr/sbin /run/copy; rm /run/copy/ip6tables*; mount --bind /run/copy /usr/sbin", exitUnavailable, "no ip6tables"},
		{"broken", "printf '#!/bin/sh\\necho no such device >&2; exit 4\\n' >/run/fake; chmod 755 /run/fake; mount --bind /run/fake /usr/sbin/xtables-nft-multi", exitFailure, "no such device"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, lab.ClusterOptions{})
			// A /run of its own, but for PostgreSQL's sockets.
			own := "mkdir /tmp/lab; mount --bind " + filepath.Dir(s.Socket) + " /tmp/lab; mount -t tmpfs none /run; mkdir -p " + filepath.Dir(s.Socket) +
				"; mount --bind /tmp/lab " + filepath.Dir(s.Socket) + "\n"
			r := s.runIn(in("mount -t tmpfs none /mnt; "+strings.ReplaceAll(own+tt.hide, "/tmp/lab", "/mnt/lab")), "apply", "--json")
			r.check(t, "apply", tt.code, tt.says)
			rep, err := decode(r.stdout)
			s.must(err)
			if !blocked(rep, "firewall/ipv4") || !blocked(rep, "firewall/ipv6") || !changed(rep, "hba") || blocked(rep, "hba") {
				t.Errorf("apply: %+v", rep)
			}
			s.want(exitOK, []string{"plan", "--only", "database"}, "in sync")
			s.apply()
		})
	}
}

// What it has to remember cannot be written: the database is not opened, and once there is room, everything goes on.
func TestState(t *testing.T) {
	for _, tt := range []struct {
		name, spoil string
		code        int
		says        []string
	}{
		{"not writable", "mount -t tmpfs -o mode=0755 none $S", exitNotAllowed, []string{"permission denied", "install -d -o postgres"}},
		{"read-only", "mount -t tmpfs -o ro none $S", exitFailure, []string{"read-only file system", "/state"}},
		{"full", "mount -t tmpfs -o size=64k,mode=0777 none $S; head -c 1M /dev/zero >$S/filler || true", exitFailure, []string{"no space left on device", "/state"}},
		{"not to be made", "mount -t tmpfs -o ro none $S; export SESSIONDBD_STATE_DIR=$S/absent", exitFailure, []string{"state/absent: read-only file system"}},
		{"a file", "touch $S.file; export SESSIONDBD_STATE_DIR=$S.file", exitFailure, []string{"state.file"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, lab.ClusterOptions{})
			rep, r := plan.Report{}, s.runIn(in("S="+s.path("state")+"; "+tt.spoil), "apply", "--json")
			r.check(t, "apply", tt.code, tt.says...)
			rep, err := decode(r.stdout)
			s.must(err)
			if !blocked(rep, "database/sessiondb") || changed(rep, "hba") || !s.guarded() {
				t.Errorf("apply: %+v", rep)
			}
			s.apply()
			s.inSync()
		})
	}
}

// Only what writes makes the folders that are missing, and gives them to the database's user.
func TestFolders(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	elsewhere := []string{"env", "SESSIONDBD_STATE_DIR=" + s.path("new/state"), "SESSIONDBD_RUN_DIR=" + s.path("new/run")}
	s.runIn(elsewhere, "plan").check(t, "plan", exitPending)
	s.runIn(elsewhere, "status").check(t, "status", 3)
	if _, err := os.Stat(s.path("new")); !os.IsNotExist(err) {
		t.Errorf("looking made a folder: %v", err)
	}
	s.runIn(elsewhere, "apply").check(t, "apply", exitOK, "in sync")
	s.runIn(elsewhere, "plan").check(t, "plan after apply", exitOK, "in sync")
	if s.read("new/state/identity.json") == "" {
		t.Error("nothing is remembered")
	}
	c := s.command("run")
	c.Argv = slices.Concat(elsewhere, c.Argv)
	p, err := s.ns.StartCommand(t.Context(), c)
	s.must(err)
	eventually(t, "both parts of the daemon are seen", 10*time.Second, func() bool { return s.runIn(elsewhere, "status").code == exitOK })
	s.must(p.Kill())
}

// What root can read and the service cannot is told before the service fails of it; not of a draft elsewhere.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.write("password", "another pass\n")
	s.configure(strings.Replace(s.read("config.yaml"), "credential: none-such", "file: "+s.path("password"), 1))
	installed := func(files string) result { // /etc/sessiondbd of its own
		s.t.Helper()
		const etc = "mount -t tmpfs none /mnt; mkdir /mnt/u /mnt/w; mount -t overlay -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w none /etc; mkdir -p /etc/sessiondbd; "
		return s.runIn(in(etc+"cp "+s.path("config.yaml")+" /etc/sessiondbd; cd /etc/sessiondbd; "+files), "--config", "/etc/sessiondbd/config.yaml", "config", "check")
	}
	installed("chmod 644 config.yaml").check(t, "all can be read", exitOK, "ok")
	installed("chmod 600 config.yaml").check(t, "the config is root's", exitConfig, "user postgres", "sudo chmod a+rX /etc/sessiondbd /etc/sessiondbd/config.yaml")
	s.must(os.Chown(s.path("password"), 0, 0))
	s.must(os.Chmod(s.path("password"), 0o600))
	remedy := "sudo chown postgres " + s.path("password")
	installed("chmod 644 config.yaml").check(t, "the password is root's", exitConfig, "roles[0].password.file", "user postgres", remedy)
	s.want(exitOK, []string{"config", "check"}, "ok")
	asService := []string{"setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"}
	s.runIn(asService, "run", "--only", "database").check(t, "run", exitConfig, "permission denied", remedy)
}

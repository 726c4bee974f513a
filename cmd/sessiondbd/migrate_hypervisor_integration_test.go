//go:build integration

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/plan"
)

// The shell oneshots as hosts have them: after PostgreSQL, as its user, once a boot, without an end at the first error.
const (
	oneshotUnit = `[Unit]
Description=Initialize session database schema
After=postgresql.service
Requires=postgresql.service

[Service]
Type=oneshot
RemainAfterExit=yes
User=postgres
ExecStart=/usr/local/sbin/init-session-schema

[Install]
WantedBy=multi-user.target
`
	passwordUnit = `[Unit]
Description=Set sessionuser password
After=postgresql.service
Requires=postgresql.service

[Service]
Type=oneshot
RemainAfterExit=yes
User=postgres
ExecStart=psql -c "ALTER USER sessionuser WITH PASSWORD 'sessionpass123'"

[Install]
WantedBy=multi-user.target
`
	oneshotName, passwordName = "init-session-schema.service", "set-sessionuser-password.service"
	hostPassword              = "the host's own"
)

// oneshotRoot makes a root like a host of the oneshots: both enabled, PostgreSQL open to the VMs.
func oneshotRoot(t *testing.T) func(context.Context, *lab.Root) error {
	return func(ctx context.Context, r *lab.Root) error {
		heredoc, err := os.ReadFile(testdata(t, "legacy/oneshot.sql"))
		if err != nil {
			return err
		}
		script := "#!/bin/sh\npsql -d postgres -c 'ALTER DATABASE sessiondb OWNER TO sessionuser'\npsql -d sessiondb <<'EOSQL'\n" + string(heredoc) + "EOSQL\n"
		const open = `for d in /etc/postgresql/*/main; do echo "listen_addresses = '*'" >>$d/postgresql.conf; cat /root/hba >$d/pg_hba.conf; done`
		return errors.Join(
			withSudo(ctx, r),
			r.WriteFile(ctx, "/usr/local/sbin/init-session-schema", []byte(script), 0o755),
			r.WriteFile(ctx, "/etc/systemd/system/"+oneshotName, []byte(oneshotUnit), 0o644),
			r.WriteFile(ctx, "/etc/systemd/system/"+passwordName, []byte(passwordUnit), 0o644),
			r.WriteFile(ctx, "/root/hba", []byte(legacyHBA(1, 2, 3, 4, 5)), 0o644),
			second(r.Run(ctx, "sh", "-euc", open)),
			second(r.Run(ctx, "systemctl", "enable", oneshotName, passwordName)),
		)
	}
}

func second(_ string, err error) error { return err }

// bootOneshots boots such a host, with the data that it has gathered and the package in /root.
func bootOneshots(t *testing.T, suite, dir string) *lab.Hypervisor {
	t.Helper()
	h := lab.BootT(t, lab.Options{Suite: suite, Prepare: oneshotRoot(t)})
	if err := lab.LoadLegacy(t.Context(), h, true); err != nil {
		t.Fatal(err)
	}
	must(t, h, "systemctl", "restart", oneshotName, passwordName)
	path := debPath(dir, oldVersion, runtime.GOARCH)
	if err := h.Put(t.Context(), path, "/root/"+filepath.Base(path), 0o644); err != nil {
		t.Fatal(err)
	}
	return h
}

// steps are the commands of one section of deploy/doc/migrate.md.
func steps(t *testing.T, section string) []string {
	t.Helper()
	text := readFile(t, deploy+"doc/migrate.md")
	_, body, ok := strings.Cut(text, "\n## "+section+"\n")
	if !ok {
		t.Fatalf("migrate.md has no section %s", section)
	}
	body, _, _ = strings.Cut(body, "\n## ")
	var all []string
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "    ") {
			all = append(all, strings.NewReplacer("VERSION_amd64", oldVersion+"_"+runtime.GOARCH, "'THE PASSWORD'", `"`+hostPassword+`"`).Replace(strings.TrimSpace(line)))
		}
	}
	if len(all) < 3 {
		t.Fatalf("section %s holds no commands: %q", section, all)
	}
	return all
}

func do(t *testing.T, h *lab.Hypervisor, section string) {
	t.Helper()
	for _, step := range steps(t, section) {
		out, errOut, code := run(t, h, "sh", "-euc", "cd /root; export DEBIAN_FRONTEND=noninteractive; "+step)
		if want := map[bool]int{true: exitPending}[step == "sudo sessiondbd plan"]; code != want {
			t.Fatalf("%s: exit %d\n%s%s", step, code, out, errOut)
		}
	}
}

// The way over and back, by the letter of the document.
func TestMigrate(t *testing.T) {
	t.Parallel()
	dir := readableDir(t)
	buildDebs(t, snapshot(t), dir, oldVersion, runtime.GOARCH)
	h := bootOneshots(t, "bookworm", dir)
	before := rows(t, h)
	if _, err := asVM(t, h.VM(1), documented, "SELECT 1"); err != nil {
		t.Fatalf("the old host does not work: %v", err)
	}
	do(t, h, "Before")
	do(t, h, "Over")
	inSync(t, h)
	if units := oneshotWarnings(t, h); len(units) > 0 {
		t.Errorf("warnings about what is gone: %v", units)
	}
	if id := property(t, h, oneshotName, "Id"); id != "sessiondbd.service" {
		t.Errorf("the old name leads to %s", id)
	}
	if _, err := asVM(t, h.VM(2), hostPassword, "INSERT INTO session (inbox_status) VALUES ('pending')"); err != nil {
		t.Error(err)
	}
	adopted(t, before, rows(t, h))
	do(t, h, "Back")
	if out := sh(t, h, "iptables-save; ip6tables-save; systemctl is-active "+oneshotName+" "+passwordName); strings.Contains(out, "SESSIONDB") {
		t.Errorf("rules are left:\n%s", out)
	}
	for _, vm := range h.VMs() {
		if n, err := asVM(t, vm, documented, "SELECT count(*) FROM session"); n != "301" || err != nil {
			t.Errorf("VM %d after the way back: %s rows, %v", vm.Number, n, err)
		}
	}
	owners, err := h.PSQL(t.Context(), "sessiondb", `SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'sessiondb'
		UNION ALL SELECT tableowner FROM pg_tables WHERE tablename = 'session'`)
	if err != nil || owners != "sessionuser\npostgres" {
		t.Errorf("owners after the way back: %q, %v", owners, err)
	}
}

// oneshotWarnings are the remedies that plan has for old units.
func oneshotWarnings(t *testing.T, h *lab.Hypervisor) (remedies []string) {
	t.Helper()
	r, _ := report(t, h, "plan")
	for _, w := range r.Warnings {
		if strings.Contains(w.Summary, oneshotName) || strings.Contains(w.Summary, passwordName) {
			if w.Resource != "database/sessiondb" {
				t.Errorf("warning on %s: %s", w.Resource, w.Summary)
			}
			remedies = append(remedies, w.Remedy)
		}
	}
	return remedies
}

// Nobody took the old units away: they are warned about, what they do is repaired, and their remedies settle it.
func TestOneshotsStay(t *testing.T) {
	t.Parallel()
	dir := readableDir(t)
	buildDebs(t, snapshot(t), dir, oldVersion, runtime.GOARCH)
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			h := bootOneshots(t, suite, dir)
			if err := h.WriteFile(t.Context(), credentialFile, []byte(hostPassword), 0o600); err != nil {
				t.Fatal(err)
			}
			has(t, "apt", sh(t, h, "cd /root; apt-get install -y ./*.deb 2>&1"), oneshotName+" is still there", passwordName+" is still there", "migrate.md")
			must(t, h, "systemctl", "start", "sessiondbd")
			if n := len(oneshotWarnings(t, h)); n != 2 {
				t.Errorf("%d warnings for two units", n)
			}
			has(t, "status", must(t, h, "sessiondbd", "status"), oneshotName, passwordName)
			settled(t, h, "after the start")

			t.Run("started by hand", func(t *testing.T) {
				must(t, h, "systemctl", "restart", oneshotName, passwordName)
				mayTruncate := "SELECT has_table_privilege('sessionuser', 'session', 'TRUNCATE')"
				if got, err := h.PSQL(t.Context(), "sessiondb", mayTruncate); got != "t" || err != nil {
					t.Fatalf("the oneshot granted nothing (%q, %v): this proves nothing", got, err)
				}
				settled(t, h, "after the old units were started by hand")
				journal, err := h.Journal(t.Context(), "sessiondbd")
				if err != nil {
					t.Fatal(err)
				}
				for _, repair := range []string{"field=\"TRUNCATE on public.session\"", "field=password", "have=sessionuser want=sessiondb_owner"} {
					if n := strings.Count(journal, repair); n < 2 {
						t.Errorf("the journal names %s %d times, not at start and after the oneshot:\n%s", repair, n, journal)
					}
				}
			})
			t.Run("boot", func(t *testing.T) {
				if err := errors.Join(h.Poweroff(t.Context()), h.PowerOn(t.Context())); err != nil {
					t.Fatal(err)
				}
				must(t, h, "systemctl", "is-active", oneshotName, passwordName)
				settled(t, h, "after a boot with the old units")
			})
			t.Run("remedies", func(t *testing.T) {
				for _, remedy := range oneshotWarnings(t, h) {
					follow(t, h, remedy)
				}
				if left := oneshotWarnings(t, h); len(left) > 0 {
					t.Errorf("not settled: %q", left)
				}
				settled(t, h, "after the remedies")
				if id := property(t, h, oneshotName, "Id"); id != "sessiondbd.service" {
					t.Errorf("the old name leads to %s", id)
				}
				if n := strings.TrimSpace(sh(t, h, "pgrep -cx sessiondbd")); n != "2" {
					t.Errorf("%s daemons run", n)
				}
				must(t, h, "systemctl", "daemon-reload")
				if state := property(t, h, "sessiondbd", "ActiveState"); state != "active" {
					t.Errorf("after a reload of units the service is %s", state)
				}
				if out := sh(t, h, "journalctl -b --no-pager -o cat | grep 'is dropped, as' || true"); out != "" {
					t.Errorf("systemd complains about the alias:\n%s", out)
				}
			})
		})
	}
}

// settled waits until the host is as the config says, with the daemon running, and a VM in.
func settled(t *testing.T, h *lab.Hypervisor, when string) {
	t.Helper()
	begin := time.Now()
	var r plan.Report
	eventually(t, "in sync "+when, 20*time.Second, func() bool {
		var code int
		r, code = report(t, h, "plan")
		return code == exitOK
	})
	t.Logf("%s: in sync after %s", when, time.Since(begin).Round(10*time.Millisecond))
	if slices.ContainsFunc(r.Warnings, func(w plan.Warning) bool { return w.Resource != "database/sessiondb" }) {
		t.Errorf("%s: %+v", when, r.Warnings)
	}
	must(t, h, "systemctl", "is-active", "sessiondbd", "sessiondbd-firewall")
	must(t, h, "sessiondbd", "status")
	if _, err := asVM(t, h.VM(3), hostPassword, "SELECT count(*) FROM session"); err != nil {
		t.Errorf("%s: VM 3: %v", when, err)
	}
}

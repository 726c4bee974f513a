//go:build integration

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/plan"
)

const (
	hbaFile        = "/etc/postgresql/15/main/pg_hba.conf"
	configFile     = "/etc/sessiondbd/config.yaml"
	credentialFile = "/etc/credstore/sessionuser.password"
)

// legacyHBA is what the NixOS module of the hypervisor wrote.
func legacyHBA(vms ...int) string {
	text := "local all all peer\nhost all all 127.0.0.1/32 scram-sha-256\n"
	for _, n := range vms {
		text += fmt.Sprintf("host sessiondb sessionuser 10.%d.0.0/24 scram-sha-256\n", n)
	}
	return text
}

const legacyUnit = `[Unit]
Description=Initialize Session Database Schema
After=postgresql.service
Requires=postgresql.service

[Service]
Type=oneshot
User=postgres
RemainAfterExit=true
ExecStart=/bin/true

[Install]
WantedBy=multi-user.target
`

// legacy is a root as the shell oneshot's hosts have it. PostgreSQL listens for the VMs already.
func legacy(ctx context.Context, r *lab.Root) error {
	if err := withSudo(ctx, r); err != nil {
		return err
	}
	if _, err := r.Run(ctx, "sh", "-euc", "echo \"listen_addresses = '*'\" >>/etc/postgresql/15/main/postgresql.conf"); err != nil {
		return err
	}
	if err := r.WriteFile(ctx, hbaFile+".new", []byte(legacyHBA(1, 2, 3, 4, 5)), 0o640); err != nil {
		return err
	}
	if _, err := r.Run(ctx, "sh", "-euc", "cat "+hbaFile+".new >"+hbaFile+"; rm "+hbaFile+".new"); err != nil { // owner and mode stay
		return err
	}
	return r.WriteFile(ctx, "/etc/systemd/system/init-session-schema.service", []byte(legacyUnit), 0o644)
}

// TestLegacyHypervisor takes over the host that the shell oneshot set up, while its VMs go on working.
func TestLegacyHypervisor(t *testing.T) {
	t.Parallel()
	h := boot(t, lab.Options{Prepare: legacy})
	if err := lab.LoadLegacy(t.Context(), h, true); err != nil {
		t.Fatal(err)
	}
	must(t, h, "systemctl", "start", "init-session-schema")
	t.Run("plan", func(t *testing.T) { legacyPlan(t, h) })
	t.Run("take-over", func(t *testing.T) { takeOver(t, h) })
	t.Run("documented clients", func(t *testing.T) {
		clients, err := lab.Clients(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range clients {
			if out, err := c.Run(t.Context(), h.VM(1+i%5)); err != nil {
				t.Errorf("%s: %v\n%s", c.Name, err, out)
			}
		}
	})
	t.Run("the old unit", func(t *testing.T) { oldUnit(t, h) })
	t.Run("what the oneshot gave away", func(t *testing.T) { takenAway(t, h) })
	t.Run("initial password", func(t *testing.T) { initialPassword(t, h) })
	t.Run("files that are not ours to write", func(t *testing.T) { readOnlyFiles(t, h) })
}

func legacyPlan(t *testing.T, h *lab.Hypervisor) {
	before := rows(t, h)
	must(t, h, "systemctl", "stop", "sessiondbd-firewall")
	must(t, h, "sessiondbd", "remove")
	text, code := planText(t, h)
	golden(t, "plan-legacy.txt", text)
	if code != exitPending {
		t.Errorf("plan: exit %d", code)
	}
	if d := cmp.Diff(before, rows(t, h)); d != "" {
		t.Errorf("plan changed rows (-before +after):\n%s", d)
	}
}

// takeOver starts the service while a VM writes, every statement over a connection of its own.
func takeOver(t *testing.T, h *lab.Hypervisor) {
	before := rows(t, h)
	started, err := h.PSQL(t.Context(), "postgres", "SELECT pg_postmaster_start_time()")
	if err != nil {
		t.Fatal(err)
	}
	vm := h.VM(2)
	const writing = `export PGPASSWORD=` + documented + ` PGCONNECT_TIMEOUT=3
while :; do
	if psql -XqAt -h "$1" -U sessionuser -d sessiondb -c "$2"; then echo ok; else echo failed; fi
	sleep 0.05
done`
	writer, err := vm.Start(t.Context(), "sh", "-c", writing, "sh", vm.Gateway,
		`INSERT INTO session (messages, inbox_status) VALUES ('{"msg": "during the take-over"}', 'pending')`)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = writer.Kill() })
	written := func() int { return strings.Count(writer.Output(), "ok\n") }
	eventually(t, "the VM writes before", 5*time.Second, func() bool { return written() >= 5 })
	must(t, h, "systemctl", "start", "sessiondbd")
	at := written()
	eventually(t, "the VM writes after", 5*time.Second, func() bool { return written() >= at+5 })
	if err := writer.Kill(); err != nil {
		t.Fatal(err)
	}
	if out := writer.Output(); strings.Contains(out, "failed") {
		t.Errorf("statements failed during the take-over:\n%s", out)
	}
	if again, err := h.PSQL(t.Context(), "postgres", "SELECT pg_postmaster_start_time()"); err != nil || again != started {
		t.Errorf("PostgreSQL was restarted (%s, before %s), %v: nothing asked for it", again, started, err)
	}
	inSync(t, h)
	adopted(t, before, rows(t, h))
}

// adopted compares rows as rows prints them: only timestamps that were NULL may differ, each by the other of its row.
func adopted(t *testing.T, before, after []string) {
	t.Helper()
	filled := 0
	for i, row := range before {
		f := strings.Split(row, "|")
		created, updated := &f[len(f)-2], &f[len(f)-1]
		switch {
		case *created == "NULL" && *updated == "NULL":
			filled++
			kept := strings.TrimSuffix(row, "NULL|NULL")
			if !slices.ContainsFunc(after, func(s string) bool { return strings.HasPrefix(s, kept+"20") }) {
				t.Errorf("row %s is not there with two timestamps", row)
			}
			continue
		case *created == "NULL":
			*created = *updated
			filled++
		case *updated == "NULL":
			*updated = *created
			filled++
		}
		if want := strings.Join(f, "|"); !slices.Contains(after, want) {
			t.Errorf("row %d is not there as %s", i, want)
		}
	}
	if filled == 0 || len(before) != 300 {
		t.Errorf("%d rows with %d to fill prove nothing", len(before), filled)
	}
	if len(after) <= len(before) {
		t.Errorf("%d rows, %d before: what the VM wrote is missing", len(after), len(before))
	}
	for _, row := range after {
		if strings.Contains(row, "NULL") {
			t.Errorf("a timestamp is missing still: %s", row)
		}
	}
}

// oldUnit: to start the script by hand does not stop us; once its file is gone, the name is ours.
func oldUnit(t *testing.T, h *lab.Hypervisor) {
	const unit = "init-session-schema.service"
	must(t, h, "systemctl", "restart", unit)
	must(t, h, "systemctl", "is-active", unit, "sessiondbd")
	r, _ := report(t, h, "plan")
	i := slices.IndexFunc(r.Warnings, func(w plan.Warning) bool { return strings.Contains(w.Summary, unit) })
	if i < 0 {
		t.Fatalf("no warning about %s: %+v", unit, r.Warnings)
	}
	follow(t, h, r.Warnings[i].Remedy)
	if r, _ := report(t, h, "plan"); slices.ContainsFunc(r.Warnings, func(w plan.Warning) bool { return strings.Contains(w.Summary, unit) }) {
		t.Errorf("its remedy does not settle it: %+v", r.Warnings)
	}
	if id := must(t, h, "systemctl", "show", "-P", "Id", unit); strings.TrimSpace(id) != "sessiondbd.service" {
		t.Errorf("the documented name leads to %s", id)
	}
	must(t, h, "systemctl", "is-active", unit, "sessiondbd")
}

// takenAway: what a hijacked VM could do with the oneshot's grants.
func takenAway(t *testing.T, h *lab.Hypervisor) {
	vm := h.VM(3)
	for _, statement := range []string{
		"TRUNCATE session",
		"CREATE TABLE public.mine ()",
		"CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'",
		"CREATE SCHEMA mine",
		"CREATE TEMPORARY TABLE mine ()",
		"CREATE TRIGGER mine BEFORE INSERT ON session FOR EACH ROW EXECUTE FUNCTION update_updated_at_column()",
		"ALTER TABLE session DISABLE TRIGGER ALL",
		"DROP TABLE session",
		"ALTER DATABASE sessiondb SET session_replication_role = replica",
		"GRANT SELECT ON session TO PUBLIC",
		"TABLE sessiondbd.migrations",
	} {
		out, err := asVM(t, vm, documented, statement)
		if err == nil && !strings.HasPrefix(statement, "GRANT") { // a GRANT without the right to is a warning only
			t.Errorf("sessionuser may %s: %s", statement, out)
		}
	}
	got, err := h.PSQL(t.Context(), "sessiondb", `SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'sessiondb'
		UNION ALL SELECT tableowner FROM pg_tables WHERE tablename = 'session'
		UNION ALL SELECT has_table_privilege('public', 'session', 'SELECT')::text`)
	if want := "sessiondb_owner\nsessiondb_owner\nfalse"; got != want || err != nil {
		t.Errorf("owners of database and table, and PUBLIC's right: %q, want %q, %v", got, want, err)
	}
	for _, statement := range []string{
		"INSERT INTO session (inbox_status) VALUES ('processing')",
		"UPDATE session SET inbox_status = 'completed' WHERE inbox_status = 'processing'",
		"SELECT * FROM session WHERE inbox_status = 'pending'",
		"DELETE FROM session WHERE messages->>'msg' = 'during the take-over'",
	} {
		if _, err := asVM(t, vm, documented, statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// initialPassword: the documented password is warned about everywhere until another one is there.
func initialPassword(t *testing.T, h *lab.Hypervisor) {
	const warning = "documented initial password"
	tellers := func() map[string]string {
		said := map[string]string{}
		said["plan"], _ = planText(t, h)
		said["status"], _, _ = run(t, h, "sessiondbd", "status")
		invocation := strings.TrimSpace(must(t, h, "systemctl", "show", "-P", "InvocationID", "sessiondbd"))
		said["log"] = must(t, h, "journalctl", "--no-pager", "-o", "cat", "_SYSTEMD_INVOCATION_ID="+invocation)
		return said
	}
	for who, said := range tellers() {
		if !strings.Contains(said, warning) {
			t.Errorf("%s does not warn:\n%s", who, said)
		}
	}
	r, _ := report(t, h, "plan")
	i := slices.IndexFunc(r.Warnings, func(w plan.Warning) bool { return strings.Contains(w.Summary, warning) })
	if i < 0 {
		t.Fatalf("plan --json does not warn: %+v", r.Warnings)
	}
	follow(t, h, strings.ReplaceAll(r.Warnings[i].Remedy, "NEW PASSWORD", "from the vault"))
	for who, said := range tellers() {
		if strings.Contains(said, warning) {
			t.Errorf("%s warns still:\n%s", who, said)
		}
	}
	if _, err := asVM(t, h.VM(1), documented, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "password authentication failed") {
		t.Errorf("the documented password: %v", err)
	}
	if _, err := asVM(t, h.VM(1), "from the vault", "SELECT 1"); err != nil {
		t.Errorf("the new password: %v", err)
	}
	inSync(t, h)
	if data, err := h.ReadFile(t.Context(), credentialFile); err != nil || string(data) != "from the vault" {
		t.Errorf("%s holds %d bytes, %v", credentialFile, len(data), err)
	}
	_, mode, _ := run(t, h, "sh", "-c", "stat -c %a "+credentialFile+" >&2")
	if strings.TrimSpace(mode) != "400" {
		t.Errorf("mode %s", mode)
	}
}

// readOnlyFiles is NixOS's way: pg_hba.conf lies in the store, the configuration is not for the daemon to write.
func readOnlyFiles(t *testing.T, h *lab.Hypervisor) {
	const store = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-pg_hba.conf"
	must(t, h, "systemctl", "stop", "sessiondbd")
	hba := func(vms ...int) {
		sh(t, h, "mkdir -p /nix/store; chmod 755 /nix/store")
		if err := h.WriteFile(t.Context(), store, []byte(legacyHBA(vms...)), 0o444); err != nil {
			t.Fatal(err)
		}
		psql(t, h, "SELECT pg_reload_conf()")
	}
	hba(1, 2, 3, 4, 5)
	sh(t, h, "echo \"hba_file = '"+store+"'\" >>/etc/postgresql/15/main/postgresql.conf; rm /etc/postgresql/15/main/conf.d/sessiondbd.conf; systemctl restart postgresql@15-main;"+
		"mount --bind /etc/postgresql /etc/postgresql; mount -o remount,bind,ro /etc/postgresql")
	const reject = "host  all,replication  sessionuser,sessiondb_owner  all  reject"
	for _, config := range []string{"", "server: {manage: verify}\n"} {
		if err := h.WriteFile(t.Context(), configFile, []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		hba(1, 2, 3, 4, 5)
		r, code := report(t, h, "plan")
		if code != exitOK || !r.InSync {
			t.Errorf("%q, served without a closing reject: exit %d, %+v", config, code, r)
		}
		if !slices.ContainsFunc(r.Warnings, func(w plan.Warning) bool {
			return w.Resource == "hba" && strings.Contains(w.Summary, "no closing reject") && strings.Contains(w.Remedy, reject) &&
				strings.Contains(w.Remedy, "services.postgresql.authentication")
		}) {
			t.Errorf("%q: no warning with the lines to add: %+v", config, r.Warnings)
		}
		if _, code := report(t, h, "apply"); code != exitOK {
			t.Errorf("%q: apply: exit %d", config, code)
		}
		hba(1, 2, 4, 5)
		r, code = report(t, h, "apply")
		if code != exitRefused || len(r.Changes) > 0 || len(r.Refusals) != 1 || !strings.Contains(r.Refusals[0].Summary, "vm3 (10.3.0.0/24) cannot log in as sessionuser") ||
			!strings.Contains(r.Refusals[0].Remedy, "host  sessiondb  sessionuser  10.3.0.0/24  scram-sha-256") {
			t.Errorf("%q, VM 3 cut: exit %d, %+v", config, code, r)
		}
	}
	text, _ := planText(t, h)
	golden(t, "plan-nixos.txt", text)
	hba(1, 2, 3, 4, 5)
	must(t, h, "systemctl", "start", "sessiondbd") // READY: the VMs are served
	if _, err := asVM(t, h.VM(3), "from the vault", "SELECT 1"); err != nil {
		t.Error(err)
	}
}

package daemon

import (
	"errors"
	"testing"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/systemd"
)

func TestMessages(t *testing.T) {
	for name, tt := range map[string]struct{ have, want *systemd.Message }{
		"a rule":                    {ChangeMessage(plan.Change{Resource: "firewall/ipv6", Action: plan.Create, Field: "mangle/INPUT"}), systemd.FirewallChanged},
		"a peer":                    {ChangeMessage(plan.Change{Resource: "firewall/ipv4", Action: plan.Delete, Field: "peer 192.0.2.7"}), systemd.ConnectionsCut},
		"a migration":               {ChangeMessage(plan.Change{Resource: "migration/0001_history", Action: plan.Run}), systemd.MigrationApplied},
		"an index":                  {ChangeMessage(plan.Change{Resource: "schema/session", Action: plan.Create}), systemd.SchemaChanged},
		"a limit":                   {ChangeMessage(plan.Change{Resource: "role/sessionuser", Action: plan.Update}), systemd.RightsChanged},
		"a transaction":             {ChangeMessage(plan.Change{Resource: "role/sessionuser", Action: plan.Run}), systemd.TransactionEnded},
		"a right":                   {ChangeMessage(plan.Change{Resource: "grants/sessionuser", Action: plan.Delete}), systemd.RightsChanged},
		"a setting":                 {ChangeMessage(plan.Change{Resource: "server/settings", Action: plan.Run}), systemd.ServerChanged},
		"pg_hba.conf":               {ChangeMessage(plan.Change{Resource: "hba", Action: plan.Update}), systemd.HBAChanged},
		"the database":              {ChangeMessage(plan.Change{Resource: "database/sessiondb", Action: plan.Create}), systemd.DatabaseChanged},
		"another database":          {notice{kind: "refused", remedy: "sudo sessiondbd apply --accept-new-database"}.message(), systemd.AnotherDatabase},
		"another refusal":           {notice{kind: "refused", remedy: "ALTER TABLE"}.message(), systemd.Refused},
		"blocked":                   {notice{kind: "blocked"}.message(), systemd.Blocked},
		"failed":                    {notice{kind: "failed"}.message(), systemd.StepFailed},
		"drift that is reported":    {notice{kind: "drift"}.message(), systemd.Drift},
		"a warning":                 {notice{kind: "warning"}.message(), systemd.Warning},
		"the initial password":      {about(plan.Warning{Initial: true}), systemd.InitialPassword},
		"an oneshot":                {about(plan.Warning{Oneshot: true}), systemd.OldOneshot},
		"a fight":                   {about(plan.Warning{Fight: true}), systemd.Fight},
		"a chain of others":         {about(plan.Warning{Impairs: true}), systemd.CutOff},
		"a warning of no such kind": {about(plan.Warning{}), nil},
	} {
		if tt.have != tt.want {
			t.Errorf("%s: %+v", name, tt.have)
		}
	}
	r := result{outcome: plan.Outcome{Failures: []plan.Failure{{Resource: "hba", Err: errors.New("disk full")}}, Report: plan.Report{Warnings: []plan.Warning{{Initial: true}}}}}
	var ids []*systemd.Message
	for _, n := range noticesOf(r) {
		ids = append(ids, n.message())
	}
	if len(ids) != 2 || ids[0] != systemd.StepFailed || ids[1] != systemd.InitialPassword {
		t.Errorf("%v", ids)
	}
}

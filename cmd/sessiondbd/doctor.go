package main

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"sessiondbd/internal/daemon"
	"sessiondbd/internal/firewall"
	"sessiondbd/internal/operate"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
	"sessiondbd/internal/role"
	"sessiondbd/internal/systemd"
)

func (a *app) doctorCommand() *cobra.Command {
	vm := ""
	c := &cobra.Command{
		Use: "doctor", Short: "what is wrong with this host, why it matters, and the command that mends it", Args: cobra.NoArgs,
		Long: "Looks at config and passwords, the daemons, PostgreSQL, the gateways and their interfaces, the rules and what else drops packets, pg_hba.conf for every VM, schema, roles and rights, slow queries and old transactions, the space for a backup, the backups, and the units of the old scripts. It changes nothing, and goes on where something is broken.\n\n" +
			"A finding is broken (some VM is not served, or the host is not as its config says), unseen (it could not be looked at) or a risk.\n\n" +
			`JSON: {"healthy": bool, "looked_at": [{"area", "saw"}], "findings": [{"area", "severity": "broken|unseen|risk", "what", "why", "remedy"}], "way": {"vm", "hops": [{"hop", "pass": "ok|ends|doubt|unseen", "saw", "remedy"}], "ends_at"}}, the way only with --vm.` + "\n\n" +
			"Exit codes: 0 nothing found, 1 findings.",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context(), vm) },
	}
	a.jsonFlag(c)
	c.Flags().StringVar(&vm, "vm", "", "follow the way of one `network` of the config hop by hop, and say where it ends")
	return c
}

func (a *app) doctor(ctx context.Context, vm string) error {
	s, err := a.patient()
	if err != nil {
		return err
	}
	if vm != "" && s.faults.config == nil {
		if err := s.network(vm); err != nil {
			return err
		}
	}
	c, err := a.examine(ctx, s)
	if err != nil {
		return err
	}
	d := operate.Diagnose(c, vm)
	if a.json {
		err = d.JSON(a.stdout)
	} else {
		err = d.Text(a.stdout, colourful(a.stdout))
	}
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return errInterrupted
	case !d.Healthy:
		return code(exitFailure)
	}
	return nil
}

// examine looks at everything that doctor judges, with the plan's own eyes.
func (a *app) examine(ctx context.Context, s setup) (*operate.Case, error) {
	c := &operate.Case{
		ConfigPath: s.cfg.Path, Config: s.faults.config, Secrets: s.faults.secrets, Services: services(),
		Units: systemd.States(ctx, "postgresql*.service", "sessiondbd*.service"), UnitFiles: systemd.Files(ctx, "postgresql*.service", "sessiondbd*.service"),
		Oneshots: systemd.ForeignUnits(systemd.UnitDirs), Root: s.handed || os.Geteuid() == 0,
		Spec: firewallSpec(s.cfg), Backup: operate.ReadBackupState(backupState()), Now: time.Now(),
	}
	if s.faults.config == nil {
		h := &firewallHost{spec: c.Spec}
		c.FirewallPlan = h.Plan(ctx)
		c.Rules = h.last
		if err := surroundings(ctx, c); err != nil {
			return nil, err
		}
	}
	if s.noUser != nil {
		measure(c, s)
		c.DatabasePlan = plan.Plan{Unobserved: []plan.Failure{{Resource: "database/" + s.cfg.Database.Name, Err: s.noUser}}}
		return c, nil
	}
	return c, examineDatabase(ctx, c, s)
}

// surroundings are links, neighbours, and what answers at the gateways.
func surroundings(ctx context.Context, c *operate.Case) (err error) {
	if c.Links, err = operate.Links(); err != nil {
		return err
	}
	if c.Neighbours, err = firewall.Neighbours(); err != nil {
		return err
	}
	c.AskRoutes()
	var gateways []netip.Addr
	held := operate.Holders(c.Links)
	for _, n := range c.Spec.Networks {
		if _, here := held[n.Gateway]; here {
			gateways = append(gateways, n.Gateway)
		}
	}
	c.Answers = operate.Call(ctx, gateways, c.Spec.Port)
	for _, err := range c.Answers {
		if errors.Is(err, operate.ErrSilence) {
			c.Listeners, err = firewall.Listeners(c.Spec.Port)
			return err
		}
	}
	return nil
}

func examineDatabase(ctx context.Context, c *operate.Case, s setup) error {
	d, err := s.database(options{look: true})
	if err != nil {
		return err
	}
	defer d.observer.Close()
	if s.faults.secrets != nil { // which password is meant is not known
		for i := range d.goals.role.Roles {
			d.goals.role.Roles[i].Password = role.Password{}
		}
	}
	c.ServerWant, c.RoleWant = d.goals.server, d.goals.role
	if s.faults.config == nil {
		c.DatabasePlan = d.Plan(ctx)
		c.Server, c.Roles, c.Schema = d.last.server, d.last.role, d.last.schema.Version()
	}
	if len(c.DatabasePlan.Unobserved) > 0 && postgres.ClassOf(c.DatabasePlan.Err()) == postgres.Unavailable {
		c.Socket, c.Sockets = d.target.Sockets()
		measure(c, s)
		return nil // one wait for it is enough
	}
	var usage operate.Usage
	var room operate.Room
	_, err = d.observer.Ask(ctx, func(int) []postgres.Query {
		return append(operate.UsageQueries(s.cfg.Database.Name, &usage), room.Query())
	})
	if err != nil {
		if len(c.DatabasePlan.Unobserved) == 0 {
			c.DatabasePlan.Unobserved = []plan.Failure{{Resource: "database/" + s.cfg.Database.Name, Err: err}}
		}
		measure(c, s)
		return nil
	}
	c.Sessions, c.Slots = usage.Sessions, usage.Slots
	if c.Server.Local.Here {
		room.Data = c.Server.DataDirectory()
		c.Disks = append(c.Disks, room.Disk(room.Data, "a restore beside the database", usage.Bytes))
	}
	c.Disks = append(c.Disks, room.Disk(s.cfg.Backup.Directory, "a backup", usage.Bytes))
	return nil
}

// measure looks at the disks where PostgreSQL could not be asked what it needs: that they are full may be why.
func measure(c *operate.Case, s setup) {
	c.Disks = append(operate.ServerDisks(c.Units), operate.MeasureDisk(s.cfg.Backup.Directory, "a backup", 0))
}

// services are our daemons, as their state files show them.
func services() []operate.Service {
	var list []operate.Service
	for _, part := range []string{fire, database} {
		s := operate.Service{Unit: map[string]string{fire: "sessiondbd-firewall.service", database: "sessiondbd.service"}[part], Part: part}
		seen, err := daemon.See(part, runDir(part)+"/status.json")
		s.Err, s.Running = err, seen.Running
		if seen.State != nil {
			s.Status, s.Reload = seen.State.Status, seen.State.Reload.Error
			s.Paused = seen.State.State == daemon.Paused
			s.Degraded = seen.State.State != daemon.Converged && !s.Paused
		}
		list = append(list, s)
	}
	return list
}

package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"sessiondbd/internal/plan"
)

func (a *app) planCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "plan", Short: "show what would change and why; changes nothing", Args: cobra.NoArgs,
		Long: "Observes the host and prints what apply would change, with the reason for each.\n\nExit codes: 0 in sync, 2 changes pending, 65 something refused, 69 PostgreSQL unavailable, 77 not permitted, 78 config.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.each(cmd.Context(), options{look: true}, func(ctx context.Context, h plan.Host) plan.Outcome {
				p := h.Plan(ctx)
				return plan.Outcome{Report: p.Report(), Failures: p.Unobserved}
			}, "would change")
		},
	}
	a.onlyFlag(c)
	a.jsonFlag(c)
	return c
}

func (a *app) applyCommand() *cobra.Command {
	var opt options
	c := &cobra.Command{
		Use: "apply", Short: "converge once and verify", Args: cobra.NoArgs,
		Long: "Brings the host to what the config says, then looks again. A second apply changes nothing and writes nothing.\n\nExit codes: 0 converged, 65 something refused, 69 PostgreSQL unavailable, 75 try again, 77 not permitted, 78 config.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := a.each(cmd.Context(), opt, a.converge, "changed")
			if a.has(database) {
				tellDaemon() // what it was degraded for may be settled
			}
			return err
		},
	}
	a.onlyFlag(c)
	a.jsonFlag(c)
	c.Flags().BoolVar(&opt.acceptNew, "accept-new-database", false, "the database or cluster is another one than remembered, and that is meant")
	c.Flags().BoolVar(&opt.restartNow, "restart-postgresql", false, "restart PostgreSQL for a setting that needs it, even while sessions are open")
	return c
}

func (a *app) removeCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "remove", Short: "take the firewall rules away again; never data", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.only == database {
				if _, err := fmt.Fprintln(a.stdout, "The database part has nothing that remove would take away: data, roles and settings stay."); err != nil {
					return err
				}
				return nil
			}
			a.only = fire
			if err := a.each(cmd.Context(), options{remove: true}, a.converge, "removed"); err != nil {
				return err
			}
			return firewallMemory().Forget()
		},
	}
	a.onlyFlag(c)
	return c
}

// converge runs one pass and logs each change.
func (a *app) converge(ctx context.Context, h plan.Host) plan.Outcome {
	return plan.Converge(ctx, h, func(c plan.Change) {
		a.log.Debug("changed", "resource", c.Resource, "action", c.Action, "field", c.Field, "have", c.Have, "want", c.Want)
	})
}

// each lets a pass go over every part, prints what they report as one, and returns the exit code.
func (a *app) each(ctx context.Context, opt options, pass func(context.Context, plan.Host) plan.Outcome, verb string) error {
	parts := a.parts()
	s, err := a.setup(parts, opt)
	if err != nil {
		return err
	}
	all := plan.Outcome{Report: plan.Report{InSync: true}}
	for _, part := range parts {
		h, done, err := s.host(part, opt)
		if err != nil {
			return err
		}
		all.Add(pass(ctx, h))
		done()
	}
	return a.tell(ctx, all, verb)
}

// tell prints a report and returns its exit code. After a signal the failures are its consequences, and not worth a line.
func (a *app) tell(ctx context.Context, out plan.Outcome, verb string) error {
	var err error
	if a.json {
		err = out.JSON(a.stdout)
	} else {
		err = out.Text(a.stdout, verb)
	}
	if err != nil {
		return err
	}
	if ctx.Err() != nil && len(out.Failures) > 0 {
		fmt.Fprintf(a.stderr, "sessiondbd: interrupted (%s): what the report lists as done stays done; sudo sessiondbd apply goes on from there\n", context.Cause(ctx))
		return code(exitTryAgain)
	}
	for i, f := range out.Failures {
		// The two families of the firewall fail alike when a tool is missing; saying it once is enough.
		if slices.ContainsFunc(out.Failures[:i], func(g plan.Failure) bool { return g.Err.Error() == f.Err.Error() }) {
			continue
		}
		fmt.Fprintf(a.stderr, "sessiondbd: %s\n", f.Error())
	}
	return status(out, verb)
}

func status(out plan.Outcome, verb string) error {
	if c := worst(out.Failures); c != exitOK {
		return code(c)
	}
	switch {
	case len(out.Refusals) > 0 || len(out.Blocked) > 0:
		return code(exitRefused)
	case verb == "would change" && len(out.Changes) > 0:
		return code(exitPending)
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"strings"

	"sessiondbd/internal/dump"
	"sessiondbd/internal/operate"
	"sessiondbd/internal/postgres"
)

// wouldRestore reads the file as a restore would.
func (r *restoring) wouldRestore(ctx context.Context) error {
	before, err := operate.SessionsIn(ctx, r.live.target)
	if err != nil {
		return err
	}
	arc, err := dump.OpenArchive(ctx, r.file, dump.Tool)
	if err != nil {
		return r.unusable(ctx, err)
	}
	defer arc.Close()
	held, err := dump.Inspect(ctx, dump.NewScript(arc))
	if err != nil {
		return r.unusable(ctx, err)
	}
	if err := r.possible(ctx, held, before); err != nil {
		return err
	}
	for _, note := range held.Notes {
		fmt.Fprintln(r.stderr, "sessiondbd: note: "+note)
	}
	fmt.Fprintf(r.stdout, "%s (%s) holds %d sessions; %s has %s.\n", r.file.Name(), arc.Form, held.Sessions, r.Live, before)
	if held.Others > 0 {
		fmt.Fprintf(r.stdout, "It also holds %d rows of other tables.\n", held.Others)
	}
	fmt.Fprintf(r.stdout, "A restore would load it into a database beside, compare and repair that, and put it in the place of %s", r.Live)
	if before.NoDatabase() {
		fmt.Fprintln(r.stdout, ".")
		return nil
	}
	fmt.Fprintf(r.stdout, ", which would be kept as %s… Connections of VMs would end once. Nothing was changed.\n", strings.TrimRight(r.Kept, "0123456789_"))
	return nil
}

// possible says whether a restore of what a file holds could go through.
func (r *restoring) possible(ctx context.Context, held dump.Loaded, before operate.InService) error {
	if err := r.empties(held, before); err != nil {
		return err
	}
	c, err := r.live.target.ConnectMaintenance(ctx)
	if err != nil {
		return err
	}
	defer c.CloseSoon()
	if err := r.NothingPrepared(ctx, c, r.cfg.Database.OSUser); err != nil {
		return err
	}
	return r.extends(ctx, c, held.Made)
}

// extends refuses extensions that the role of a restore could not make, and nobody would for it.
func (r *restoring) extends(ctx context.Context, c *postgres.Conn, names []string) error {
	made, err := operate.Extensions(ctx, r.live.target)
	if err != nil {
		return err
	}
	names, err = operate.Untrusted(ctx, c, names)
	for _, name := range names {
		if _, there := made[name]; !there {
			return refusal{fmt.Errorf("%s: only an administrator may make the extension %s; %s", r.file.Name(), name, dump.Wanted(name, r.Live))}
		}
	}
	return err
}

// empties refuses a file without rows of the table, where sessions would go for it that nobody has asked to go.
func (r *restoring) empties(held dump.Loaded, before operate.InService) error {
	if held.Filled || before.None() || r.empty {
		return nil
	}
	return refusal{fmt.Errorf("%s holds the table session without its rows (pg_dump --schema-only?), and %s has %s: an empty table in their place is what --empty asks for; the database in service is as it was", r.file.Name(), r.Live, before)}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sessiondbd/internal/daemon"
	"sessiondbd/internal/operate"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
	"sessiondbd/internal/schema"
)

// freshHost is a database beside: what is kept inside one, without the server, its files, and its roles. What roles have in
// it is set by the swap: before, the daemon would find it in a database that is not the config's, and take it away.
type freshHost struct{ *databaseHost }

func (h freshHost) Plan(ctx context.Context) plan.Plan {
	p := h.databaseHost.Plan(ctx)
	p.Resources = slices.DeleteFunc(h.inside(h.last), isRole)
	return p
}

func isRole(r plan.Resource) bool { return strings.HasPrefix(r.Name, "role/") }

// forRoles are the statements that give roles what they start with in the fresh database.
func (h freshHost) forRoles() []string {
	var all []string
	for _, r := range h.inside(h.last) {
		for _, c := range r.Changes {
			if s, is := c.Step.(postgres.SQL); is && isRole(r) && c.Action == plan.Create {
				all = append(all, s.Statements...)
			}
		}
	}
	return all
}

// bringUp repairs what the dump has brought, like a database that is taken over, and gives it its rights.
func (r *restoring) bringUp(ctx context.Context, t postgres.Target) error {
	cfg := *r.cfg
	cfg.Database.Name = r.Fresh
	s := r.setup
	s.cfg = &cfg
	d, err := s.database(options{})
	if err != nil {
		return err
	}
	defer d.observer.Close()
	dir, err := os.MkdirTemp("", "sessiondbd-restore-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d.memory = schema.Memory{Path: filepath.Join(dir, "identity.json")}
	out := plan.Converge(ctx, freshHost{d}, func(c plan.Change) {
		if !strings.HasPrefix(c.Resource, "grants/") { // those are left out of every dump
			fmt.Fprintf(r.stdout, "  %s %s: %s\n", c.Action, c.Resource, c.Summary)
		}
	})
	r.with = freshHost{d}.forRoles()
	if len(out.Failures) > 0 {
		return out.Failures[0]
	}
	if len(out.Refusals) > 0 {
		return refusal{fmt.Errorf("%s: the database in it is refused: %s: %s; mend the dump, or load it elsewhere and mend it there; the database in service is as it was", r.source(), out.Refusals[0].Resource, out.Refusals[0].Summary)}
	}
	if !out.InSync {
		return refusal{errors.New("the database in the dump cannot be brought to what it should be; the one in service is as it was")}
	}
	c, err := t.ConnectSession(ctx)
	if err != nil {
		return err
	}
	defer c.CloseSoon()
	_, err = c.Run(ctx, "VACUUM (ANALYZE) public.session")
	return err
}

// source is where the sessions come from.
func (r *restoring) source() string {
	if r.file == nil {
		return r.Fresh
	}
	return r.file.Name()
}

// swapPause bounds the pause of the daemon around the swap: killed in it, we leave one that ends by itself, or with the next
// restore, which knows it by who began it.
const (
	swapPause = 2 * time.Minute
	swapBy    = "restore"
)

func (r *restoring) swap(ctx context.Context) error {
	before, err := operate.SessionsIn(ctx, r.live.target)
	if err != nil {
		return err
	}
	_, paused, err := pauseFile().Left()
	if err != nil {
		return err
	}
	if !paused || pauseFile().By() == swapBy { // ours is the lock of restores: who left that one is dead
		if err := pauseFile().Begin(swapPause, swapBy); err != nil {
			return mayPause(err)
		}
		defer func() { _, _ = pauseFile().End(); _, _ = r.prompt(context.WithoutCancel(ctx), notPaused) }()
		if _, err := r.prompt(ctx, func(s daemon.State) bool { return s.State == daemon.Paused }); err != nil {
			return err
		}
	}
	r.live.observer.Close()
	oid, err := operate.OID(ctx, r.lock, r.Fresh)
	if err != nil {
		return err
	}
	now := schema.Identity{Cluster: r.was.schema.Cluster[0].SystemIdentifier, Database: r.Live, OID: oid}
	old := r.was.schema.Remembered
	if old != nil && old.Database == r.Live {
		both := *old
		both.Next = oid
		if err := r.live.memory.Remember(both); err != nil {
			return err
		}
	}
	if err := r.carryOver(ctx, before); err != nil {
		return err
	}
	took, err := r.Swap(ctx, r.lock, r.other, r.with)
	if err != nil {
		if old != nil && ctx.Err() == nil {
			err = errors.Join(err, r.live.memory.Remember(*old))
		}
		return err
	}
	fmt.Fprintf(r.stdout, "In service since %s: %d sessions, before: %s. Connections were ended; whoever connected within those %s may have been refused once, and connects again.\n",
		time.Now().Format("15:04:05"), r.loaded.Sessions, before, took.Round(time.Millisecond))
	if err := r.live.memory.Remember(now); err != nil {
		return err
	}
	return errors.Join(r.settle(ctx), r.tellKept(before))
}

// carryOver prepares the swap by what belongs to the database in service as a whole.
func (r *restoring) carryOver(ctx context.Context, before operate.InService) error {
	if before.NoDatabase() { // as PostgreSQL makes one; the config's hardening follows
		r.with = append(r.with, "GRANT CONNECT, TEMPORARY ON DATABASE "+postgres.QuoteIdent(r.Fresh)+" TO PUBLIC")
		return nil
	}
	shut, err := r.Shut(ctx, r.lock, r.live.goals.schema.Roles)
	if err != nil {
		return err
	}
	notes, err := r.Carry(ctx, r.lock, r.live.goals.schema.Roles)
	if err != nil {
		return err
	}
	for _, note := range notes {
		fmt.Fprintln(r.stderr, "sessiondbd: note: "+note)
	}
	r.with = append(shut, r.with...)
	return nil
}

// settle brings the rest to what it should be, as apply does: what roles had in the database before, above all.
func (r *restoring) settle(ctx context.Context) error {
	h, err := r.database(options{})
	if err != nil {
		return err
	}
	defer h.observer.Close()
	out := r.converge(ctx, h)
	for _, f := range out.Failures {
		return f
	}
	for _, no := range out.Refusals {
		return refusal{fmt.Errorf("the sessions are restored; %s: %s: %s", no.Resource, no.Summary, no.Remedy)}
	}
	fmt.Fprintln(r.stdout, "Everything is as the config says.")
	return nil
}

func notPaused(s daemon.State) bool { return s.State != daemon.Paused }

// tellKept says where the database before is.
func (r *restoring) tellKept(before operate.InService) error {
	if before.NoDatabase() {
		return nil
	}
	_, err := fmt.Fprintf(r.stdout, "The database before is kept as %s. Back to it: sudo sessiondbd restore --kept %s\nOnce nobody needs it: sudo -u %s dropdb %s\n", r.Kept, r.Kept, r.cfg.Database.OSUser, r.Kept)
	return err
}

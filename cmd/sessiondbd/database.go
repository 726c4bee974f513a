package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sessiondbd/internal/operate"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
	"sessiondbd/internal/role"
	"sessiondbd/internal/schema"
	"sessiondbd/internal/server"
	"sessiondbd/internal/systemd"
)

// databaseHost is everything that is kept inside PostgreSQL and its files.
type databaseHost struct {
	goals    goals
	target   postgres.Target
	observer *postgres.Observer
	memory   schema.Memory
	files    server.Files
	last     observation
	looked   bool              // at least once
	turn     *databaseExecutor // while the lock is ours
	progress chan struct{}     // a sign of life from inside a step that takes long; nil: nobody waits for one
}

// observation is one look at the server, by room.
type observation struct {
	schema schema.Observation
	role   role.Observation
	server server.Observation
	units  []systemd.ForeignUnit
}

// Plan observes in one batch, then lets each room compare.
func (h *databaseHost) Plan(ctx context.Context) plan.Plan {
	o, err := h.observe(ctx)
	if err != nil {
		return plan.Plan{Unobserved: []plan.Failure{{Resource: h.goals.schema.DatabaseResource(), Err: err}}}
	}
	h.last = o
	p := plan.Plan{Resources: h.diff(o)}
	if who := o.schema.Locked(); who != "" {
		p.Unobserved = append(p.Unobserved, plan.Failure{Resource: "schema/session", Err: postgres.NewError(postgres.Busy,
			"the table is locked by "+who+", and cannot be looked at; try again, or end that session: SELECT pg_terminate_backend(PID)")})
	}
	return p
}

// lockedWait is how long a lock on the table may last before it is called one: most are gone within milliseconds.
const lockedWait = time.Second

// observe looks; while the table is locked, for a while again.
func (h *databaseHost) observe(ctx context.Context) (observation, error) {
	for deadline := time.Now().Add(lockedWait); ; {
		o, err := h.look(ctx)
		if err != nil || o.schema.Locked() == "" || time.Now().After(deadline) {
			return o, err
		}
		select {
		case <-ctx.Done():
			return o, nil
		case <-time.After(lockedWait / 10):
		}
	}
}

func (h *databaseHost) look(ctx context.Context) (observation, error) {
	var o observation
	h.turn.lend()
	_, err := h.observer.Ask(ctx, func(version int) []postgres.Query {
		o = observation{}
		return slices.Concat(
			role.Queries(h.goals.role, version, &o.role),
			schema.Queries(h.goals.schema.Expected, h.goals.schema.Database, &o.schema),
			server.QueriesFor(h.goals.server, version, &o.server),
		)
	})
	if err != nil {
		return o, err
	}
	h.looked = true
	if o.server.InRecovery() {
		return o, postgres.NewError(postgres.Unavailable, "the server is a standby: promote it, or point database.url at the primary")
	}
	o.schema.Remembered, err = h.memory.Recall()
	switch {
	case errors.Is(err, schema.ErrDamaged):
		o.schema.Damaged = err.Error()
	case err != nil:
		return o, err
	}
	o.server.Probe()
	o.units = systemd.ForeignUnits(systemd.UnitDirs)
	return o, nil
}

// room is what the server leaves of its disk to whoever writes besides, as far as that can be seen from here.
func (o observation) room(ctx context.Context, c *postgres.Conn) (operate.Room, error) {
	data := ""
	if o.server.Local.Here {
		data = o.server.DataDirectory()
	}
	return operate.RoomOf(ctx, c, data)
}

// diff puts the rooms' resources in order: the door is closed first and opened last.
func (h *databaseHost) diff(o observation) []plan.Resource {
	list := slices.Concat(server.Settings(h.goals.server, o.server), role.Owner(h.goals.role, o.role), role.Limits(h.goals.role, o.role))
	database := schema.DiffDatabase(h.goals.schema, o.schema)
	warnOneshots(&database, o.units)
	if schema.Elsewhere(h.goals.schema, o.schema) {
		// Somebody else's server, for all that we know: not even its settings are ours.
		for i := range list {
			list[i].Needs = append(slices.Clone(list[i].Needs), database.Name)
		}
		list = slices.Insert(list, 0, database)
	} else {
		list = append(list, database)
	}
	inside := slices.Concat(h.inside(o), server.HBA(h.goals.server, o.server), server.Restart(h.goals.server, o.server))
	for _, r := range inside {
		// A database that is refused is not ours to open the door to.
		r.Needs = append(slices.Clone(r.Needs), h.goals.schema.DatabaseResource())
		list = append(list, r)
	}
	return list
}

// planned looks at the database once, and compares.
func (s setup) planned(ctx context.Context) (*databaseHost, plan.Plan, error) {
	d, err := s.database(options{look: true})
	if err != nil {
		return nil, plan.Plan{}, err
	}
	defer d.observer.Close()
	p := d.Plan(ctx)
	return d, p, p.Err()
}

// schemaOnly is what a migration or its repair makes inside the database.
func (h *databaseHost) schemaOnly(o observation) []plan.Resource {
	return schema.Diff(h.goals.schema, o.schema)
}

// inside is what is kept inside the database.
func (h *databaseHost) inside(o observation) []plan.Resource {
	return slices.Concat(
		h.schemaOnly(o),
		[]plan.Resource{schema.DiffOwner(h.goals.schema, o.schema)},
		role.Access(h.goals.role, o.role),
	)
}

// Foresees says whether nobody has provisioned this host yet: then there is the identity to be remembered, at the least. What
// a first look finds is known afterwards: a database that is refused is not locked for each look at it.
func (h *databaseHost) Foresees() bool {
	known, err := h.memory.Recall()
	return !h.looked && known == nil && err == nil
}

// Begin takes the lock. On a host that was not looked at yet it connects to the session database meanwhile.
func (h *databaseHost) Begin(ctx context.Context) (plan.Executor, func(), error) {
	var dialling sync.WaitGroup
	if !h.looked {
		dialling.Go(func() { h.observer.Dial(ctx) })
	}
	w, err := postgres.Begin(ctx, h.target, h.observer.Take)
	dialling.Wait()
	if err != nil {
		return nil, nil, err
	}
	w.Alive = func() {
		select {
		case h.progress <- struct{}{}:
		default:
		}
	}
	h.turn = &databaseExecutor{Writer: w, host: h, fresh: !h.looked}
	return h.turn, func() {
		h.turn.lend()
		h.turn, h.observer.Beside = nil, nil
		w.End()
	}, nil
}

// databaseExecutor carries out the steps of the rooms behind the connection.
type databaseExecutor struct {
	*postgres.Writer
	host *databaseHost
	// reloaded says that the server was made to load its files. Each server process does so in its own time, and tells what
	// it has loaded itself: only a connection that is made afterwards is sure to see the new state.
	reloaded bool
	// fresh says that our turn began before the first look: no connection is better prepared for looking than another.
	fresh bool
}

// lend lets the observer look with the connections of the turn, if there is one.
func (x *databaseExecutor) lend() {
	if x == nil {
		return
	}
	h := x.host
	h.observer.Give(x.Release())
	if x.fresh {
		h.observer.Beside = x.Idle()
	}
	if x.reloaded {
		h.observer.Close()
		x.reloaded, h.observer.Beside, x.fresh = false, nil, false
	}
}

func (x *databaseExecutor) Execute(ctx context.Context, s plan.Step) error {
	switch s := s.(type) {
	case postgres.SQL:
		return x.Writer.Execute(ctx, s)
	case schema.Remember:
		return x.remember(ctx, s)
	case server.Step:
		x.reloaded = true
		files := x.host.files
		files.Idle = x.Idle()
		return files.Execute(ctx, s)
	}
	return fmt.Errorf("no one knows how to execute %s", s)
}

func (x *databaseExecutor) remember(ctx context.Context, s schema.Remember) error {
	o := x.host.last.schema
	if len(o.Databases) == 0 { // the same pass made it
		if err := x.Ask(ctx, schema.IdentityQueries(s.Database, &o)); err != nil {
			return err
		}
	}
	if len(o.Cluster) != 1 || len(o.Databases) != 1 {
		return fmt.Errorf("database %s is not there to be remembered", s.Database)
	}
	return x.host.memory.Remember(schema.Identity{Cluster: o.Cluster[0].SystemIdentifier, Database: s.Database, OID: o.Databases[0].OID})
}

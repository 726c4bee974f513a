//go:build integration

package schema

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// host converges the database and its schema alone, on a real server: what cmd does with all rooms.
type host struct {
	t      *testing.T
	target postgres.Target
	goal   Goal
	memory Memory
	done   []plan.Change
	url    string
	// boundary is called between any two messages of a writing pass, with the backend that is written through.
	boundary func(pid uint32)
}

func newHost(t *testing.T, c *lab.Cluster) *host {
	t.Helper()
	want, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	target, err := postgres.NewTarget(c.URL("postgres"), "sessiondb")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.PSQL(t.Context(), "postgres", "CREATE ROLE sessiondb_owner NOLOGIN"); err != nil {
		t.Fatal(err)
	}
	return &host{t: t, target: target, goal: Goal{Expected: want, Database: "sessiondb", Owner: "sessiondb_owner", Roles: []string{"sessionuser"}}, memory: Memory{filepath.Join(t.TempDir(), "identity.json")}, url: c.URL("postgres")}
}

func (h *host) observe(ctx context.Context) (Observation, error) {
	var have Observation
	o := postgres.NewObserver(h.target)
	defer o.Close()
	_, err := o.Ask(ctx, func(int) []postgres.Query { return Queries(h.goal.Expected, h.goal.Database, &have) })
	if err == nil {
		have.Remembered, err = h.memory.Recall()
	}
	return have, err
}

func (h *host) Plan(ctx context.Context) plan.Plan {
	have, err := h.observe(ctx)
	if err != nil {
		return plan.Plan{Unobserved: []plan.Failure{{Resource: h.goal.DatabaseResource(), Err: err}}}
	}
	list := append([]plan.Resource{DiffDatabase(h.goal, have)}, Diff(h.goal, have)...)
	return plan.Plan{Resources: append(list, DiffOwner(h.goal, have))}
}

type writer struct {
	*postgres.Writer
	h *host
}

func (w writer) Execute(ctx context.Context, s plan.Step) error {
	switch s := s.(type) {
	case postgres.SQL:
		return w.Writer.Execute(ctx, s)
	case Remember:
		have, err := w.h.observe(ctx)
		if err != nil {
			return err
		}
		return w.h.memory.Remember(Identity{Cluster: have.Cluster[0].SystemIdentifier, Database: s.Database, OID: have.Databases[0].OID})
	}
	return fmt.Errorf("unknown step %s", s)
}

func (h *host) Begin(ctx context.Context) (plan.Executor, func(), error) {
	w, err := postgres.Begin(ctx, h.target, nil)
	if err != nil {
		return nil, nil, err
	}
	w.Boundary = h.boundary
	return writer{w, h}, func() { w.End().CloseSoon() }, nil
}

func (h *host) converge() plan.Outcome {
	h.t.Helper()
	h.done = nil
	return plan.Converge(h.t.Context(), h, func(c plan.Change) { h.done = append(h.done, c) })
}

// must converges and requires success, and that the next pass finds nothing.
func (h *host) must() plan.Outcome {
	h.t.Helper()
	out := h.converge()
	if err := out.Err(); err != nil || !out.InSync {
		h.t.Fatalf("not in sync: %v, refused %+v, blocked %+v", err, out.Refusals, out.Blocked)
	}
	if rep := h.Plan(h.t.Context()).Report(); !rep.InSync {
		h.t.Fatalf("the second plan is not empty: %+v", rep.Changes)
	}
	return out
}

func psql(t *testing.T, c *lab.Cluster, sql string) string {
	t.Helper()
	out, err := c.PSQL(t.Context(), "sessiondb", sql)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

package operate

import (
	"context"
	"maps"
	"slices"
	"time"

	"sessiondbd/internal/postgres"
)

// busyTries is how often rows that somebody holds are tried again.
const busyTries = 4

// knot is a row that stays, as its parent does.
type knot struct {
	ID     string `json:"id"`
	Parent string `json:"parent"`
}

type left struct {
	Parents int      `json:"parents"`
	Leaves  int      `json:"leaves"`
	Knots   int      `json:"knots"`
	Some    []string `json:"some"`
}

// rest tries what the walk had to leave, then says what stays and why.
func (p *Pruner) rest(ctx context.Context) error {
	for try := 0; ; {
		l, err := p.look(ctx)
		if err != nil {
			return err
		}
		p.out.Parents, p.out.Busy = l.Parents, l.Leaves
		if l.Leaves == 0 || try == busyTries {
			if l.Knots > 0 {
				return p.untie(ctx)
			}
			return nil
		}
		before := p.out.Deleted
		if err := p.ascend(ctx, l.Some); err != nil {
			return err
		}
		if p.out.Deleted == before {
			if err := sleep(ctx, 100*time.Millisecond<<try); err != nil {
				return err
			}
			try++
		}
	}
}

// ascend deletes leaves by name, then those of their parents that are leaves now, and so on.
func (p *Pruner) ascend(ctx context.Context, leaves []string) error {
	for len(leaves) > 0 {
		parents := map[string]bool{}
		for len(leaves) > 0 {
			some := leaves[:min(len(leaves), p.size.rows)]
			leaves = leaves[len(some):]
			gone, err := p.batch(ctx, p.named, some)
			if err != nil && !another(err) {
				return err
			}
			for _, r := range gone {
				parents[r.Parent] = r.Parent != ""
			}
		}
		delete(parents, "")
		leaves = slices.Collect(maps.Keys(parents))
	}
	return nil
}

func (p *Pruner) look(ctx context.Context) (left, error) {
	var l []left
	q := postgres.Query{Name: "what is left", SQL: spell(leftSQL), Args: p.stale[:], Into: &l}
	err := p.ask(ctx, q)
	if err != nil || len(l) != 1 {
		return left{}, err
	}
	return l[0], nil
}

// ask asks, and again while the table is locked.
func (p *Pruner) ask(ctx context.Context, q postgres.Query) error {
	return p.patiently(ctx, func() error { return p.conn.Ask(ctx, []postgres.Query{q}) })
}

// patiently does something again while the table is locked.
func (p *Pruner) patiently(ctx context.Context, do func() error) error {
	for giveUp := time.Now().Add(lockedFor); ; {
		if p.Hold != nil {
			if err := p.Hold(); err != nil {
				return err
			}
		}
		err := do()
		if err == nil {
			return nil
		}
		if !isLocked(err) || time.Now().After(giveUp) {
			return pruneError(ctx, err)
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// untie deletes circles, which have no leaf.
func (p *Pruner) untie(ctx context.Context) error {
	var knots []knot
	if err := p.ask(ctx, postgres.Query{Name: "knots", SQL: spell(knotsSQL), Args: p.stale[:], Into: &knots}); err != nil {
		return err
	}
	for _, circle := range circles(knots) {
		before := p.out.Deleted
		if _, err := p.batch(ctx, p.circles, circle); err != nil && !another(err) {
			return err
		}
		p.out.Parents -= p.out.Deleted - before
	}
	return nil
}

// circles finds the rows that are ancestors of themselves, circle by circle, each in the order of its way up. A row has one
// parent, so no two circles touch.
func circles(rows []knot) [][]string {
	parent := make(map[string]string, len(rows))
	for _, r := range rows {
		parent[r.ID] = r.Parent
	}
	var found [][]string
	visit := make(map[string]int, len(rows)) // by which way up; 0: not yet
	for i, r := range rows {
		var way []string
		at := r.ID
		for parent[at] != "" && visit[at] == 0 {
			visit[at] = i + 1
			way = append(way, at)
			at = parent[at]
		}
		if start := slices.Index(way, at); start >= 0 && visit[at] == i+1 {
			found = append(found, way[start:])
		}
	}
	return found
}

package operate

import (
	"context"
	"slices"
	"time"

	"sessiondbd/internal/postgres"
)

// busyTries is how often rows that somebody holds are tried again.
const busyTries = 4

// mostKnots is how many rows are thought about at once; of more only the leaves go first.
const mostKnots = 500_000

type left struct {
	Kept    int      `json:"kept"`
	Parents int      `json:"parents"`
	Leaves  int      `json:"leaves"`
	Some    []string `json:"some"`
}

// rest tries what the walk had to leave, then says what stays and why. Of what others bring meanwhile it takes as much as there was
// at first, and leaves the rest to another run: or it would not end before they do.
func (p *Pruner) rest(ctx context.Context) error {
	most, begun := -1, p.out.Deleted
	for try := 0; try < busyTries && (most < 0 || p.out.Deleted-begun < most); {
		before := p.out.Deleted
		all, may, err := p.unravel(ctx)
		if err != nil {
			return err
		}
		if may >= 0 && p.out.Deleted-before >= may {
			return nil
		}
		if most < 0 {
			most = all
		}
		if p.out.Deleted == before {
			if err := sleep(ctx, 100*time.Millisecond<<try); err != nil {
				return err
			}
			try++
		}
	}
	l, err := p.look(ctx)
	p.out.Parents, p.out.Busy, p.out.Kept = l.Parents, l.Leaves, l.Kept
	return err
}

// unravel deletes what is left, children first, and says how many rows that was, and how many of them may go; -1: there are more than
// it has thought about.
func (p *Pruner) unravel(ctx context.Context) (all, may int, err error) {
	var knots []knot
	if err := p.ask(ctx, postgres.Query{Name: "what is left", SQL: p.speller.spell(knotsSQL), Args: p.stale[:], Into: &knots}); err != nil {
		return 0, 0, err
	}
	above := make(map[string]string, len(knots))
	for _, k := range knots {
		above[k.ID] = k.Parent
	}
	if len(knots) > mostKnots {
		l, err := p.look(ctx)
		if err == nil {
			err = p.inBatches(ctx, l.Some, above)
		}
		return l.Parents + l.Leaves, -1, err
	}
	order, circles := untangle(knots)
	if err := p.inBatches(ctx, order, above); err != nil {
		return 0, 0, err
	}
	may = len(order)
	for _, circle := range circles {
		may += len(circle)
		if err := p.batch(ctx, circle); err != nil && !another(err) {
			return 0, 0, err
		}
	}
	p.out.Busy, p.out.Kept = 0, 0
	for _, k := range knots {
		if k.Kept {
			p.out.Kept++
		}
	}
	p.out.Parents = len(knots) - p.out.Kept - may
	return len(knots), may, nil
}

// inBatches deletes rows that come behind their children. One that cannot go now is passed over, and so are those above it.
func (p *Pruner) inBatches(ctx context.Context, names []string, above map[string]string) error {
	stuck := map[string]bool{}
	var try func([]string) error
	try = func(names []string) error {
		names = slices.DeleteFunc(slices.Clone(names), func(id string) bool { return stuck[id] })
		if len(names) == 0 {
			return nil
		}
		err := p.batch(ctx, names)
		switch {
		case !another(err):
			return err
		case len(names) > 1:
			half := len(names) / 2
			if err := try(names[:half]); err != nil {
				return err
			}
			return try(names[half:])
		}
		for at := names[0]; at != "" && !stuck[at]; at = above[at] {
			stuck[at] = true
		}
		return nil
	}
	for len(names) > 0 {
		some := names[:min(len(names), p.size.rows)]
		names = names[len(some):]
		if err := try(some); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pruner) look(ctx context.Context) (left, error) {
	var l []left
	q := postgres.Query{Name: "what is left", SQL: p.speller.spell(leftSQL), Args: p.stale[:], Into: &l}
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

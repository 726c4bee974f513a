package postgres

import (
	"context"
	"sync"
)

// askBeside asks over two connections at a time: about the session database over c, about what all databases share over
// other. On a backend that has just been forked most of a look is the first use of each catalogue, which two of them share.
func (c *Conn) askBeside(ctx context.Context, other *Conn, queries []Query) error {
	c.memory = nil // what there is to write would make it worthless
	var here, there, later []Query
	for _, q := range queries {
		if !q.Early {
			q.Then = nil // may need the answers of both
		}
		switch {
		case q.When != nil:
			continue
		case q.Session:
			here = append(here, q)
		default:
			there = append(there, q)
		}
	}
	var elsewhere error
	var all sync.WaitGroup
	all.Go(func() { elsewhere = other.ask(ctx, there) })
	err := c.ask(ctx, here)
	all.Wait()
	if err == nil && elsewhere != nil { // the other one may have been lost; this one is not
		err = c.ask(ctx, there)
	}
	if err != nil {
		return err
	}
	for _, q := range queries {
		switch {
		case q.When != nil:
			later = append(later, q)
		case q.Then != nil && !q.Early:
			q.Then()
		}
	}
	return c.Ask(ctx, later)
}

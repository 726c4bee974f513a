package postgres

import (
	"context"
	"sync"
)

// sentinel waits on a connection that nobody uses for its end.
type sentinel struct {
	stop context.CancelFunc
	idle sync.WaitGroup
}

// watch begins to wait; lost is called once if the connection ends before rest.
func (s *sentinel) watch(c *Conn, lost func()) {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.idle.Go(func() {
		for ctx.Err() == nil {
			if err := c.WaitForNotification(ctx); err != nil && ctx.Err() == nil {
				lost()
				return
			}
		}
	})
}

// rest ends the watch, so that the connection is the caller's alone again.
func (s *sentinel) rest() {
	if s.stop != nil {
		s.stop()
		s.idle.Wait()
		s.stop = nil
	}
}

package operate

import (
	"context"
	"fmt"
	"time"

	"sessiondbd/internal/postgres"
)

// Patience is how long what we do in a database may wait for locks, all of it together. Whoever may write to a table may lock it, a
// VM's role too, for as long as it likes.
type Patience struct {
	Conn     *postgres.Conn // to look over, which nobody else uses meanwhile
	Database string
	Bound    time.Duration
}

// patienceEvery is how often we look whom we wait for.
const patienceEvery = 500 * time.Millisecond

// Guard returns a context that ends once we have waited for too long, with who is in the way, or once the server is gone. done ends
// the watch and replaces an error by its reason.
func (p Patience) Guard(ctx context.Context) (guarded context.Context, done func(error) error) {
	guarded, cancel := context.WithCancelCause(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(patienceEvery)
		defer tick.Stop()
		var waited time.Duration
		for last := time.Now(); ; last = time.Now() {
			select {
			case <-guarded.Done():
				return
			case <-tick.C:
			}
			who, err := p.whom(ctx)
			if who != "" {
				waited += time.Since(last)
			}
			if waited >= p.Bound {
				err = postgres.NewError(postgres.Busy, fmt.Sprintf("a table is locked; waited for %s for %s", waited.Round(time.Second), who))
			}
			if err != nil {
				cancel(err)
				return
			}
		}
	}()
	return guarded, func(err error) error {
		cause := context.Cause(guarded)
		cancel(nil)
		<-over
		if err != nil && cause != nil && ctx.Err() == nil {
			return cause
		}
		return err
	}
}

// whom is let to its end: cutting it short would cost the connection, and the lock that it holds.
func (p Patience) whom(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return p.Conn.BlockingOurs(ctx, p.Database)
}

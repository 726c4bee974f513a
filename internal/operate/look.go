package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"sessiondbd/internal/postgres"
)

// callsAtATime is how many connections the server sees of it at once.
const callsAtATime = 8

// callWait bounds the wait for an answer of a server on this very host.
const callWait = 3 * time.Second

// ErrSilence says that a call was neither taken nor refused. Rules of others that drop what comes over the loopback do that, and
// the VMs' packets do not come that way.
var ErrSilence = errors.New("no answer to a call of this host's own")

// Call asks, at each of the addresses that this host has, whether PostgreSQL answers there: it offers TLS and hangs up, which
// the server does not log. It goes over the loopback, past the rules for others.
func Call(ctx context.Context, addresses []netip.Addr, port uint16) map[netip.Addr]error {
	answers := map[netip.Addr]error{}
	var mu sync.Mutex
	var calls sync.WaitGroup
	turns := make(chan struct{}, callsAtATime)
	for _, a := range addresses {
		turns <- struct{}{}
		calls.Go(func() {
			defer func() { <-turns }()
			err := call(ctx, netip.AddrPortFrom(a, port))
			mu.Lock()
			defer mu.Unlock()
			answers[a] = err
		})
	}
	calls.Wait()
	return answers
}

// sslRequest is that message of the protocol (PostgreSQL manual, 55.7): its length, 8, and the code 80877103.
var sslRequest = []byte{0, 0, 0, 8, 4, 210, 22, 47}

func call(ctx context.Context, at netip.AddrPort) error {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", at.String())
	if err != nil {
		var op *net.OpError
		switch {
		case os.IsTimeout(err):
			return ErrSilence
		case errors.As(err, &op):
			err = op.Err
		}
		return err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	_ = c.SetDeadline(deadline) // fails only on a closed connection, and then so does the next
	if _, err := c.Write(sslRequest); err != nil {
		return err
	}
	answer := make([]byte, 1)
	switch _, err := io.ReadFull(c, answer); {
	case err != nil:
		return fmt.Errorf("it takes connections and does not answer: %w", err)
	case answer[0] != 'S' && answer[0] != 'N':
		return errors.New("what answers there is not PostgreSQL")
	}
	return nil
}

// Usage is what a look at the databases' sizes and at everybody's sessions found.
type Usage struct {
	Sessions []Session
	Slots    *Slots
	Bytes    int64 // of the session database
}

// UsageQueries ask who works in the session database, and how large it is. They may run in any database.
func UsageQueries(database string, into *Usage) []postgres.Query {
	var sizes []number
	into.Sessions, into.Slots = nil, nil
	return []postgres.Query{activityQuery(database, &into.Sessions), slotsQuery(database, into), {
		Name: "the size of the database", Args: []string{database}, Into: &sizes,
		SQL: `SELECT pg_database_size(oid) AS n FROM pg_catalog.pg_database WHERE datname = $1`,
		Then: func() {
			for _, s := range sizes {
				into.Bytes = int64(s.Rows)
			}
		},
	}}
}

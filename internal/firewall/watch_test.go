package firewall

import (
	"context"
	"testing"
	"testing/synctest"
)

// However slow the receiver is, the sender never waits and nothing that happened is without a message.
func TestCoalesce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		in, out := make(chan string), make(chan string)
		go coalesce(ctx, in, out)
		in <- "a"
		in <- "b"
		in <- "a"
		synctest.Wait()
		if got := <-out; got != "a; b" {
			t.Errorf("%q, not each reason once", got)
		}
		in <- "c"
		in <- resync
		in <- "d"
		synctest.Wait()
		if got := <-out; got != resync {
			t.Errorf("%q, not %q", got, resync)
		}
		select {
		case got := <-out:
			t.Errorf("%q although nothing happened since", got)
		default:
		}
		cancel()
	})
}

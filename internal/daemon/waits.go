package daemon

import "time"

const (
	eagerRetry = 5 * time.Millisecond   // a restarted server is noticed 200 ms earlier than by a sleep of one second; a try in vain takes 0.3
	restarting = 10 * time.Second       // as long as PostgreSQL may be away for a restart, which is to be noticed at once
	quickRetry = 250 * time.Millisecond // the longest pause in the first minute
	slowRetry  = time.Second            // the longest pause after it
	reasonsMax = 16                     // distinct reasons told of in one outage
)

// waits is one time of waiting for something that is not there.
type waits struct {
	since time.Time
	tries int
	seen  map[string]bool
}

func (w *waits) waiting() bool { return w.tries > 0 }

// add counts a try in vain, and says whether its reason is news.
func (w *waits) add(reason string, now time.Time) bool {
	if w.tries == 0 {
		w.since, w.seen = now, map[string]bool{}
	}
	w.tries++
	if w.seen[reason] || len(w.seen) >= reasonsMax {
		return false
	}
	w.seen[reason] = true
	return true
}

// end says how long the waiting took, if there was any, and forgets it.
func (w *waits) end(now time.Time) (time.Duration, bool) {
	if w.tries == 0 {
		return 0, false
	}
	d := now.Sub(w.since)
	*w = waits{}
	return d, true
}

// delay is the pause before the next try.
func (w *waits) delay() time.Duration {
	switch away := time.Since(w.since); {
	case away > time.Minute:
		return slowRetry
	case away > restarting:
		return quickRetry
	}
	return eagerRetry
}

// backoff doubles base with each try after the first, up to 2^16 times base.
func backoff(try int, base time.Duration) time.Duration {
	return base << min(max(try-1, 0), 16)
}

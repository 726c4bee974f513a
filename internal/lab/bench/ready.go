package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// takeReady measures how long a host that is as it should be waits for us at boot.
func takeReady(ctx context.Context, o options, t *table) error {
	return with(ctx, o, "ready", func(h *host) error {
		if err := h.run(h.ours(ctx, nil, "apply")); err != nil {
			return err
		}
		all, err := rounds(ctx, o.pairs, h.becomesReady("database"), h.becomesReady("firewall"))
		if err != nil {
			return err
		}
		t.atMost("start to READY, converged host: database", all[0].median(), "%.1f ms", 60)
		t.line("start to READY, converged host: firewall", all[1].String())
		return nil
	})
}

func (h *host) becomesReady(part string) side {
	return func(ctx context.Context) (took time.Duration, err error) {
		s, err := h.serve(ctx, part)
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, s.end()) }()
		at, err := s.hears(ready)
		return at.Sub(s.began), err
	}
}

// takeAgain measures from the moment when a restarted PostgreSQL admits clients to that at which the daemon has verified
// everything again. How long PostgreSQL is away differs, since the pauses between tries grow.
func takeAgain(ctx context.Context, o options, t *table) error {
	return with(ctx, o, "again", func(h *host) error {
		if err := h.run(h.ours(ctx, nil, "apply")); err != nil {
			return err
		}
		return h.running(ctx, "database", func(s *service) error {
			var all sample
			for len(all) < o.pairs {
				took, err := s.again(ctx)
				if err != nil {
					return err
				}
				all = append(all, milliseconds(took))
				progress("%d of %d restarts", len(all), o.pairs)
			}
			t.atMost("PostgreSQL back to verified", all.median(), "%.1f ms", 20)
			return nil
		})
	})
}

// again restarts PostgreSQL below a daemon.
func (s *service) again(ctx context.Context) (time.Duration, error) {
	if err := s.h.Stop(ctx); err != nil {
		return 0, err
	}
	if _, err := s.hears(waiting); err != nil {
		return 0, err
	}
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(500*time.Millisecond + rand.N(2*time.Second)):
	}
	started := make(chan error, 1)
	go func() { started <- s.h.Start(ctx) }()
	answers, err := s.h.answers(ctx)
	if err := errors.Join(err, <-started); err != nil {
		return 0, err
	}
	at, err := s.hears(verified)
	return at.Sub(answers), err
}

// answers waits until the postmaster notes that it admits clients, and says when that was.
func (h *host) answers(ctx context.Context) (time.Time, error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(200 * time.Microsecond) {
		pid, _ := os.ReadFile(filepath.Join(h.DataDir, "postmaster.pid"))
		if lines := strings.Split(string(pid), "\n"); len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready" {
			return time.Now(), nil
		}
	}
	return time.Time{}, errors.Join(ctx.Err(), fmt.Errorf("PostgreSQL does not answer after %s", patience))
}

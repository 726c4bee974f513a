package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// side does one thing once and says how long it took. What it needs before, it does before the clock runs.
type side func(context.Context) (time.Duration, error)

// warmups are the first rounds, which fill caches and do not count.
const warmups = 3

// rounds lets the sides take turns, so that a noisy neighbour meets them alike; who begins changes from round to round.
// The result holds the milliseconds by side.
func rounds(ctx context.Context, n int, sides ...side) ([]sample, error) {
	all := make([]sample, len(sides))
	for round := range n + warmups {
		for i := range sides {
			at := (i + round) % len(sides)
			took, err := sides[at](ctx)
			if err != nil {
				return nil, err
			}
			if round >= warmups {
				all[at] = append(all[at], milliseconds(took))
			}
		}
		progress("%d of %d rounds", round+1, n+warmups)
	}
	return all, nil
}

// sample is what one side took, in milliseconds, by round.
type sample []float64

func (s sample) median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	mid := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[mid-1] + sorted[mid]) / 2
	}
	return sorted[mid]
}

// percentile is the value that so many of a hundred do not exceed.
func (s sample) percentile(n int) float64 {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[max(0, (len(sorted)*n+99)/100-1)]
}

// times is the median of how many times the other's time ours was, round by round.
func (s sample) times(other sample) float64 {
	ratios := make(sample, len(s))
	for i := range s {
		ratios[i] = s[i] / other[i]
	}
	return ratios.median()
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (s sample) String() string { return fmt.Sprintf("%.1f ms", s.median()) }

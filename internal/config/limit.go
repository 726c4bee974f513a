package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// Size is an amount of disk in kB, PostgreSQL's unit for it. Unlimited is none.
type Size int

// Unlimited is written -1, as in PostgreSQL.
const Unlimited Size = -1

type unit struct {
	name string
	kB   int
}

// units of a size, the largest first.
var units = []unit{{"TB", 1 << 30}, {"GB", 1 << 20}, {"MB", 1 << 10}, {"kB", 1}}

// String writes the size as config and PostgreSQL read it.
func (s Size) String() string {
	for _, u := range units {
		if n := int(s); n > 0 && n%u.kB == 0 {
			return strconv.Itoa(n/u.kB) + u.name
		}
	}
	if s == 0 {
		return "0kB"
	}
	return strconv.Itoa(int(s))
}

// MarshalYAML keeps -1 the integer that is accepted.
func (s Size) MarshalYAML() (any, error) {
	if s == Unlimited {
		return int(s), nil
	}
	return s.String(), nil
}

var sizeLike = lazy(`^(0|[1-9][0-9]{0,9})(kB|MB|GB|TB)$`)

// size reads an amount of disk with its unit, or -1.
func (v value) size(to *Size) {
	if v.node.Value == "-1" && v.kind() == "an integer" {
		*to = Unlimited
		return
	}
	scalar(v, to, func(s string) (Size, error) {
		m := sizeLike().FindStringSubmatch(s)
		if m == nil {
			return 0, fmt.Errorf("must be a size with its unit (kB, MB, GB or TB), such as 64MB, or -1 for none, not %s", clip(s))
		}
		n, _ := strconv.Atoi(m[1]) // ten digits at most
		at := slices.IndexFunc(units, func(u unit) bool { return u.name == m[2] })
		if n > math.MaxInt32/units[at].kB {
			return 0, fmt.Errorf("must be less than 2TB, or -1 for none, not %s", clip(s))
		}
		return Size(n * units[at].kB), nil
	})
}

const (
	leastTimeout = 100 * time.Millisecond // less would end what the documentation's clients do
	mostTimeout  = 24 * time.Hour
)

// timeout reads a duration, or 0.
func (v value) timeout(to *time.Duration) {
	if v.node.Value == "0" && v.kind() == "an integer" {
		*to = 0
		return
	}
	scalar(v, to, func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		switch {
		case err != nil:
			return 0, fmt.Errorf("must be a duration with its unit, such as 30s or 5m, or 0 for none, not %s", clip(s))
		case d == 0:
			return 0, nil
		case d < leastTimeout || d > mostTimeout:
			return 0, fmt.Errorf("must be from 100ms to 24h, or 0 for none, not %s", clip(s))
		case d%time.Millisecond != 0:
			return 0, errors.New("must be whole milliseconds, PostgreSQL's unit")
		}
		return d, nil
	})
}

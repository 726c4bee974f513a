package config

import (
	"fmt"
	"time"
)

// Finished is a status in which nobody works on a session any more.
type Finished string

// The statuses whose sessions may be deleted once they are old.
const (
	Completed Finished = "completed"
	Failed    Finished = "failed"
)

// The bounds of Retention.OlderThan.
const (
	leastRetention = time.Hour
	mostRetention  = 10 * 365 * 24 * time.Hour
)

// Retention says which sessions prune deletes. The zero value deletes none.
type Retention struct {
	Status    Statuses      `yaml:"status"`
	OlderThan time.Duration `yaml:"older_than"` // since created_at
}

// Set says whether anything is to be deleted.
func (r Retention) Set() bool { return len(r.Status) > 0 && r.OlderThan > 0 }

// Statuses is a list that the config also takes as one word.
type Statuses []Finished

// ParseStatus reads one status of a finished session.
func ParseStatus(s string) (Finished, error) {
	switch s {
	case "pending", "processing":
		return "", fmt.Errorf("must be completed or failed: a session that is %s is not finished, and never deleted", s)
	}
	return oneOf(Completed, Failed)(s)
}

var durationLike = lazy(`^-?\d+(ns|us|ms|s|m|h)$`)

// ParseOlderThan reads how old, counted from created_at, a session must be to be deleted.
func ParseOlderThan(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil && durationLike().MatchString(s): // more than Go can hold
		return 0, fmt.Errorf("must be from 1h to 87600h, not %s", clip(s))
	case err != nil:
		return 0, fmt.Errorf("must be a duration with its unit, such as 720h for 30 days, not %s", clip(s))
	case d < leastRetention || d > mostRetention:
		return 0, fmt.Errorf("must be from 1h to 87600h, not %s", clip(s))
	case d%time.Second != 0:
		return 0, fmt.Errorf("must be whole seconds, not %s", clip(s))
	}
	return d, nil
}

// retention wants both keys: what deletes sessions is written out.
func (d *decoder) retention(v value, to *Retention) {
	seen := v.mapping(
		field{"status", func(v value) { v.statuses(&to.Status) }},
		field{"older_than", func(v value) { scalar(v, &to.OlderThan, ParseOlderThan) }},
	)
	if seen != nil {
		v.require(seen, "status", "older_than")
	}
}

func (v value) statuses(to *Statuses) {
	if v.kind() != "a list" {
		var one Finished
		if scalar(v, &one, ParseStatus); one != "" {
			*to = Statuses{one}
		}
		return
	}
	taken := map[string]string{}
	v.items(func(_ int, item value) {
		var one Finished
		if scalar(item, &one, ParseStatus); one == "" {
			return
		}
		item.unique(taken, string(one))
		*to = append(*to, one)
	})
	if len(v.node.Content) == 0 {
		v.fail("must name completed, failed or both; remove retention to delete nothing")
	}
}

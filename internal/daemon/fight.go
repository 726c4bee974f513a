package daemon

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"sessiondbd/internal/plan"
)

// Repairs that an event called for are paced: two programs that undo each other's work would keep the kernel and the log
// busy for nothing. The first ones follow at once; from then on each waits for a token.
const (
	paceBurst  = 20
	paceRefill = 100 * time.Millisecond // for one token: whoever undoes us for ever has us at a tenth of a second
)

// fightSpan and fightMany say when it is a fight: so many repairs undone within so long.
const (
	fightSpan = 10 * time.Second
	fightMany = 5
)

// fight keeps count of repairs that events called for. The zero value is ready. It is not safe for concurrent use.
type fight struct {
	repairs  []repair // within fightSpan
	tokens   int      // spent
	refilled time.Time
	resource string // that the last one was about
}

type repair struct {
	at time.Time
	by string
}

// opponent is who an event says did it: a process, or nobody that is known.
var opponent = regexp.MustCompile(`by (\S+)\[[0-9]+\]`)

// repaired counts a pass that an event called for and that wrote something. It says whose work was undone.
func (f *fight) repaired(reason, resource string, now time.Time) (by string) {
	by = "somebody"
	if m := opponent.FindStringSubmatch(reason); m != nil {
		by = m[1]
	}
	f.repairs = append(f.repairs, repair{now, by})
	f.resource = resource
	f.tokens++
	return by
}

// delay is how long the next pass that an event calls for has to wait.
func (f *fight) delay(now time.Time) time.Duration {
	if back := int(now.Sub(f.refilled) / paceRefill); back > 0 {
		f.tokens = max(f.tokens-back, 0)
		f.refilled = now
	}
	if f.tokens < paceBurst {
		return 0
	}
	return paceRefill
}

// warning names the opponent while there is a fight.
func (f *fight) warning(now time.Time) (w plan.Warning, fighting bool) {
	f.repairs = slices.DeleteFunc(f.repairs, func(r repair) bool { return now.Sub(r.at) > fightSpan })
	if len(f.repairs) < fightMany {
		return w, false
	}
	count := map[string]int{}
	by := ""
	for _, r := range f.repairs {
		count[r.by]++
		if count[r.by] > count[by] {
			by = r.by
		}
	}
	return plan.Warning{
		Fight:    true,
		Resource: f.resource,
		Summary:  fmt.Sprintf("%s undoes what sessiondbd repairs, again and again: two programs fight over it, and between two repairs it is not as the config says", by),
		Remedy:   "find what runs " + by + " and have it leave this alone (`sudo nft monitor` shows each change as it comes, `systemctl list-timers` who comes regularly), or let it do the work and set reconcile.drift: report",
	}, true
}

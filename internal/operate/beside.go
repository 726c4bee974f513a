package operate

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"sessiondbd/internal/postgres"
)

// Beside are the databases of one restore: the one in service, the one that is filled beside it, and the name that the first
// is kept under.
type Beside struct {
	Live, Fresh, Kept string
	at                time.Time
}

// The marks in the names of the others, and the time after them, UTC.
const (
	markFresh = "_restoring_"
	markKept  = "_before_"
	markTime  = "20060102_150405"
)

// nameBytes is how long a name may be (NAMEDATALEN less one); PostgreSQL cuts longer ones off.
const nameBytes = 63

// NewBeside names the databases of a restore that begins now.
func NewBeside(live string, now time.Time) Beside {
	name := func(mark string) string {
		rest := mark + now.UTC().Format(markTime)
		return live[:min(len(live), nameBytes-len(rest))] + rest
	}
	return Beside{Live: live, Fresh: name(markFresh), Kept: name(markKept), at: now}
}

var stamp = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\d{8}_\d{6}$`) })

// KeptPrefix is what the names of databases begin with that restores have kept.
func (b Beside) KeptPrefix() string {
	return b.Kept[:strings.LastIndex(b.Kept, markKept)+len(markKept)]
}

// IsKept says whether a name is such a one.
func (b Beside) IsKept(name string) bool {
	at, found := strings.CutPrefix(name, b.KeptPrefix())
	return found && stamp().MatchString(at)
}

// Is says whether a name is one that a restore of this database gives: of one that is filled, or of one that is kept.
func (b Beside) Is(name string) bool { return b.IsKept(name) || b.leftover(name) }

// leftover says whether a database is what a restore that was killed left behind.
func (b Beside) leftover(name string) bool {
	prefix, at, found := strings.Cut(name, markFresh)
	return found && stamp().MatchString(at) && prefix == b.Fresh[:strings.LastIndex(b.Fresh, markFresh)]
}

// Clear drops what restores that were killed have left behind, and finds names for this one that nobody has. It has to hold
// the lock of restores: whose it is, is dead.
func (b *Beside) Clear(ctx context.Context, c *postgres.Conn) (cleared []string, err error) {
	var all []struct {
		Name string `json:"datname"`
	}
	q := postgres.Query{Name: "the databases", SQL: "SELECT datname FROM pg_catalog.pg_database ORDER BY datname", Into: &all}
	if err := c.Ask(ctx, []postgres.Query{q}); err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	for _, d := range all {
		taken[d.Name] = true
		if !b.leftover(d.Name) {
			continue
		}
		if err := drop(ctx, c, d.Name); err != nil {
			return cleared, err
		}
		cleared = append(cleared, d.Name)
	}
	if err := dismiss(ctx, c); err != nil {
		return cleared, err
	}
	for taken[b.Kept] || taken[b.Fresh] {
		*b = NewBeside(b.Live, b.at.Add(time.Second))
	}
	return cleared, nil
}

// OID is a database's, empty for one that does not exist.
func OID(ctx context.Context, c *postgres.Conn, name string) (string, error) {
	var got []struct {
		OID string `json:"oid"`
	}
	q := postgres.Query{Name: "the database", SQL: "SELECT oid::text FROM pg_catalog.pg_database WHERE datname = $1", Args: []string{name}, Into: &got}
	if err := c.Ask(ctx, []postgres.Query{q}); err != nil || len(got) == 0 {
		return "", err
	}
	return got[0].OID, nil
}

// endEvery is how often the sessions that stand in the way of the swap are ended.
const endEvery = 20 * time.Millisecond

// Swap puts the fresh database in the place of the one in service, which is kept; there may be none. Both get their names in
// one transaction, and whatever ends it early leaves everything as it was. Whoever connects meanwhile waits for its end, and is refused
// then: PostgreSQL finds the name to be another's ("It seems to have just been dropped or renamed").
// PostgreSQL waits five seconds in it for the sessions of the old database to end, which other ends meanwhile. Statements in
// with happen in that transaction, too, before the new names.
func (b Beside) Swap(ctx context.Context, c, other *postgres.Conn, with []string) (took time.Duration, err error) {
	oid, err := OID(ctx, c, b.Live)
	if err != nil {
		return 0, err
	}
	sql := "BEGIN; SET LOCAL lock_timeout = '10s'; "
	for _, statement := range with {
		sql += statement + "; "
	}
	if oid != "" {
		sql += "ALTER DATABASE " + postgres.QuoteIdent(b.Live) + " RENAME TO " + postgres.QuoteIdent(b.Kept) + "; "
	}
	sql += "ALTER DATABASE " + postgres.QuoteIdent(b.Fresh) + " RENAME TO " + postgres.QuoteIdent(b.Live) + "; COMMIT"
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		b.end(ctx, stop, other)
	}()
	begin := time.Now()
	_, err = c.Run(ctx, sql)
	took = time.Since(begin)
	close(stop)
	<-ended
	if err != nil {
		_, _ = c.Run(ctx, "ROLLBACK")
		return took, fmt.Errorf("swapping the databases: %w; the one in service is as it was", err)
	}
	return took, nil
}

// end ends the sessions in the database in service until it is told to stop.
func (b Beside) end(ctx context.Context, stop <-chan struct{}, c *postgres.Conn) {
	tick := time.NewTicker(endEvery)
	defer tick.Stop()
	for {
		var n []struct {
			Ended int `json:"ended"`
		}
		q := postgres.Query{
			Name: "ending sessions", Args: []string{b.Live}, Into: &n,
			SQL: "SELECT count(pg_catalog.pg_terminate_backend(pid)) AS ended FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND pid <> pg_catalog.pg_backend_pid()",
		}
		if c.Ask(ctx, []postgres.Query{q}) != nil {
			return
		}
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}

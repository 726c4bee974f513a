package operate

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"sessiondbd/internal/postgres"
)

// Stale says which sessions prune is about: those of these statuses, created longer ago.
type Stale struct {
	Statuses  []string
	OlderThan time.Duration
}

// Pruned is what prune did, or would do.
type Pruned struct {
	DryRun   bool     `json:"dry_run"`
	Statuses []string `json:"status"`
	// Before is the server's time less the age, for the whole run.
	Before  time.Time `json:"created_before"`
	Deleted int       `json:"deleted"`
	// Parents are meant, and stay because of children that do.
	Parents int `json:"parents_kept"`
	// Kept are meant, and stay because other tables refer to them.
	Kept int `json:"referenced_kept"`
	// Busy are meant, and somebody held them whenever it was their turn, or a trigger keeps them.
	Busy    int     `json:"busy"`
	Seconds float64 `json:"seconds"`
	// Forecast is there for a dry run only.
	Forecast *Forecast `json:"forecast,omitempty"`

	// Keepers are the tables whose foreign keys refer to sessions.
	Keepers []string `json:"-"`

	before string // as PostgreSQL writes it
}

// Forecast is what a dry run knows besides.
type Forecast struct {
	Statuses []StatusCount `json:"by_status"`
	Oldest   *time.Time    `json:"oldest"`
	Newest   *time.Time    `json:"newest"`
}

// forecastWait bounds a dry run, whose snapshot keeps VACUUM from cleaning up.
const forecastWait = 10 * time.Minute

type forecastRow struct {
	Status  string `json:"status"`
	Rows    int    `json:"n"`
	Parents int    `json:"parents"`
	Kept    int    `json:"kept"`
	Oldest  string `json:"oldest"`
	Newest  string `json:"newest"`
}

// ForecastPrune counts exactly what a run would delete if nobody wrote meanwhile, in one statement. It writes nothing.
func ForecastPrune(ctx context.Context, c *postgres.Conn, s Stale) (Pruned, error) {
	began := time.Now()
	p, gate, err := s.begin(ctx, c)
	if err != nil {
		return p, err
	}
	var rows []forecastRow
	err = c.Ask(ctx, []postgres.Query{
		Bounds{Statement: forecastWait}.query(""),
		{Name: "what would be deleted", SQL: gate.spell(forecastSQL), Args: []string{postgres.Array(s.Statuses), p.before}, Into: &rows},
	})
	if err != nil {
		return p, pruneError(ctx, err)
	}
	p.DryRun, p.Forecast = true, &Forecast{Statuses: []StatusCount{}}
	for _, r := range rows {
		p.Deleted += r.Rows
		p.Parents += r.Parents
		p.Kept += r.Kept
		p.Forecast.Statuses = append(p.Forecast.Statuses, StatusCount{r.Status, r.Rows})
		if at, ok := postgres.Timestamp(r.Oldest); ok && (p.Forecast.Oldest == nil || at.Before(*p.Forecast.Oldest)) {
			p.Forecast.Oldest = &at
		}
		if at, ok := postgres.Timestamp(r.Newest); ok && (p.Forecast.Newest == nil || at.After(*p.Forecast.Newest)) {
			p.Forecast.Newest = &at
		}
	}
	p.Seconds = time.Since(began).Seconds()
	return p, nil
}

// pruneError says what kept the table from being looked at or pruned.
func pruneError(ctx context.Context, err error) error {
	if isLocked(err) && ctx.Err() == nil {
		return postgres.NewError(postgres.Busy, "the table public.session is locked: see who holds it with sudo sessiondbd status --sessions, and run prune again")
	}
	return fmt.Errorf("the table public.session: %w", err)
}

// JSON writes the answer as one document.
func (p Pruned) JSON(w io.Writer) error { return writeJSON(w, p) }

// Text writes the answer for a person.
func (p Pruned) Text(w io.Writer) error {
	var b strings.Builder
	which := fmt.Sprintf("%s, created before %s", strings.Join(p.Statuses, " or "), p.Before.Format("2006-01-02 15:04:05 -07:00"))
	verb, busy := "deleted", fmt.Sprintf("busy: %s that somebody held, or a trigger keeps; another run tries them", sessionsOf(p.Busy))
	if p.DryRun {
		verb = "would delete"
	}
	fmt.Fprintf(&b, "%s %s (%s)", verb, sessionsOf(p.Deleted), which)
	if p.DryRun {
		fmt.Fprintln(&b)
		for _, s := range p.Forecast.Statuses {
			fmt.Fprintf(&b, "  %-10s %d\n", s.Status, s.Rows)
		}
		if p.Forecast.Oldest != nil {
			fmt.Fprintf(&b, "  created from %s to %s\n", p.Forecast.Oldest.Format(time.DateTime), p.Forecast.Newest.Format(time.DateTime))
		}
	} else {
		fmt.Fprintf(&b, " in %.1f s\n", p.Seconds)
	}
	if p.Parents > 0 {
		fmt.Fprintf(&b, "stay: %s, parents of sessions that stay\n", sessionsOf(p.Parents))
	}
	if p.Kept > 0 {
		fmt.Fprintf(&b, "stay: %s that %s refers to\n", sessionsOf(p.Kept), strings.Join(p.Keepers, " or "))
	}
	if p.Busy > 0 {
		fmt.Fprintln(&b, busy)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func sessionsOf(n int) string {
	if n == 1 {
		return "1 session"
	}
	return fmt.Sprintf("%d sessions", n)
}

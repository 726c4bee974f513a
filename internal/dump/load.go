package dump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"sessiondbd/internal/postgres"
)

// Loaded is what a dump held.
type Loaded struct {
	Sessions int64    // rows of public.session
	Filled   bool     // that there is a place for them, even if there are none: pg_dump writes one for an empty table, too
	Others   int64    // rows of other tables, our own history left out
	Made     []string // extensions
	Owned    []Owned  // what it gives to roles
	Notes    []string // what this server did not know, and what the reader should
}

// sink takes the pieces of a dump.
type sink interface {
	run(ctx context.Context, p Piece) (rows int64, err error)
	rows(ctx context.Context, p Piece, data io.Reader) (int64, error)
}

// Into is the database that a dump is loaded into.
type Into struct {
	// Administrator is a connection to it beside the one that executes the dump.
	Administrator *postgres.Conn
	// Extensions are those that an administrator has made in the database in service, by name, with their schemas. They are made
	// again where the dump has them and its role may not.
	Extensions map[string]string
	// Live is the name of the database in service, for people.
	Live string
}

// Load executes a dump in the database that c is connected to, as the role that c has logged in as, which owns the database and may
// nothing else: whatever the dump executes can get back to that role, whose everything is; what the dump says of owners is returned. An
// error leaves the database half full.
func Load(ctx context.Context, c *postgres.Conn, to Into, s *Script) (Loaded, error) {
	// Without synchronous_commit: nobody is told that the rows are safe before the swap, which waits for all of them.
	for _, sql := range []string{"SET search_path = public", "SET synchronous_commit = off"} {
		if _, err := c.Run(ctx, sql); err != nil {
			return Loaded{}, err
		}
	}
	return feed(ctx, s, loader{c, to})
}

func feed(ctx context.Context, s *Script, to sink) (Loaded, error) {
	var l Loaded
	var in into
	for {
		p, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = l.take(ctx, p, &in, s, to)
		}
		if err != nil {
			return l, err
		}
	}
	switch {
	case s.Cluster:
		return l, errors.New("this is a dump of a whole server (pg_dumpall); make one of the session database alone: sudo sessiondbd backup")
	case s.Begun && !s.Ended:
		return l, fmt.Errorf("%w: pg_dump ends with the line \"PostgreSQL database dump complete\", and it is not there", ErrCutOff)
	case !s.Begun:
		l.Notes = append(l.Notes, "the file does not say that pg_dump wrote it: whether it is whole cannot be told")
	}
	return l, nil
}

// SQLSTATEs (PostgreSQL manual, appendix A): of a setting or a role that a server does not know, and of what is not ours to give.
const (
	undefinedObject = "42704"
	notPrivileged   = "42501"
)

func (l *Loaded) take(ctx context.Context, p Piece, in *into, s *Script, to sink) error {
	if p.Meta {
		return in.meta(p)
	}
	v, why := judge(p)
	table := tableOf(p.Text)
	switch {
	case v == ignore:
		if o, is := ownedBy(p.Text); is {
			l.Owned = append(l.Owned, o)
		}
		return nil
	case v == execute && in.clears(p):
		return nil
	case v == leave:
		l.Notes = append(l.Notes, fmt.Sprintf("line %d, left out, since an administrator has to want it: %s", p.Line, typed(p.Text)))
		return nil
	case v == refuse:
		return fmt.Errorf("line %d: %s: %s", p.Line, start(p.Text), why)
	case p.Rows:
		n, err := to.rows(ctx, p, s.Rows())
		l.count(table, n)
		return at(p, err)
	}
	if name := extensionOf(p.Text); name != "" {
		l.Made = append(l.Made, name)
	}
	n, err := to.run(ctx, p)
	var pe *postgres.Error
	switch {
	case v == grant && errors.As(err, &pe) && pe.Code == notPrivileged:
		return nil
	case (v == tolerate || v == grant) && errors.As(err, &pe) && pe.Code == undefinedObject:
		l.Notes = append(l.Notes, fmt.Sprintf("line %d, left out: %s: %s", p.Line, start(p.Text), pe))
		return nil
	}
	if table != "" {
		l.count(table, n)
	}
	if errors.As(err, &pe) && pe.Code == notPrivileged && extensionOf(p.Text) == "" {
		err = fmt.Errorf("%w; a dump is executed as the owner of the database beside, which may nothing else, not as an administrator: leave that out of it, and make it by hand afterwards", err)
	}
	return at(p, err)
}

// at says where in the file an error came from.
func at(p Piece, err error) error {
	if err == nil || errors.Is(err, ErrCutOff) {
		return err
	}
	return fmt.Errorf("line %d: %s: %w", p.Line, start(p.Text), err)
}

func (l *Loaded) count(table string, rows int64) {
	switch {
	case table == "session" || table == "public.session":
		l.Sessions, l.Filled = l.Sessions+rows, true
	case !strings.HasPrefix(table, "sessiondbd."):
		l.Others += rows
	}
}

var fills = lazy(`(?i)^(?:COPY|INSERT\s+INTO)\s+(?:ONLY\s+)?([^\s(]+)`)

// tableOf is which table a statement fills.
func tableOf(sql string) string {
	m := fills().FindStringSubmatch(sql[:min(len(sql), judged)])
	if m == nil {
		return ""
	}
	return strings.ReplaceAll(m[1], `"`, "")
}

// typed is a whole statement, for people to type. One with a password in it is not shown, and neither is what a terminal would obey.
func typed(sql string) string {
	sql = strings.TrimSpace(space().ReplaceAllString(sql, " "))
	if len(sql) > judged || secret().MatchString(sql) || strings.ContainsFunc(sql, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return start(sql) + " … (see the file)"
	}
	return sql
}

// secret is what connection strings hold passwords in.
var secret = lazy(`(?i)\bCONNECTION\b`)

// start is the beginning of a statement, for people: not what it holds.
func start(sql string) string {
	head := space().ReplaceAllString(sql[:min(len(sql), judged)], " ")
	if i := strings.IndexAny(head, "('$;"); i >= 0 {
		head = head[:i]
	}
	if len(head) > 60 {
		head = strings.ToValidUTF8(head[:60], "") + "…"
	}
	return strings.TrimSpace(head)
}

package dump

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// Inspect reads a dump as Load would, executes nothing, and requires that it makes the table.
func Inspect(ctx context.Context, s *Script) (Loaded, error) {
	n := &nowhere{}
	l, err := feed(ctx, s, n)
	switch {
	case err != nil:
		return l, err
	case !n.table && l.Filled:
		return l, errors.New("it holds rows of the table session, and not the table (pg_dump --data-only?)")
	case !n.table:
		return l, ErrNoTable
	case n.needsType && !n.hasType:
		return l, errors.New("it holds the table session, and not the type inbox_status_enum that it needs (pg_dump -t?): make one of the whole database")
	}
	return l, nil
}

// ErrNoTable says that a dump is one of something else.
var ErrNoTable = errors.New("it holds no table session in schema public: it is no dump of a session database")

// nowhere only counts, and looks for what has to be there.
type nowhere struct{ table, needsType, hasType bool }

var (
	makesTable = lazy(`(?i)^CREATE\s+(?:UNLOGGED\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:"?public"?\s*\.\s*)?"?session"?[\s(]`)
	makesType  = lazy(`(?is)^(?:CREATE\s+TYPE|DO)\s.*\binbox_status_enum\b`)
	namesType  = lazy(`\binbox_status_enum\b`)
)

func (n *nowhere) run(_ context.Context, p Piece) (int64, error) {
	switch {
	case makesTable().MatchString(p.Text):
		n.table, n.needsType = true, namesType().MatchString(p.Text)
	case len(p.Text) < longestType && makesType().MatchString(p.Text):
		n.hasType = true
	}
	return max(1, int64(p.Tuples)), nil
}

// longestType bounds what is searched for the type.
const longestType = 64 << 10

func (*nowhere) rows(ctx context.Context, _ Piece, data io.Reader) (n int64, err error) {
	for b := make([]byte, 64<<10); err == nil; err = errors.Join(err, ctx.Err()) {
		var k int
		k, err = data.Read(b)
		n += int64(bytes.Count(b[:k], []byte("\n")))
		if errors.Is(err, io.EOF) {
			return n, nil
		}
	}
	return n, err
}

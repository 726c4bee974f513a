// Package dump reads dumps of PostgreSQL databases, in whatever form they come, into a database that was made for that.
package dump

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Script reads the plain form of a dump, as pg_dump writes it, piece by piece: what psql would send to a server, without
// psql, which would obey the file's own commands (\connect leads into another database, \! starts programs).
type Script struct {
	in   *bufio.Reader
	line int  // of what is read next, from 1
	copy bool // rows come next
	// What the frame of pg_dump says: it began to write, it came to its end, it was pg_dumpall.
	Begun, Ended, Cluster bool
}

// Piece is one statement, or one command for psql.
type Piece struct {
	Line int // where it begins
	Text string
	// Meta says that it is a command for psql, with its backslash.
	Meta bool
	// Rows says that the statement is a COPY whose rows follow: they have to be read next.
	Rows bool
	// Tuples is how many rows follow VALUES in it.
	Tuples int
}

// Of what a file that is no dump could make us keep: the longest statement, and the longest comment that is looked at.
const (
	longestStatement = 1 << 30 // what PostgreSQL takes at most
	longestFrame     = 64
)

// ErrCutOff says that the file ends before the dump does.
var ErrCutOff = errors.New("the file is cut off")

// NewScript reads from r.
func NewScript(r io.Reader) *Script { return &Script{in: bufio.NewReaderSize(r, 256<<10), line: 1} }

// Next returns the next piece, io.EOF after the last.
func (s *Script) Next() (Piece, error) {
	if err := s.skip(); err != nil {
		return Piece{}, err
	}
	p := Piece{Line: s.line}
	if c, _ := s.peek(); c == '\\' {
		text, err := s.rest()
		p.Meta, p.Text = true, strings.TrimSpace(text)
		return p, err
	}
	w := words{script: s}
	err := w.read()
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w in the statement of line %d", ErrCutOff, p.Line)
	}
	p.Text, p.Rows, p.Tuples = w.text.String(), w.copies(), w.tuples
	if p.Rows && err == nil {
		s.copy = true
		_, err = s.rest()
	}
	return p, err
}

// skip goes to the next character that is not space or comment.
func (s *Script) skip() error {
	for {
		c, err := s.peek()
		switch {
		case err != nil:
			return err
		case strings.IndexByte(" \t\r\n\f\v", c) >= 0:
			_, _ = s.get()
		case c == '-' && s.second() == '-':
			text, err := s.rest()
			s.frame(text)
			if err != nil {
				return err
			}
		case c == '/' && s.second() == '*':
			if err := s.comment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// frame heeds what pg_dump says of itself.
func (s *Script) frame(comment string) {
	switch strings.TrimSpace(comment) {
	case "-- PostgreSQL database dump":
		s.Begun = true
	case "-- PostgreSQL database dump complete":
		s.Ended = true
	case "-- PostgreSQL database cluster dump":
		s.Cluster = true
	}
}

func (s *Script) peek() (byte, error) {
	b, err := s.in.Peek(1)
	if len(b) == 0 {
		return 0, err
	}
	return b[0], nil
}

func (s *Script) second() byte {
	b, _ := s.in.Peek(2)
	if len(b) < 2 {
		return 0
	}
	return b[1]
}

func (s *Script) get() (byte, error) {
	c, err := s.in.ReadByte()
	if c == '\n' && err == nil {
		s.line++
	}
	return c, err
}

// rest reads to the end of the line, which may be the end of the file. Of a very long one only the beginning is returned.
func (s *Script) rest() (string, error) {
	var kept []byte
	for {
		part, err := s.in.ReadSlice('\n')
		kept = append(kept, part[:min(len(part), max(0, longestFrame*16-len(kept)))]...)
		switch {
		case err == nil:
			s.line++
			return string(kept), nil
		case errors.Is(err, io.EOF):
			return string(kept), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return string(kept), err
		}
	}
}

// Rows reads the rows of the COPY that Next has returned, as the server wants them, up to the line that ends them.
func (s *Script) Rows() io.Reader { return &rows{script: s, start: true} }

type rows struct {
	script *Script
	left   []byte
	start  bool // of a line
	err    error
}

func (r *rows) Read(to []byte) (int, error) {
	s := r.script
	if len(r.left) == 0 && r.err == nil {
		if !s.copy {
			return 0, io.EOF
		}
		part, err := s.in.ReadSlice('\n')
		whole := err == nil
		switch {
		case r.start && (bytes.Equal(part, []byte("\\.\n")) || bytes.Equal(part, []byte("\\.\r\n"))):
			s.line++
			s.copy = false
			return 0, io.EOF
		case errors.Is(err, io.EOF):
			r.err = fmt.Errorf("%w in the rows at line %d", ErrCutOff, s.line)
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			r.err = err
		}
		if whole {
			s.line++
		}
		r.start, r.left = whole, part
	}
	if r.err != nil {
		return 0, r.err
	}
	n := copy(to, r.left)
	r.left = r.left[n:]
	return n, nil
}

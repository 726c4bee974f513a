package dump

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// words reads one statement up to its semicolon, by the lexical rules of SQL (PostgreSQL manual, 4.1): quoted strings and
// names, dollar quotes, nested comments, and the bodies of functions that are written in SQL itself.
type words struct {
	script *Script
	text   bytes.Buffer
	word   []byte // that is being read
	first  string // the first words, in upper case, a space before each
	before string // the word before, if nothing stands between
	parens int
	begun  int
	values bool // what is in parentheses from here on is a row
	tuples int
}

func (w *words) take() (byte, error) {
	c, err := w.script.get()
	if err != nil {
		return 0, err
	}
	if w.text.Len() >= longestStatement {
		return 0, fmt.Errorf("line %d: a statement of more than a gigabyte; is this a dump?", w.script.line)
	}
	w.text.WriteByte(c)
	return c, nil
}

func (w *words) read() error {
	for {
		c, err := w.take()
		if err != nil {
			return err
		}
		if name(c) || (c == '$' && len(w.word) > 0) {
			w.word = append(w.word, c)
			continue
		}
		escapes := len(w.word) == 1 && (w.word[0] == 'e' || w.word[0] == 'E')
		w.ended()
		switch c {
		case ';':
			if w.parens <= 0 && w.begun <= 0 {
				return nil
			}
		case '.', ',':
			w.before = ""
		case '(':
			if w.parens == 0 && w.values {
				w.tuples++
			}
			w.parens++
		case ')':
			w.parens--
		case '\'', '"':
			err = w.quoted(c, escapes && c == '\'')
		case '$':
			err = w.dollars()
		case '-':
			if next, _ := w.script.peek(); next == '-' {
				err = w.until("\n")
			}
		case '/':
			if next, _ := w.script.peek(); next == '*' {
				_, _ = w.take()
				err = w.nested()
			}
		case '\\':
			err = fmt.Errorf("line %d: a command for psql in the middle of a statement", w.script.line)
		}
		if err != nil {
			return err
		}
	}
}

func name(c byte) bool {
	return c == '_' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// makes is how a statement begins that may hold BEGIN ATOMIC … END, in which semicolons do not end it.
var makes = lazy(`^ CREATE( OR REPLACE)? (FUNCTION|PROCEDURE)\b`)

// firstWords is how many of them makes looks at.
const firstWords = 4

// ended heeds the word that has been read. Outside of parentheses only, as psql does: BEGIN is a name that a parameter may have,
// and a function and a schema, which is why it takes ATOMIC to begin a body. CASE and END are quoted where they are names.
func (w *words) ended() {
	if len(w.word) == 0 {
		return
	}
	word := strings.ToUpper(string(w.word))
	if strings.Count(w.first, " ") < firstWords {
		w.first += " " + word
	}
	switch {
	case w.parens > 0:
	case word == "VALUES", word == "ON": // CONFLICT (id)
		w.values = word == "VALUES"
	case w.begun == 0 && word == "ATOMIC" && w.before == "BEGIN" && makes().MatchString(w.first), w.begun > 0 && word == "CASE":
		w.begun++
	case w.begun > 0 && word == "END":
		w.begun--
	}
	w.before = word
	w.word = w.word[:0]
}

func (w *words) quoted(quote byte, escapes bool) error {
	for {
		c, err := w.take()
		switch {
		case err != nil:
			return err
		case c == '\\' && escapes:
			if _, err := w.take(); err != nil {
				return err
			}
		case c == quote: // one that is doubled ends the string and begins another
			return nil
		}
	}
}

// dollars reads $tag$ … $tag$, if it is one: $1 is a parameter.
func (w *words) dollars() error {
	tag := []byte{'$'}
	for {
		c, err := w.script.peek()
		if err != nil {
			return err
		}
		if c != '$' && (!name(c) || len(tag) == 1 && '0' <= c && c <= '9') {
			return nil
		}
		if _, err := w.take(); err != nil {
			return err
		}
		if tag = append(tag, c); c == '$' {
			return w.until(string(tag))
		}
	}
}

// until reads to the end of what ends it.
func (w *words) until(end string) error {
	from := w.text.Len()
	for {
		if _, err := w.take(); err != nil {
			return err
		}
		if bytes.HasSuffix(w.text.Bytes()[from:], []byte(end)) {
			return nil
		}
	}
}

// nested reads a comment whose beginning has been read.
func (w *words) nested() error {
	for depth, last := 1, byte(0); depth > 0; {
		c, err := w.take()
		if err != nil {
			return err
		}
		switch {
		case last == '/' && c == '*':
			depth++
			c = 0
		case last == '*' && c == '/':
			depth--
			c = 0
		}
		last = c
	}
	return nil
}

// comment reads one between statements.
func (s *Script) comment() error {
	w := words{script: s}
	_, _ = w.take()
	_, _ = w.take()
	err := w.nested()
	if err == io.EOF {
		return fmt.Errorf("%w in a comment", ErrCutOff)
	}
	return err
}

var copyFrom = lazy(`(?is)^COPY\s.*\sFROM\s+stdin\b[^']*;$`)

func (w *words) copies() bool {
	return w.text.Len() < 1<<20 && copyFrom().Match(w.text.Bytes())
}

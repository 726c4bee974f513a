package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
)

// Class says what kind of trouble an error is; cmd maps it to an exit code.
type Class int

// The classes.
const (
	Other        Class = iota
	Unavailable        // not running, starting, full, a standby: try again later or start it
	NotPermitted       // authentication or privilege
	Busy               // a lock or a timeout: trying again helps
	NoDatabase         // the database does not exist
	Refused            // a set-up in which writing is not safe
)

// Error is an error of the conversation with the server. It holds no statement text, since that may hold a secret.
type Error struct {
	Class Class
	Code  string // SQLSTATE (PostgreSQL appendix A), or empty
	// Line and Column say where in the step's text, both from 1; a migration's text is its file. 0: not known.
	Line, Column int
	msg          string
	cause        error // nil where the cause could hold a secret
}

func (e *Error) Error() string { return e.msg }

// Unwrap lets errors.Is see a cancelled context and the like.
func (e *Error) Unwrap() error { return e.cause }

// NewError is an error of a class, for what rooms find in an answer. The message must hold no secret.
func NewError(c Class, msg string) *Error { return &Error{Class: c, msg: msg} }

// ClassOf is the class of err, Other for one that is not ours.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Busy
	}
	return Other
}

// classify maps an SQLSTATE to its class.
func classify(code string) Class {
	switch code {
	case "57P03", "53300", "57P01", "57P02", "08006", "08001", "08004", "25006": // 25006: read-only, a standby
		return Unavailable
	case "28000", "28P01", "42501":
		return NotPermitted
	case "55P03", "57014", "40001", "40P01", "55006", "25P03":
		return Busy
	case "3D000":
		return NoDatabase
	}
	return Other
}

// serverError makes an Error of what the server said. Detail and hint name objects and roles, never statement text.
func serverError(pe *pgconn.PgError) *Error {
	msg := fmt.Sprintf("%s (SQLSTATE %s)", pe.Message, pe.Code)
	if pe.Detail != "" {
		msg += ": " + pe.Detail
	}
	class := classify(pe.Code)
	// Two writers of one catalogue row: PostgreSQL has no code for it, and trying again is right.
	if pe.Code == "XX000" && strings.HasPrefix(pe.Message, "tuple concurrently") {
		class = Busy
	}
	return &Error{Class: class, Code: pe.Code, msg: msg}
}

// at adds where in a statement's text the server found the error; before is what travelled ahead of it.
func at(err error, before, sql string) error {
	var pe *pgconn.PgError
	var e *Error
	if !errors.As(err, &pe) {
		return queryError(err)
	}
	position := int(pe.Position) - utf8.RuneCountInString(before)
	err = queryError(err)
	if position > 0 && errors.As(err, &e) {
		e.Line, e.Column = lineColumn(sql, position)
		e.msg = fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.msg)
	}
	return err
}

// lineColumn turns a position, in characters from 1 as the server counts, into line and column, both from 1.
func lineColumn(text string, position int) (line, column int) {
	line, column = 1, 1
	n := 1
	for _, r := range text {
		if n == position {
			break
		}
		n++
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
	}
	return line, column
}

// queryError classes what a running query returned.
func queryError(err error) error {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return serverError(pe)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &Error{Class: Busy, msg: "gave up waiting for PostgreSQL: " + err.Error(), cause: err}
	}
	return &Error{Class: Unavailable, msg: "the connection to PostgreSQL was lost: " + err.Error()}
}

// connectError classes what connecting returned. pgconn's own error text quotes the connection string with the password
// masked; ours names only the database and the reason.
func connectError(database string, err error) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e
	}
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		e := serverError(pe)
		e.msg = fmt.Sprintf("connect to database %q: %s", database, e.msg)
		switch {
		case e.Code == "28000" || e.Code == "28P01":
			e.msg += "; sessiondbd connects as the administrator of database.url: run it as root, which switches to database.os_user, or give the URL a user that may log in"
		case e.Class == Unavailable:
			e.msg += "; see `systemctl status postgresql`"
		}
		return e
	}
	var ne net.Error
	switch {
	case errors.Is(err, os.ErrNotExist):
		return &Error{Class: Unavailable, msg: "PostgreSQL is not running, or its socket is not where database.url says: " + last(err) + "; start it with `systemctl start postgresql`"}
	case errors.Is(err, os.ErrPermission):
		return &Error{Class: NotPermitted, msg: "its socket may not be opened by this user: " + last(err)}
	case errors.As(err, &ne) && ne.Timeout():
		return &Error{Class: Unavailable, msg: "PostgreSQL does not answer: " + last(err), cause: context.DeadlineExceeded}
	}
	return &Error{Class: Unavailable, msg: "PostgreSQL cannot be reached: " + last(err) + "; see `systemctl status postgresql`"}
}

// last is the innermost message: the outer ones repeat the connection string.
func last(err error) string {
	for {
		if m, ok := err.(interface{ Unwrap() []error }); ok {
			list := m.Unwrap()
			if len(list) == 0 {
				return err.Error()
			}
			err = list[len(list)-1]
			continue
		}
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		if op, ok := err.(*net.OpError); ok {
			return op.Error()
		}
		err = inner
	}
}

// IsNoDatabase says whether err is that of a database that does not exist.
func IsNoDatabase(err error) bool { return ClassOf(err) == NoDatabase }

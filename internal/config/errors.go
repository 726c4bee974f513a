package config

import (
	"fmt"
	"slices"
	"strings"
)

// Error is one mistake in a config file.
type Error struct {
	File    string
	Line    int    // from 1
	Column  int    // from 1; 0 when unknown
	Key     string // path such as roles[0].password.initial; empty when the file as a whole is meant
	Message string // never holds the value of a secret
}

func (e Error) Error() string {
	at := fmt.Sprintf("%s:%d:", e.File, e.Line)
	if e.Column > 0 {
		at += fmt.Sprintf("%d:", e.Column)
	}
	if e.Key != "" {
		at += " " + e.Key + ":"
	}
	return at + " " + e.Message
}

// Errors is every mistake of a file, in the order of its lines.
type Errors []Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find a single mistake.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i := range e {
		errs[i] = e[i]
	}
	return errs
}

func (e Errors) sort() {
	slices.SortStableFunc(e, func(a, b Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}

// nearest is the candidate that word was probably meant to be, or "".
func nearest(word string, candidates []string) string {
	if len(word) > 64 { // nobody mistypes that much, and the distance costs the product of the lengths
		return ""
	}
	word = strings.ReplaceAll(strings.ToLower(word), "-", "_")
	best, least := "", 3
	for _, c := range candidates {
		if d := distance(word, strings.ReplaceAll(c, "-", "_")); d < least && d < len(c)-1 {
			best, least = c, d
		}
	}
	return best
}

// distance is the number of bytes to insert, delete or replace that turn a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

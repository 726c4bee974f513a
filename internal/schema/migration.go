// Package schema brings the session database's objects to what the migrations describe.
package schema

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"sessiondbd/migrations"
)

// Migration is one embedded file.
type Migration struct {
	Number  int
	Name    string   // "session_table"
	SQL     string   // LF line ends
	SHA256  string   // over SQL, in hex
	Creates []string // the objects it makes, as Catalogue.Has spells them
	// Minimum is the number of the oldest migration whose binaries still serve a database that has this one: they look after
	// access and firewall, and leave the schema alone.
	Minimum int
}

// ID is the migration's number and name: "0002_session_table".
func (m Migration) ID() string { return fmt.Sprintf("%04d_%s", m.Number, m.Name) }

// Resource is how plans call the migration.
func (m Migration) Resource() string { return "migration/" + m.ID() }

const digits = "0123456789"

// parseName takes NNNN_name.sql apart.
func parseName(file string) (number int, name string, ok bool) {
	base, ok := strings.CutSuffix(file, ".sql")
	count, name, also := strings.Cut(base, "_")
	if !ok || !also || len(count) != 4 || strings.Trim(count, digits) != "" || name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_"+digits) != "" {
		return 0, "", false
	}
	number, err := strconv.Atoi(count)
	return number, name, err == nil
}

// minimumOf reads a comment of a line of its own: `-- minimum: 3`. Without it older binaries are of no use.
func minimumOf(text string) (minimum int, ok bool) {
	for line := range strings.Lines(text) {
		n, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "-- minimum: ")
		if minimum, err := strconv.Atoi(n); ok && err == nil && strings.Trim(n, digits) == "" {
			return minimum, true
		}
	}
	return 0, false
}

// load reads migrations in order. They must be numbered from 1 without a gap.
func load(files fs.FS) ([]Migration, error) {
	names, err := fs.Glob(files, "*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var list []Migration
	for i, name := range names {
		number, short, ok := parseName(name)
		if !ok {
			return nil, fmt.Errorf("%s: not named NNNN_name.sql", name)
		}
		if number != i+1 {
			return nil, fmt.Errorf("%s: expected number %04d next", name, i+1)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
		sum := sha256.Sum256(text)
		first, _, _ := strings.Cut(string(text), "\n")
		creates, ok := strings.CutPrefix(first, "-- creates: ")
		if !ok {
			return nil, fmt.Errorf("%s:1: must begin with `-- creates: ` and the objects it makes", name)
		}
		minimum, ok := minimumOf(string(text))
		if !ok {
			minimum = number
		}
		if minimum < 1 || minimum > number {
			return nil, fmt.Errorf("%s: minimum %d is not one of the migrations up to it", name, minimum)
		}
		list = append(list, Migration{number, short, string(text), hex.EncodeToString(sum[:]), strings.Split(creates, ", "), minimum})
	}
	return list, nil
}

// Expected is the goal: the migrations and the catalogue that they lead to.
type Expected struct {
	Migrations []Migration
	Catalogue  Catalogue
}

// Embedded is the goal that this binary carries.
func Embedded() (Expected, error) {
	list, err := load(migrations.Files)
	if err != nil {
		return Expected{}, fmt.Errorf("migrations: %w", err)
	}
	e := Expected{Migrations: list}
	if err := json.Unmarshal(migrations.Catalogue, &e.Catalogue); err != nil {
		return Expected{}, fmt.Errorf("migrations/catalogue.json: %w", err)
	}
	return e, nil
}

// Version is the newest migration's number: the schema version.
func (e Expected) Version() int { return len(e.Migrations) }

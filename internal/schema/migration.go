// Package schema brings the session database's objects to what the migrations describe.
package schema

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
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

var fileName = regexp.MustCompile(`^(\d{4})_([a-z0-9_]+)\.sql$`)

// minimumLine is a comment in the head of a file: `-- minimum: 3`. Without it older binaries are of no use.
var minimumLine = regexp.MustCompile(`(?m)^-- minimum: (\d+)$`)

// load reads migrations in order. They must be numbered from 1 without a gap.
func load(files fs.FS) ([]Migration, error) {
	names, err := fs.Glob(files, "*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var list []Migration
	for i, name := range names {
		m := fileName.FindStringSubmatch(name)
		if m == nil {
			return nil, fmt.Errorf("%s: not named NNNN_name.sql", name)
		}
		number, _ := strconv.Atoi(m[1])
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
		minimum := number
		if m := minimumLine.FindSubmatch(text); m != nil {
			minimum, _ = strconv.Atoi(string(m[1]))
		}
		if minimum < 1 || minimum > number {
			return nil, fmt.Errorf("%s: minimum %d is not one of the migrations up to it", name, minimum)
		}
		list = append(list, Migration{number, m[2], string(text), hex.EncodeToString(sum[:]), strings.Split(creates, ", "), minimum})
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

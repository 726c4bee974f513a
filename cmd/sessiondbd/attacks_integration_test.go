//go:build integration

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/role"
)

// closings are the doors of this suite that are no role.Hardening, with the SQL that opens them.
var closings = map[string]string{
	"CREATEROLE":       "ALTER ROLE sessionuser CREATEROLE",
	"CREATEDB":         "ALTER ROLE sessionuser CREATEDB",
	"SUPERUSER":        "ALTER ROLE sessionuser SUPERUSER",
	"REPLICATION":      "ALTER ROLE sessionuser REPLICATION",
	"connection limit": "ALTER ROLE sessionuser CONNECTION LIMIT -1",
	"temp_file_limit":  "ALTER ROLE sessionuser IN DATABASE sessiondb RESET temp_file_limit",
	"pg_hba":           "", // a file
}

// legacyDoors are those that stand open on a host as init-session-schema left it.
func legacyDoors(major int) []string {
	open := []string{
		"always", "owning the database", "TRUNCATE", "TRIGGER", "REFERENCES", "MAINTAIN", "schemas", "temporary tables", "ending sessions",
		"DO", "advisory locks", "large objects", "logical messages", "connection limit", "temp_file_limit",
	}
	if major < 15 {
		open = append(open, "objects in public")
	}
	return open
}

// standardDoors are those that only hardening: strict closes.
func standardDoors() []string {
	open := []string{"always"}
	for _, h := range role.Hardenings {
		if h.Strict {
			open = append(open, h.Name)
		}
	}
	return open
}

func allAttacks() []attack {
	return slices.Concat(tableAttacks, objectAttacks, roleAttacks, serverAttacks, neighbourAttacks)
}

const attackedHBA = `local all postgres peer map=lab
local all all peer
host all all 127.0.0.1/32 scram-sha-256
host sessiondb sessionuser 10.1.0.0/24 scram-sha-256
host sessiondb sessionuser 10.2.0.0/24 scram-sha-256
`

// attacked is a host that init-session-schema set up, under attack.
type attacked struct {
	*site
	major int
	admin *pgconn.PgConn
}

func newAttacked(t *testing.T, major int) *attacked {
	t.Helper()
	bindir := lab.BindirT(t, major)
	a := &attacked{major: major, site: newSite(t, lab.ClusterOptions{Bindir: bindir, HBA: attackedHBA, LegacyRows: true, Settings: map[string]string{"max_connections": "25"}})}
	a.admin = a.dial("sessiondb")
	return a
}

// hardened applies a level of hardening.
func (a *attacked) hardened(level string) {
	a.t.Helper()
	text := fmt.Sprintf(siteConfig, a.connection(), "postgres") + "hardening: " + level + "\n"
	a.configure(strings.Replace(text, "- name: sessionuser\n", "- name: sessionuser\n    connection_limit: 10\n    temp_file_limit: 1MB\n", 1))
	a.apply()
}

// all runs attacks while exactly these doors stand open: each has its effect or is refused, as its doors say.
func (a *attacked) all(when string, list []attack, open ...string) (through int) {
	a.t.Helper()
	for _, x := range list {
		done, err := x.perform(a.site, a.admin)
		switch want := x.opens(a.major, open); {
		case done && !want:
			a.t.Errorf("%d, %s: %s: it succeeds", a.major, when, x.name)
		case !done && want:
			a.t.Errorf("%d, %s: %s: it has no effect: %v", a.major, when, x.name, err)
		case !done && when != "legacy" && when != "superuser":
			x.refusal(a.t, fmt.Sprint(a.major, ", ", when), err)
		}
		if done {
			through++
		}
	}
	return through
}

// open takes one hardening away, and nothing else.
func (a *attacked) open(name string) {
	a.t.Helper()
	if i := slices.IndexFunc(role.Hardenings, func(h role.Hardening) bool { return h.Name == name }); i >= 0 {
		for _, sql := range role.Hardenings[i].Undo("sessiondb", "sessionuser", a.major*10000) {
			a.sql("sessiondb", sql)
		}
		return
	}
	if name == "pg_hba" {
		a.edit("pg_hba.conf", func(text string) string { return "host all sessionuser 10.1.0.0/24 scram-sha-256\n" + text })
		return
	}
	a.sql("sessiondb", closings[name])
}

// doors are the names of all hardenings that sessionuser's attacks are about.
func doors() []string {
	var all []string
	for _, h := range role.Hardenings {
		if h.Name != "connecting by PUBLIC" { // about other roles than sessionuser, whom a VM has no password of
			all = append(all, h.Name)
		}
	}
	for name := range closings {
		if name != "SUPERUSER" { // comes last, for it spoils the host
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// What the attacks are after they get on a host as it was found; then standard refuses all that it says, and strict the
// rest of what can be refused. Each hardening that is taken away lets in its own attacks and no other.
func TestAttacks(t *testing.T) {
	for _, major := range lab.Majors() {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			t.Parallel()
			a := newAttacked(t, major)
			list := allAttacks()
			legacy := a.all("legacy", list, legacyDoors(major)...)
			a.hardened("standard")
			standard := a.all("standard", list, standardDoors()...)
			a.hardened("strict")
			strict := a.all("strict", list, "always")
			t.Logf("PostgreSQL %d: of %d attacks %d succeed on the host as it was found, %d with standard, %d with strict", major, len(list), legacy, standard, strict)
			for i, name := range doors() {
				a.open(name)
				if n := a.all("without "+name, about(list, major, name, i), name); n == 0 && name != "MAINTAIN" {
					t.Errorf("%d: %s is about no attack", major, name)
				}
				a.apply()
				if major < 15 && name == "owning schema public" {
					a.sql("sessiondb", "ALTER SCHEMA public OWNER TO postgres") // as these versions have it
				}
			}
			a.inSync()
			// Whoever may everything gets what each attack is after, so that none is refused because it would not work.
			a.open("SUPERUSER")
			a.all("superuser", list, "SUPERUSER")
		})
	}
}

// about are the attacks to run while the door stands open. All, on one version for each door, and in a long test on each; else
// those that it is about.
func about(list []attack, major int, door string, i int) []attack {
	majors := lab.Majors()
	all := majors[i%len(majors)] == major || os.Getenv("SESSIONDBD_SOAK") != ""
	return slices.DeleteFunc(slices.Clone(list), func(x attack) bool {
		return x.opens(major, []string{"always"}) || !all && !x.opens(major, []string{door})
	})
}

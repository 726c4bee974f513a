// Package role says how the database's roles differ from the declared ones.
package role

import (
	"crypto/rand"
	"fmt"
	"time"
)

// Level is how much of the session table a role may use.
type Level string

// The levels of the contract.
const (
	ReadWrite Level = "readwrite"
	ReadOnly  Level = "readonly"
	None      Level = "none"
)

// Secret is a cleartext password. It prints as "(hidden)" in every format; string(s) gives it away.
type Secret string

const hidden = "(hidden)"

// Format hides the secret from every verb of package fmt.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalJSON hides the secret from JSON.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// Spec is one declared role.
type Spec struct {
	Name            string
	Access          Level
	ConnectionLimit int // -1 is unlimited, as in PostgreSQL
	Defaults        []Default
	Password        Password
}

// Default is a setting that the role's sessions in the database start with.
type Default struct{ Name, Value string }

// Password is what the config says of a role's password, with its sources read already.
type Password struct {
	Managed  bool   // false: somebody else looks after it
	Enforced Secret // what the credential or file holds; empty: neither is there
	Initial  Secret // for a role without any password, while nothing is enforced
	Source   string // of the enforced one, for people: "credential NAME", or an absolute path
}

// Want is what the config declares, and what the diffs need to say how to get there.
type Want struct {
	Database string
	Owner    string // owns database and objects; nobody logs in as it
	Roles    []Spec
	Strict   bool // the config asks for hardening: strict
	// TransactionAge is how old a transaction of a declared role may become; 0: as old as it likes.
	TransactionAge time.Duration
	// Besides says of a database that it is no stranger: a restore fills it or has kept it. nil: none is.
	Besides func(database string) bool
	Cache   *Cache        // remembers comparisons between passes; nil: each is computed anew
	Salt    func() []byte // of new verifiers; nil: 16 random bytes
}

func (w Want) salt() []byte {
	if w.Salt != nil {
		return w.Salt()
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // crashes rather than fail
	return salt
}

// names lists the roles to look at: the declared ones and the owner.
func (w Want) names() []string {
	names := []string{w.Owner}
	for _, s := range w.Roles {
		names = append(names, s.Name)
	}
	return names
}

// declares says whether a role of this name is declared.
func (w Want) declares(name string) bool {
	for _, s := range w.Roles {
		if s.Name == name {
			return true
		}
	}
	return false
}

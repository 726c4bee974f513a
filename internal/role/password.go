package role

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// md5Hash says whether a text looks like a password that was hashed with MD5.
func md5Hash(text string) bool {
	digits, ok := strings.CutPrefix(text, "md5")
	return ok && len(digits) == 32 && strings.Trim(digits, "0123456789abcdef") == ""
}

// CheckPassword says why a password would not work, or nil. The error never holds any of it.
func CheckPassword(password string) error {
	if password == "" {
		return errors.New("is empty: PostgreSQL would take that for no password")
	}
	for i := range len(password) {
		switch c := password[i]; {
		case c == '\n' || c == '\r':
			return fmt.Errorf("byte %d of %d is a line end; write it with `printf %%s`, which adds none", i+1, len(password))
		case c < ' ' || c > '~':
			return fmt.Errorf("byte %d of %d is not printable ASCII: clients and server normalise such characters differently, and the login would fail", i+1, len(password))
		}
	}
	if md5Hash(password) || strings.HasPrefix(password, scramPrefix) {
		return errors.New("looks like a hash or verifier, which PostgreSQL would store as it stands: the password itself is needed")
	}
	return nil
}

// password compares what is stored with what is declared.
func (d *differ) password(r *plan.Resource, s Spec) {
	p, stored := s.Password, d.have.verifier(s.Name)
	if !p.Managed {
		return
	}
	has := func(password Secret) bool {
		return password != "" && stored != "" && d.want.Cache.matches(stored, string(password))
	}
	switch {
	case p.Enforced != "" && !has(p.Enforced):
		d.setPassword(r, s.Name, p.Enforced, plan.Change{
			Have: differs(stored, p.Source), Want: "as in " + p.Source,
			Summary: "whoever holds the new one gets in, open sessions stay; only its SCRAM-SHA-256 verifier travels",
		})
	case p.Enforced == "" && stored == "" && p.Initial != "":
		d.setPassword(r, s.Name, p.Initial, plan.Change{
			Have: "none", Want: "the initial one of the config",
			Summary: "without a password no VM can log in; only its SCRAM-SHA-256 verifier travels",
		})
	case p.Enforced == "" && stored == "":
		r.Warn("it has no password: nobody can log in as "+s.Name+" over the network", newPassword(s))
		return
	}
	inUse := p.Enforced
	if inUse == "" && (stored == "" || has(p.Initial)) {
		inUse = p.Initial
	}
	switch inUse {
	case "":
		return
	case documented:
		r.Warn("the documented initial password is in use: whoever read the documentation can log in from a VM", newPassword(s))
	case p.Initial:
		r.Warn("the initial password of the config is in use: whoever can read the config can log in from a VM", newPassword(s))
	default:
		return
	}
	r.Warnings[len(r.Warnings)-1].Initial = true
}

// documented is the password that session-database.md gives to everybody.
const documented Secret = "sessionpass123"

// differs describes what is stored without showing it.
func differs(stored, source string) string {
	if stored == "" {
		return "none"
	}
	if _, ok := parseScram(stored); !ok {
		return "no SCRAM-SHA-256 verifier"
	}
	return "differs from " + source
}

// setPassword adds the change to a password that PostgreSQL and its clients agree on.
func (d *differ) setPassword(r *plan.Resource, role string, password Secret, c plan.Change) {
	err := CheckPassword(string(password))
	var v scram
	if err == nil {
		v, err = derive(string(password), d.want.salt(), iterations)
	}
	if err != nil {
		r.Refuse("its password, "+c.Want+", "+err.Error(), "write another one there, then: sudo systemctl restart sessiondbd")
		return
	}
	r.Add(plan.Update, "password", c.Have, c.Want, c.Summary, store(role, v.text()))
}

// store writes a verifier and reads it back before it is in force: what PostgreSQL does not take for a verifier it hashes
// as if it were the password. The comparison needs only a hash of it.
func store(role, verifier string) postgres.SQL {
	const other = "PostgreSQL stored something else than the verifier that it was sent, and the change was taken back: see what shared_preload_libraries loads"
	check := fmt.Sprintf("BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_authid WHERE rolname = %s AND encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex') = '%x')"+
		" THEN RAISE EXCEPTION '%s'; END IF; END", postgres.QuoteLiteral(role), sha256.Sum256([]byte(verifier)), other)
	s := access("ALTER ROLE "+postgres.QuoteIdent(role)+" PASSWORD "+postgres.QuoteLiteral(verifier), "DO "+postgres.QuoteLiteral(check))
	s.Secret, s.Label = true, "set the password of "+role
	return s
}

// newPassword is how to give a role another password, by where it is looked for.
func newPassword(s Spec) string {
	const from = "printf %s 'NEW PASSWORD' | sudo install -m 0400 "
	if path := strings.TrimPrefix(s.Password.Source, "file "); strings.HasPrefix(path, "/") {
		return from + "-o postgres /dev/stdin " + shell(path) + " && sudo systemctl reload sessiondbd"
	}
	credential, ok := strings.CutPrefix(s.Password.Source, "credential ")
	if !ok {
		credential = s.Name + ".password"
	}
	remedy := from + "/dev/stdin /etc/credstore/" + shell(credential) + " && sudo systemctl restart sessiondbd"
	if !ok {
		remedy += "\nwith `credential: " + credential + "` below the role's `password:` in /etc/sessiondbd/config.yaml"
	}
	return remedy
}

package role

// PasswordState says what is stored as a role's password, in words that give nothing of it away.
type PasswordState string

// The states of a password.
const (
	PasswordNone       PasswordState = "none"
	PasswordForeign    PasswordState = "no SCRAM-SHA-256 verifier"
	PasswordEnforced   PasswordState = "the configured one"
	PasswordDiffers    PasswordState = "another than the configured one"
	PasswordDocumented PasswordState = "the documented initial one"
	PasswordInitial    PasswordState = "the config's initial one"
	PasswordUnknown    PasswordState = "one that somebody set"
)

// PasswordState compares what is stored with what the config knows, by recomputing the verifier.
func (w Want) PasswordState(o Observation, name string) PasswordState {
	stored := o.verifier(name)
	var p Password
	for _, s := range w.Roles {
		if s.Name == name {
			p = s.Password
		}
	}
	_, scram := parseScram(stored)
	has := func(s Secret) bool { return s != "" && w.Cache.matches(stored, string(s)) }
	switch {
	case stored == "":
		return PasswordNone
	case !scram:
		return PasswordForeign
	case has(p.Enforced):
		return PasswordEnforced
	case p.Enforced != "":
		return PasswordDiffers
	case has(documented):
		return PasswordDocumented
	case has(p.Initial):
		return PasswordInitial
	}
	return PasswordUnknown
}

// Find is the role of that name as it is.
func (o Observation) Find(name string) (Role, bool) { return o.find(name) }

// Holds says whether a password is the one that is stored.
func (w Want) Holds(o Observation, name string, password Secret) bool {
	stored := o.verifier(name)
	return stored != "" && password != "" && w.Cache.matches(stored, string(password))
}

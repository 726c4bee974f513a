package config

import (
	"fmt"
	"strings"
)

// hidden stands for a secret wherever one would be printed. It is refused as a value, so that the output of
// "config show" that is saved as a config does not become the password.
const hidden = "(hidden)"

// Secret is a string that prints as "(hidden)" in every format; only Reveal gives it away.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

func (Secret) String() string { return hidden }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return hidden }

// Format hides the secret from every other verb of package fmt.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalText hides the secret from text encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON hides the secret from JSON.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalYAML hides the secret from YAML.
func (Secret) MarshalYAML() (any, error) { return hidden, nil }

// ConnString is a libpq connection string. It prints without the passwords that it may hold; only Reveal gives all of it.
type ConnString string

// Reveal returns the connection string with its passwords.
func (c ConnString) Reveal() string { return string(c) }

var (
	// Greedy up to the last @: a password with unescaped delimiters is hidden as a whole, at the price of hiding too much
	// when a later part holds an @.
	urlUserinfo = lazy(`(?is)^(postgres(?:ql)?://[^/?#@:]*:).*@`)
	urlQuery    = lazy(`(?is)([?&](?:ssl)?password=)[^&]*`)
	// One keyword = value of libpq's other form; matching all of them keeps quoted values from being looked into.
	keywordValue = lazy(`(?s)([A-Za-z_]+\s*=\s*)('(?:[^'\\]|\\.)*'?|(?:\\.|[^\s\\])*\\?)`)
	urlScheme    = lazy(`(?i)^postgres(?:ql)?://`)
)

func (c ConnString) String() string {
	s := string(c)
	if urlScheme().MatchString(s) {
		s = urlUserinfo().ReplaceAllString(s, "${1}"+hidden+"@")
		return urlQuery().ReplaceAllString(s, "${1}"+hidden)
	}
	return keywordValue().ReplaceAllStringFunc(s, func(pair string) string {
		m := keywordValue().FindStringSubmatch(pair)
		switch strings.ToLower(strings.TrimRight(m[1], "= \t\r\n\v\f")) {
		case "password", "sslpassword":
			return m[1] + hidden
		}
		return pair
	})
}

// Format hides the passwords from every verb of package fmt.
func (c ConnString) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), c.String())
}

// MarshalText hides the passwords from text, JSON and other encoders.
func (c ConnString) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// MarshalYAML hides the passwords from YAML.
func (c ConnString) MarshalYAML() (any, error) { return c.String(), nil }

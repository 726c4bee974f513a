package operate

import (
	"context"

	"sessiondbd/internal/postgres"
)

// locale is how text is sorted and classified in the database in service, as options for the fresh one: the order of what
// applications list is to be the same. One of another encoding would not do; nor does one that does not exist.
func (b Beside) locale(ctx context.Context, c *postgres.Conn) (string, error) {
	var got []struct {
		Collate  string `json:"collate"`
		Ctype    string `json:"ctype"`
		Provider string `json:"provider"`
		Locale   string `json:"locale"`
		Rules    string `json:"rules"`
	}
	// By name, since the columns differ: 15 has the provider, 16 rules, 17 another name for the provider's locale.
	q := postgres.Query{Name: "the locale", Args: []string{b.Live}, Into: &got, SQL: `SELECT d.datcollate AS collate, d.datctype AS ctype, coalesce(j->>'datlocprovider', 'c') AS provider,
		coalesce(j->>'datlocale', j->>'daticulocale', '') AS locale, coalesce(j->>'daticurules', '') AS rules FROM pg_catalog.pg_database d, pg_catalog.to_jsonb(d) j
		WHERE d.datname = $1 AND (pg_catalog.pg_encoding_to_char(d.encoding) = 'UTF8' OR d.datcollate IN ('C', 'POSIX') AND d.datctype IN ('C', 'POSIX'))`}
	if err := c.Ask(ctx, []postgres.Query{q}); err != nil || len(got) == 0 {
		return "", err
	}
	l := got[0]
	options := " LC_COLLATE " + postgres.QuoteLiteral(l.Collate) + " LC_CTYPE " + postgres.QuoteLiteral(l.Ctype)
	switch {
	case c.Version() < 150000: // there is no other provider
	case l.Locale == "":
		options += " LOCALE_PROVIDER libc"
	case l.Provider == "i":
		options += " LOCALE_PROVIDER icu ICU_LOCALE " + postgres.QuoteLiteral(l.Locale)
		if l.Rules != "" {
			options += " ICU_RULES " + postgres.QuoteLiteral(l.Rules)
		}
	case l.Provider == "b":
		options += " LOCALE_PROVIDER builtin BUILTIN_LOCALE " + postgres.QuoteLiteral(l.Locale)
	}
	return options, nil
}

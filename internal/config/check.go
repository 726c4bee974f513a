package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// maxIdentifier is PostgreSQL's NAMEDATALEN less one, in bytes; longer names are cut off silently.
const maxIdentifier = 63

var (
	identifierLike = lazy(`^[a-z_][a-z0-9_$-]*$`)
	userLike       = lazy(`^[A-Za-z_][A-Za-z0-9_.-]{0,30}[A-Za-z0-9_.$-]?$`)
	credentialLike = lazy(`^[A-Za-z0-9_.@:-]{1,255}$`)
	networkLike    = lazy(`^[a-z0-9][a-z0-9-]{0,31}$`)
	control        = lazy(`\p{Cc}`)
	printableASCII = lazy(`^[ -~]+$`)
	verifierLike   = lazy(`^(md5[0-9a-f]{32}|SCRAM-SHA-256\$.*)$`)
)

func identifier(s string) error {
	switch {
	case s == "":
		return errors.New("must not be empty")
	case len(s) > maxIdentifier:
		return fmt.Errorf("must be at most %d bytes, not %d; PostgreSQL would cut it off", maxIdentifier, len(s))
	case !identifierLike().MatchString(s):
		return fmt.Errorf("must start with a-z or _ and continue with a-z, 0-9, _, $ or -, not %s", clip(s))
	}
	return nil
}

func databaseName(s string) (string, error) {
	switch s {
	case "postgres", "template0", "template1":
		return "", fmt.Errorf("%s belongs to PostgreSQL; name a database of your own", s)
	case "all", "sameuser", "samerole", "samegroup", "replication":
		return "", fmt.Errorf("%s has a meaning of its own in pg_hba.conf; choose another name", s)
	}
	return s, identifier(s)
}

func roleName(s string) (string, error) {
	switch {
	case s == "postgres":
		return "", errors.New("postgres is the administrator's role; name one for the application")
	case s == OwnerRole:
		return "", fmt.Errorf("%s owns the database and must not log in; choose another name", s)
	case s == "public", s == "none", s == "all":
		return "", fmt.Errorf("%s has a meaning of its own in PostgreSQL; choose another name", s)
	case strings.HasPrefix(s, "pg_"):
		return "", errors.New("must not start with pg_, which PostgreSQL keeps for its own roles")
	}
	return s, identifier(s)
}

func osUser(s string) (string, error) {
	if !userLike().MatchString(s) {
		return "", fmt.Errorf("must be the name of a system user, not %s", clip(s))
	}
	return s, nil
}

// connString checks only what tells a connection string from something else: the postgres room parses it. Its value may
// hold a password, so no message repeats it.
func connString(s string) (ConnString, error) {
	switch {
	case s == "":
		return "", errors.New("must not be empty")
	case control().MatchString(s):
		return "", errors.New("must not hold control characters or line breaks")
	case strings.Contains(s, hidden):
		return "", fmt.Errorf("holds %s, which config show prints in place of a password; put the password back", hidden)
	case !urlScheme().MatchString(s) && !strings.Contains(s, "="):
		return "", errors.New("must be a URL (postgres://…) or keywords with values (host=… dbname=…)")
	}
	return ConnString(s), nil
}

// credentialName follows systemd's credential_name_valid: a file name. No message repeats it, for somebody may have put
// the password itself there.
func credentialName(s string) (string, error) {
	switch {
	case strings.Contains(s, "/"):
		return "", errors.New("must be the name of a credential without a slash; a path belongs into file")
	case !credentialLike().MatchString(s), s == ".", s == "..":
		return "", errors.New("must be the name of a credential: letters, digits, and any of : . _ - @")
	}
	return s, nil
}

// pathFrom resolves paths that are relative to the config file. No message repeats a path, as above.
func pathFrom(configFile string) func(string) (string, error) {
	return func(s string) (string, error) {
		switch {
		case s == "":
			return "", errors.New("must not be empty")
		case control().MatchString(s):
			return "", errors.New("must not hold control characters or line breaks")
		case strings.HasSuffix(s, "/"):
			return "", errors.New("must be a file, not a folder")
		case filepath.IsAbs(s):
			return filepath.Clean(s), nil
		}
		return filepath.Abs(filepath.Join(filepath.Dir(configFile), s))
	}
}

// initialPassword refuses what PostgreSQL or a client would read differently from what was written.
func initialPassword(s string) (Secret, error) {
	switch {
	case s == "":
		return "", errors.New("must not be empty; PostgreSQL refuses every login with an empty password")
	case s == hidden:
		return "", fmt.Errorf("is %s, which config show prints in place of the password; put the password back", hidden)
	case !printableASCII().MatchString(s):
		return "", errors.New("must be printable ASCII; clients normalise other characters differently")
	case verifierLike().MatchString(s):
		return "", errors.New("must be the password itself, not its md5 or SCRAM verifier")
	}
	return Secret(s), nil
}

func networkName(s string) (string, error) {
	if !networkLike().MatchString(s) {
		return "", fmt.Errorf("must be 1 to 32 of a-z, 0-9 and -, not starting with -, not %s", clip(s))
	}
	return s, nil
}

func interval(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return 0, fmt.Errorf("must be a duration with its unit, such as 10s or 1m30s, not %s", clip(s))
	case d < time.Second || d > time.Hour:
		return 0, fmt.Errorf("must be from 1s to 1h, not %s", clip(s))
	}
	return d, nil
}

// transactionAge starts at a minute: below, the daemon would cut into honest work, and looks too seldom to be that exact.
func transactionAge(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return 0, fmt.Errorf("must be a duration with its unit, such as 15m or 1h30m, or 0 for never, not %s", clip(s))
	case d != 0 && (d < time.Minute || d > 720*time.Hour):
		return 0, fmt.Errorf("must be from 1m to 720h, or 0 for never, not %s", clip(s))
	}
	return d, nil
}

// oneOf accepts exactly the values of an enumeration.
func oneOf[T ~string](allowed ...T) func(string) (T, error) {
	return func(s string) (T, error) {
		words := make([]string, len(allowed))
		for i, a := range allowed {
			if words[i] = string(a); s == words[i] {
				return a, nil
			}
		}
		return "", fmt.Errorf("must be %s, not %s", enumerate(words, "or"), clip(s))
	}
}

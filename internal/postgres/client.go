package postgres

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ClientEnv is the environment in which a program of PostgreSQL connects to a database as we do (manual, 34.15). The password
// is in it, if there is one: a process's environment is for its user and root to read, its arguments are for everybody.
func (t Target) ClientEnv(database string) []string {
	cfg := t.maintenance
	hosts, ports := []string{cfg.Host}, []string{strconv.Itoa(int(cfg.Port))}
	for _, f := range cfg.Fallbacks {
		if last := len(hosts) - 1; hosts[last] == f.Host && ports[last] == strconv.Itoa(int(f.Port)) {
			continue // the same one, without TLS
		}
		hosts, ports = append(hosts, f.Host), append(ports, strconv.Itoa(int(f.Port)))
	}
	env := []string{
		"PGHOST=" + strings.Join(hosts, ","), "PGPORT=" + strings.Join(ports, ","), "PGUSER=" + cfg.User, "PGDATABASE=" + database,
		"PGAPPNAME=" + ApplicationName, "PGCONNECT_TIMEOUT=" + strconv.Itoa(int(connectTimeout.Seconds())),
		"PGOPTIONS=-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0",
	}
	if cfg.Password != "" {
		env = append(env, "PGPASSWORD="+cfg.Password)
	}
	return append(env, t.tls...)
}

// tlsKeywords are those of a connection string that say how TLS is used, with their variables.
var tlsKeywords = map[string]string{
	"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY", "sslsni": "PGSSLSNI",
	"sslnegotiation": "PGSSLNEGOTIATION", "channel_binding": "PGCHANNELBINDING", "target_session_attrs": "PGTARGETSESSIONATTRS",
}

// tlsEnv finds them: pgconn keeps what it made of them, and not the words.
func tlsEnv(connection string) []string {
	var env []string
	add := func(key, value string) {
		if name := tlsKeywords[key]; name != "" && value != "" {
			env = append(env, name+"="+value)
		}
	}
	if u, err := url.Parse(connection); err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") {
		for key, values := range u.Query() {
			add(key, values[len(values)-1])
		}
		slices.Sort(env)
		return env
	}
	for rest := strings.TrimSpace(connection); rest != ""; {
		key, after, found := strings.Cut(rest, "=")
		if !found {
			break
		}
		var value string
		value, rest = keywordValue(strings.TrimLeft(after, " \t\n"))
		add(strings.TrimSpace(key), value)
	}
	return env
}

// keywordValue reads a value of the keyword form, quoted or not (manual, 34.1.1.1).
func keywordValue(s string) (value, rest string) {
	quoted := strings.HasPrefix(s, "'")
	var b strings.Builder
	i := 0
	if quoted {
		i = 1
	}
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
			continue
		case quoted && c == '\'', !quoted && strings.IndexByte(" \t\n", c) >= 0:
			return b.String(), strings.TrimSpace(s[i+1:])
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

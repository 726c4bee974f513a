package operate

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Formats are what connect-info can print, psql first: it is the default.
var Formats = []string{"psql", "url", "env", "psycopg2", "node", "go"}

// Placeholder stands for a password that is not shown.
const Placeholder = "PASSWORD"

// Client is what a program in a VM needs to connect.
type Client struct {
	Host           netip.Addr
	Port           int
	Database, User string
	Password       string // empty: not to be shown, or not known
	TLS            bool   // the server offers it
}

// Snippet is what to put into the VM, ending in a newline. Passwords are printable ASCII, so that quoting is all they need.
// Format is one of Formats.
func (c Client) Snippet(format string) string {
	switch format {
	case "url":
		return c.url() + "\n"
	case "env":
		return c.env()
	case "psycopg2":
		return c.program(psycopg2)
	case "node":
		return c.program(node)
	case "go":
		return c.program(goPgx)
	}
	return c.psql()
}

func (c Client) password() string {
	if c.Password == "" {
		return Placeholder
	}
	return c.Password
}

// url is a connection URI (PostgreSQL manual, 34.1.1.2), safe to paste into a shell: nothing but the unreserved characters
// of RFC 3986 stands for itself.
func (c Client) url() string {
	host := c.Host.String()
	if c.Host.Is6() {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("postgres://%s:%s@%s:%d/%s", percent(c.User), percent(c.password()), host, c.Port, percent(c.Database))
}

// psql asks for a password that is not given.
func (c Client) psql() string {
	password := ""
	if c.Password != "" {
		password = "PGPASSWORD=" + shell(c.Password) + " "
	}
	return fmt.Sprintf("%spsql -h %s -p %d -U %s -d %s\n", password, c.Host, c.Port, shell(c.User), shell(c.Database))
}

// env is the environment of libpq, and of most other drivers. Shells, also one that somebody types into, and systemd's EnvironmentFile read
// it alike.
func (c Client) env() string {
	var b strings.Builder
	for _, v := range [][2]string{
		{"PGHOST", c.Host.String()}, {"PGPORT", strconv.Itoa(c.Port)}, {"PGDATABASE", c.Database}, {"PGUSER", c.User}, {"PGPASSWORD", c.password()},
	} {
		fmt.Fprintf(&b, "%s=%s\n", v[0], quoted(v[1]))
	}
	return b.String()
}

const psycopg2 = `import psycopg2

conn = psycopg2.connect(
    host=@HOST@,
    port=@PORT@,
    dbname=@DATABASE@,
    user=@USER@,
    password=@PASSWORD@,
)
with conn, conn.cursor() as cur:
    cur.execute("SELECT count(*) FROM session")
    print(cur.fetchone()[0])
`

const node = `const { Pool } = require("pg");

const pool = new Pool({
  host: @HOST@,
  port: @PORT@,
  database: @DATABASE@,
  user: @USER@,
  password: @PASSWORD@,
@TLS@});

pool
  .query("SELECT count(*) FROM session")
  .then((result) => console.log(result.rows[0].count))
  .finally(() => pool.end());
`

// nodeTLS is needed there alone: libpq and pgx take TLS by themselves where the server offers it.
const nodeTLS = `  ssl: { rejectUnauthorized: false }, // encrypts; { ca: … } checks the server, too
`

const goPgx = `package main

import (
	"context"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5"
)

func main() {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, @URL@)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close(ctx)
	var n int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM session").Scan(&n); err != nil {
		log.Fatal(err)
	}
	fmt.Println(n)
}
`

func (c Client) program(template string) string {
	tls := ""
	if c.TLS {
		tls = nodeTLS
	}
	return strings.NewReplacer("@HOST@", literal(c.Host.String()), "@PORT@", strconv.Itoa(c.Port), "@DATABASE@", literal(c.Database),
		"@USER@", literal(c.User), "@PASSWORD@", literal(c.password()), "@URL@", literal(c.url()), "@TLS@", tls).Replace(template)
}

// literal is a string of Python, JavaScript and Go alike, of printable ASCII.
func literal(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// quoted is a word of the shell (POSIX, 2.2.2 and 2.2.3) and a value of an EnvironmentFile (systemd.exec(5)). Between single quotes
// everything is itself, for a shell's history, too; but they cannot hold one of their own.
func quoted(s string) string {
	if !strings.Contains(s, "'") {
		return "'" + s + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(s) + `"`
}

// shell is one word of a command line.
func shell(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !unreserved(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; unreserved(rune(c)) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// unreserved are the characters that mean themselves everywhere (RFC 3986, 2.3), but for ~, a home folder to a shell.
func unreserved(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._", r)
}

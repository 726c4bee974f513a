//go:build integration

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sys/unix"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/postgres"
)

// shape is a pg_hba.conf. Since is the first version that reads it; sample marks those that every version is asked about.
type shape struct {
	name, text string
	since      int
	sample     bool
	doubtful   bool // some of it cannot be judged from here, and FirstMatch has to say so
}

var shapes = []shape{
	{name: "empty", text: "# nothing\n"},
	{name: "Debian", text: "local all postgres peer\nlocal all all peer\nhost all all 127.0.0.1/32 scram-sha-256\nhost all all ::1/128 scram-sha-256\nlocal replication all peer\nhost replication all 127.0.0.1/32 scram-sha-256\n", sample: true},
	{name: "init-session-schema", text: "local all all peer\nhost all all 127.0.0.1/32 scram-sha-256\nhost sessiondb sessionuser 10.1.0.0/24 scram-sha-256\nhost sessiondb sessionuser 10.2.0.0/24 scram-sha-256\n"},
	{name: "our block alone", text: wantBlock, sample: true},
	{name: "CRLF, no newline at the end", text: "host all other all reject\r\n# x\r\nhost sessiondb all 10.1.0.0/24 trust\r\nlocal all all trust", sample: true},
	{name: "masks in columns", text: "host all all 10.1.0.128 255.255.255.128 trust\nhost all other 10.0.0.0 255.0.0.0 reject\nhost all all fd00:1:: ffff:ffff:: trust\nhost all all 10.9.0.1 255.0.0.255 trust\n", sample: true},
	{name: "host bits set", text: "host all all 10.1.0.77/24 trust\n"},
	{name: "quoted keywords", text: `host "all" all 10.0.0.0/8 trust` + "\n" + `local "sameuser" "all" trust` + "\nhost \"replication\",\"samerole\" all all trust\n" + `host all "+grp" all trust` + "\nhost all all all reject\n", sample: true},
	{name: "quoted and bare", text: `host "all",sessiondb "other","all",sessionuser all trust` + "\n" + `host sess"iondb" other all reject` + "\nhost a\"ll\" postgres all trust\n"},
	{name: "sameuser", text: "host sameuser all all trust\nlocal sameuser other trust\nhost all all all reject\n"},
	{name: "samerole", text: "host samerole all all trust\nlocal samegroup all trust\nhost all postgres 10.0.0.0/8 trust\n", sample: true},
	{name: "groups", text: "host all +grp 10.1.0.0/24 reject\nlocal all +outer,other trust\nhost sessiondb +nobody,sessionuser all trust\nhost all +member all trust\nhost all +postgres 10.9.0.0/24 trust\n", sample: true},
	{name: "replication", text: "host replication all 10.0.0.0/8 trust\nlocal replication,sessiondb postgres trust\nhost all,replication other ::/0 reject\nhost all all all trust\n", sample: true},
	{name: "lists with spaces", text: "host  sessiondb, other   sessionuser,  other  all\ttrust\nhost all all all reject\n"},
	{name: "a list in a file", text: "host @databases.txt @roles.txt all trust\nhost all postgres 10.1.0.0/24 trust\n", sample: true},
	{name: "continued line", text: "host sessiondb,\\\nother \\\n  \"all\",other \\\n 10.0.0.0/8 trust\nlocal all all reject\n", sample: true},
	{name: "TLS only", text: "hostssl all all all trust\nhostnossl all other 10.1.0.0/24 trust\nhostnossl sessiondb all all reject\n"},
	{name: "hostgssenc", text: "hostgssenc all all all trust\nhostnogssenc sessiondb all 10.0.0.0/8 trust\n"},
	{name: "IPv6 only", text: "host all all ::/0 trust\n"},
	{name: "IPv4 only, from 0", text: "host all all 0.0.0.0/0 trust\n"},
	{name: "the first decides", text: "host all all 10.1.0.200/32 reject\nhost all other 10.1.0.0/24 reject\nhost sessiondb all 10.1.0.0/24 trust\nhost sessiondb all 10.1.0.0/24 reject\nhost all all 10.0.0.0/8 trust\n"},
	{name: "upper case", text: "host SESSIONDB all all trust\nhost all Other,sessionuser all trust\n"},
	{name: "samehost, samenet", text: "host sessiondb all samehost trust\nhost all other samenet reject\nhost all all all trust\n", doubtful: true},
	{name: "a host name", text: "host sessiondb all localhost trust\nhost all other 10.1.0.0/24 reject\n", doubtful: true},
	{name: "expressions", text: "host \"/^session\" all all trust\nhost all /^oth all reject\nhost all all 10.0.0.0/8 trust\n", since: 16, doubtful: true, sample: true},
	{name: "includes", text: "include first.conf\ninclude_if_exists missing.conf\ninclude_dir more.d\nhost all all all reject\n", since: 16, sample: true},
}

// beside the file: what the shapes take in.
var included = map[string]string{
	"databases.txt": "sessiondb,\nother\n", "roles.txt": "other sessionuser\n+grp\n",
	"first.conf": "host sessiondb sessionuser 10.1.0.0/24 trust\nhost all other 10.9.0.0/24 trust\n", "more.d/a.conf": "local all other trust\nhost grp +grp all trust\n",
}

// What FirstMatch says of a login is what comes of it: every role into every database from every address, whatever the
// file looks like. A doubt has to hold the truth. And with our block before it no file lets our role in from elsewhere.
func TestDoorMatrix(t *testing.T) {
	for _, major := range []int{15, 14, 16, 17, 18} {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			h := newHostOn(t, lab.ClusterOptions{Bindir: lab.BindirT(t, major), Settings: map[string]string{"listen_addresses": "*"}})
			h.must(h.ns.IP(t.Context(), "addr add 10.1.0.200/24 dev lo", "addr add fd00:1::1/64 dev lo nodad"))
			_, err := h.PSQL(t.Context(), "postgres", `CREATE ROLE lab SUPERUSER LOGIN; ALTER ROLE postgres PASSWORD 'x'; CREATE ROLE grp; CREATE ROLE "outer" LOGIN PASSWORD 'x';
				CREATE ROLE member LOGIN PASSWORD 'x' IN ROLE grp; GRANT grp TO "outer"; GRANT "outer" TO other; CREATE DATABASE other; CREATE DATABASE "all"; CREATE DATABASE grp`)
			h.must(err)
			h.target, err = postgres.NewTarget(h.URLAs("lab", "postgres"), "sessiondb")
			h.must(err)
			h.files.Connect = h.target.ConnectMaintenance
			h.must(os.Mkdir(filepath.Join(filepath.Dir(h.hba), "more.d"), 0o755))
			h.own(filepath.Join(filepath.Dir(h.hba), "more.d"))
			for name, text := range included {
				h.write(filepath.Join(filepath.Dir(h.hba), name), text)
			}
			tried := 0
			for _, s := range shapes {
				if major >= s.since && (major == 15 || s.sample) {
					tried += h.try(s, []string{"sessionuser", "other", "member", "postgres"})
					s.name, s.text = s.name+", after our block", wantBlock+s.text
					tried += h.try(s, []string{"sessionuser"})
				}
			}
			t.Logf("%d logins", tried)
		})
	}
}

// try compares one file's verdicts with what happens, and says how many logins it was.
func (h *host) try(s shape, roles []string) int {
	h.t.Helper()
	h.write(h.hba, "local postgres lab trust\n"+s.text) // for us to look
	h.reload()
	o := h.observe()
	rules := o.rules()
	tried, doubts := 0, 0
	for _, role := range roles {
		for _, db := range []string{"sessiondb", "other", "all", "grp", ""} {
			for _, from := range []string{"", "127.0.0.1", "::1", "10.1.0.1", "10.1.0.200", "10.9.0.1", "fd00:1::1"} {
				l := Login{Role: role, Database: db, Replication: db == "", Groups: o.groups(role)}
				if from != "" {
					l.From = netip.MustParseAddr(from)
				}
				hit, unsure := FirstMatch(rules, l)
				may := []string{outcome(hit)}
				for _, u := range unsure {
					may = append(may, outcome(&u))
				}
				if got := h.knock(l); !slices.Contains(may, got) {
					h.t.Errorf("%s: %s to %q from %q: FirstMatch says %v, the server %q", s.name, role, db, from, may, got)
				} else if ours := role == "sessionuser" && strings.HasPrefix(s.text, wantBlock); ours && (got == "in") != (db == "sessiondb" && strings.HasPrefix(from, "10.1.")) {
					h.t.Errorf("%s: sessionuser to %q from %q: %s", s.name, db, from, got)
				}
				tried++
				doubts += len(unsure)
			}
		}
	}
	if (doubts > 0) != s.doubtful && len(roles) > 1 {
		h.t.Errorf("%s: %d doubts", s.name, doubts)
	}
	return tried
}

// outcome is what a rule does to somebody with the password.
func outcome(r *Rule) string {
	switch {
	case r == nil:
		return "no entry"
	case r.Method == "reject":
		return "rejected"
	}
	return "in"
}

// knock tries the login for real; somebody who fails only after the door counts as in.
func (h *host) knock(l Login) string {
	h.t.Helper()
	host := h.Socket
	if l.From.IsValid() {
		host = l.From.String()
	}
	cfg, err := pgconn.ParseConfig(fmt.Sprintf("host=%s port=5432 user=%s dbname='%s' password=x sslmode=disable connect_timeout=10", host, l.Role, l.Database))
	h.must(err)
	if l.Replication {
		cfg.RuntimeParams["replication"] = "true"
	}
	if l.From.IsValid() {
		cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialIn(ctx, "/run/netns/"+h.ns.Name, network, address)
		}
	}
	c, err := pgconn.ConnectConfig(h.t.Context(), cfg)
	if err == nil {
		h.must(c.Close(h.t.Context()))
		return "in"
	}
	var refused *pgconn.PgError
	switch {
	case !errors.As(err, &refused):
		h.t.Fatalf("%+v: %v", l, err)
	case strings.HasPrefix(refused.Message, "pg_hba.conf rejects"):
		return "rejected"
	case strings.HasPrefix(refused.Message, "no pg_hba.conf entry"):
		return "no entry"
	case strings.HasPrefix(refused.Message, "Peer authentication failed"), refused.Code == "42501": // not allowed to replicate
		return "in"
	}
	return refused.Message
}

// dialIn connects inside a network namespace, on a thread that ends with it, from the address itself.
func dialIn(ctx context.Context, namespace, network, address string) (net.Conn, error) {
	type result struct {
		c   net.Conn
		err error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // never unlocked
		to, err := netip.ParseAddrPort(address)
		ns, nerr := os.Open(namespace)
		if nerr == nil {
			nerr = errors.Join(unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET), ns.Close())
		}
		if err = errors.Join(err, nerr); err != nil {
			done <- result{nil, err}
			return
		}
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: to.Addr().AsSlice()}}
		c, err := d.DialContext(ctx, network, address)
		done <- result{c, err}
	}()
	r := <-done
	return r.c, r.err
}

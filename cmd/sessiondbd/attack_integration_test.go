//go:build integration

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"golang.org/x/sys/unix"

	"sessiondbd/internal/lab"
)

// attack is what whoever owns a VM may try with the password of sessionuser.
type attack struct {
	name   string   // as security.md calls it
	scene  string   // SQL of the administrator beforehand; FOLDER in it, and below, is one that PostgreSQL may write to
	steps  []string // SQL of the attacker, in one session
	try    func(*scene) error
	proof  string // SQL of the attacker at the end of that session: t once the effect is there
	effect string // SQL of the administrator meanwhile, to the same end
	undo   string // SQL of the administrator that takes the effect away

	// doors are those of which each lets it in when it alone stands open: hardenings by their names, those of this suite, and
	// always. One that is a door from a version on is NAME@VERSION, one that was until then NAME<VERSION.
	doors []string
	code  string // the SQLSTATE of the refusal; empty: insufficient_privilege, silent: there is none
	never string // why not even a superuser gets what it is after; empty: he does
	bound string // what bounds it where it is not refused, in a word that security.md has in its line
}

// scene is one attack at work.
type scene struct {
	site   *site
	admin  *pgconn.PgConn
	vm     *pgconn.PgConn // the attacker
	victim *pgconn.PgConn // of another VM, asleep in a query; it logs in as the same role
	held   []*pgconn.PgConn
}

// silent is the code of what is refused without an error.
const silent = "silent"

// inside dials within a network namespace. The thread that enters it never comes back to the others.
func inside(n *lab.Namespace) pgconn.DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		type answer struct {
			conn net.Conn
			err  error
		}
		done := make(chan answer)
		go func() { // ends with the dial, and its thread with it
			runtime.LockOSThread()
			var a answer
			f, err := os.Open("/run/netns/" + n.Name)
			if err == nil {
				err = errors.Join(unix.Setns(int(f.Fd()), unix.CLONE_NEWNET), f.Close())
			}
			if a.err = err; err == nil {
				a.conn, a.err = (&net.Dialer{}).DialContext(ctx, network, addr)
			}
			done <- a
		}()
		a := <-done
		return a.conn, a.err
	}
}

// login connects as sessionuser over TCP with SCRAM, from an address of VM n's network.
func (s *site) login(n int, database, parameters string) (*pgconn.PgConn, error) {
	cfg, err := pgconn.ParseConfig(fmt.Sprintf("postgres://sessionuser:%s@10.%d.0.1:5432/%s?sslmode=disable%s", documentedPassword, n, database, parameters))
	if err != nil {
		return nil, err
	}
	cfg.DialFunc = inside(s.ns)
	return pgconn.ConnectConfig(s.t.Context(), cfg)
}

// ask returns the last value that SQL yields.
func ask(conn *pgconn.PgConn, sql string) (string, error) {
	results, err := conn.Exec(context.Background(), sql).ReadAll()
	if err != nil || len(results) == 0 {
		return "", err
	}
	if last := results[len(results)-1]; len(last.Rows) > 0 && len(last.Rows[0]) > 0 {
		return string(last.Rows[0][0]), nil
	}
	return "", nil
}

// perform runs an attack and says whether it had its effect, and what was said to the attacker.
func (a attack) perform(s *site, admin *pgconn.PgConn) (bool, error) {
	s.t.Helper()
	here := func(sql string) string { return strings.ReplaceAll(sql, "FOLDER", s.path("run/database")) }
	must := func(sql string) string {
		s.t.Helper()
		out, err := ask(admin, here(sql))
		if err != nil {
			s.t.Errorf("%s: %s: %v", a.name, sql, err)
		}
		return out
	}
	if a.scene != "" {
		must(a.scene)
	}
	x := &scene{site: s, admin: admin}
	var err error
	if x.vm, err = s.login(1, "sessiondb", "&application_name=attacker"); err != nil {
		s.t.Fatalf("%s: the VM cannot even log in: %v", a.name, err)
	}
	defer func() {
		_ = x.vm.Close(context.Background())
		x.leave()
		if a.undo != "" {
			must(a.undo)
		}
	}()
	for _, step := range a.steps {
		if _, e := ask(x.vm, here(step)); e != nil && err == nil {
			err = e
		}
	}
	if a.try != nil {
		err = a.try(x)
	}
	done := a.proof != "" || a.effect != "" || err == nil
	if a.proof != "" {
		seen, e := ask(x.vm, a.proof)
		if err == nil {
			err = e
		}
		done = seen == "t"
	}
	if done && a.effect != "" {
		done = must(a.effect) == "t"
	}
	return done, err
}

// joined lets another VM come into the scene: it sleeps in a query.
func (x *scene) joined() error {
	var err error
	if x.victim, err = x.site.login(2, "sessiondb", "&application_name=victim"); err != nil {
		return err
	}
	if _, err = ask(x.victim, "BEGIN"); err != nil {
		return err
	}
	x.victim.Frontend().SendQuery(&pgproto3.Query{String: "SELECT pg_sleep(60)"})
	if err = x.victim.Frontend().Flush(); err != nil {
		return err
	}
	eventually(x.site.t, "the victim sleeps", 5*time.Second, func() bool {
		n, _ := ask(x.admin, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'victim' AND wait_event = 'PgSleep'")
		return n == "1"
	})
	return nil
}

// leave ends whoever the attack left behind; until then they are held.
func (x *scene) leave() {
	eventually(x.site.t, "the attackers are gone", 10*time.Second, func() bool {
		n, err := ask(x.admin, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'sessionuser'")
		return n == "0" || err != nil
	})
	for _, conn := range x.held {
		_ = conn.Close(context.Background())
	}
}

// door is a door's name, and whether it is one on a version.
func door(name string, major int) (string, bool) {
	var n int
	if at, version, ok := strings.Cut(name, "@"); ok {
		_, _ = fmt.Sscan(version, &n)
		return at, major >= n
	} else if before, version, ok := strings.Cut(name, "<"); ok {
		_, _ = fmt.Sscan(version, &n)
		return before, major < n
	}
	return name, true
}

// opens says whether the attack has its effect while exactly these doors stand open.
func (a attack) opens(major int, open []string) bool {
	if slices.Contains(open, "SUPERUSER") {
		return a.never == "" && !slices.Contains(a.doors, "pg_hba")
	}
	return slices.ContainsFunc(a.doors, func(d string) bool {
		name, there := door(d, major)
		return there && slices.Contains(open, name)
	})
}

// refusal checks what an attacker is told: that he may not, and nothing that went wrong in the attack itself.
func (a attack) refusal(t *testing.T, when string, err error) {
	t.Helper()
	want := strings.Split(cmp.Or(a.code, "42501"), "|")
	said := silent
	var e *pgconn.PgError
	if errors.As(err, &e) {
		said = e.Code
	} else if err != nil && !errors.Is(err, errNoEffect) {
		said = err.Error()
	}
	if !slices.Contains(want, said) {
		t.Errorf("%s: %s: refused with %s (%v), want %q", when, a.name, said, err, want)
	}
}

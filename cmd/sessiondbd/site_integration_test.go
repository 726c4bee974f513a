//go:build integration

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/plan"
)

// site is a hypervisor without a boot: a PostgreSQL laid out as on Debian with peer authentication, a network namespace with
// the gateways of two VMs, a config, and folders for the state. Root runs the real binary in it.
type site struct {
	*lab.Cluster
	t   *testing.T
	ns  *lab.Namespace
	dir string
}

type result struct {
	stdout, stderr string
	code           int
}

// siteConfig has two networks; a format for the connection string and the database's user.
const siteConfig = `database: {url: %q, os_user: %s}
roles:
  - name: sessionuser
    password: {credential: none-such, initial: ` + documentedPassword + `}
networks:
  - {name: vm1, subnet: 10.1.0.0/24, gateway: 10.1.0.1}
  - {name: vm2, subnet: 10.2.0.0/24, gateway: 10.2.0.1}
`

func newSite(t *testing.T, o lab.ClusterOptions) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), ns: o.Namespace}
	s.must(os.Chmod(filepath.Dir(s.dir), 0o755))
	if s.ns == nil { // else there are gateways already, and VMs behind them
		s.ns = lab.NamespaceT(t, "site")
		s.must(s.ns.IP(t.Context(), "link add br-vm1 type bridge", "link add br-vm2 type bridge", "link set br-vm1 up", "link set br-vm2 up",
			"addr add 10.1.0.1/24 dev br-vm1", "addr add 10.2.0.1/24 dev br-vm2"))
	}
	for _, dir := range []string{"conf.d", "run/database", "run/firewall", "state"} {
		s.must(os.MkdirAll(s.path(dir), 0o755))
		s.own(s.path(dir))
	}
	s.write("ident", "lab postgres postgres\nlab root postgres\n")
	settings := map[string]string{"listen_addresses": "*", "include_dir": s.path("conf.d"), "ident_file": s.path("ident")}
	for k, v := range o.Settings {
		settings[k] = v
	}
	o.Settings, o.Namespace = settings, s.ns
	if o.HBA == "" {
		o.HBA = "local all postgres peer map=lab\nlocal all all peer\nhost all all 127.0.0.1/32 scram-sha-256\n"
	}
	s.Cluster = lab.ClusterT(t, o)
	s.configure(fmt.Sprintf(siteConfig, s.connection(), "postgres"))
	return s
}

// connection is how the administrator gets in: over the socket, as whoever runs the command.
func (s *site) connection() string { return "host=" + s.Socket + " dbname=postgres" }

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) configure(yaml string) { s.t.Helper(); s.write("config.yaml", yaml) }

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// write makes a file of the database's user that nobody else may read: it may be a password.
func (s *site) write(name, content string) {
	s.t.Helper()
	if !filepath.IsAbs(name) {
		name = s.path(name)
	}
	s.must(os.WriteFile(name, []byte(content), 0o600))
	s.own(name)
}

func (s *site) read(name string) string {
	s.t.Helper()
	if !filepath.IsAbs(name) {
		name = s.path(name)
	}
	b, err := os.ReadFile(name)
	s.must(err)
	return string(b)
}

func (s *site) own(path string) {
	s.t.Helper()
	u, err := user.Lookup("postgres")
	s.must(err)
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	s.must(os.Chown(path, uid, gid))
}

func (s *site) sql(db, sql string) string {
	s.t.Helper()
	out, err := s.PSQL(s.t.Context(), db, sql)
	s.must(err)
	return out
}

// command is the binary with arguments, config and folders of the site.
func (s *site) command(args ...string) lab.Command {
	return lab.Command{
		Argv: append([]string{product(s.t), "--config", s.path("config.yaml")}, args...),
		Env:  []string{"SESSIONDBD_RUN_DIR=" + s.path("run"), "SESSIONDBD_STATE_DIR=" + s.path("state"), "CREDENTIALS_DIRECTORY=" + s.path("state")},
	}
}

// run executes the binary as root; before, if any, is put in front of it.
func (s *site) run(args ...string) result { s.t.Helper(); return s.runIn(nil, args...) }

func (s *site) runIn(before []string, args ...string) result {
	s.t.Helper()
	c := s.command(args...)
	c.Argv = append(before, c.Argv...)
	r, err := s.ns.Exec(s.t.Context(), c)
	var exit *lab.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	out := result{r.Stdout, r.Stderr, r.Code}
	s.noSecret(strings.Join(args, " "), out.stdout+out.stderr)
	return out
}

func (s *site) noSecret(what, output string) {
	s.t.Helper()
	for _, secret := range []string{documentedPassword, "SCRAM-SHA-256$"} {
		if strings.Contains(output, secret) {
			s.t.Errorf("%s: the output holds a password or a verifier:\n%s", what, output)
		}
	}
}

// want runs the binary, which has to end with a code and to say each of the texts on standard error or output.
func (s *site) want(code int, args []string, says ...string) result {
	s.t.Helper()
	r := s.run(args...)
	r.check(s.t, strings.Join(args, " "), code, says...)
	return r
}

func (r result) check(t *testing.T, what string, code int, says ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("%s: exit %d, want %d\nstdout:\n%sstderr:\n%s", what, r.code, code, r.stdout, r.stderr)
		return
	}
	for _, text := range says {
		if !strings.Contains(r.stdout+r.stderr, text) {
			t.Errorf("%s does not say %q\nstdout:\n%sstderr:\n%s", what, text, r.stdout, r.stderr)
		}
	}
}

// apply brings the site to its goal.
func (s *site) apply() { s.t.Helper(); s.want(exitOK, []string{"apply"}, "in sync") }

// inSync requires that nothing but warnings is left.
func (s *site) inSync() { s.t.Helper(); s.want(exitOK, []string{"plan"}, "in sync") }

// report runs plan or apply with --json and holds its output to the one document of the contract.
func (s *site) report(args ...string) (plan.Report, result) {
	s.t.Helper()
	r := s.run(append(args, "--json")...)
	rep, err := decode(r.stdout)
	if err != nil {
		s.t.Fatalf("%s: exit %d, %v\nstdout:\n%sstderr:\n%s", strings.Join(args, " "), r.code, err, r.stdout, r.stderr)
	}
	return rep, r
}

// guarded says whether the firewall stands.
func (s *site) guarded() bool {
	s.t.Helper()
	for _, tool := range []string{"iptables", "ip6tables"} {
		rules, err := s.ns.Run(s.t.Context(), tool, "-t", "mangle", "-S")
		s.must(err)
		if !strings.Contains(rules, "-A INPUT -p tcp -m tcp --dport 5432") || !strings.Contains(rules, "-A SESSIONDB-GUARD -j DROP") {
			return false
		}
	}
	return true
}

// rows is a hash over every row of the table with all its columns, in their order.
func (s *site) rows() string {
	s.t.Helper()
	all := s.sql("sessiondb", "SELECT count(*), md5(string_agg(s::text, ',' ORDER BY id)) FROM public.session s")
	if strings.HasPrefix(all, "0|") {
		s.t.Fatal("there are no rows to compare")
	}
	return all
}

// insert makes rows worth losing.
func (s *site) insert() string {
	s.t.Helper()
	s.sql("sessiondb", `INSERT INTO session (messages, inbox_status) SELECT jsonb_build_object('n', n), 'pending' FROM generate_series(1, 50) n`)
	return s.rows()
}

// files is a hash of everything below the site's folders and the server's configuration, names and contents.
func (s *site) files() string {
	s.t.Helper()
	h := sha256.New()
	for _, dir := range []string{s.path("conf.d"), s.path("state"), filepath.Join(s.DataDir, "pg_hba.conf"), filepath.Join(s.DataDir, "postgresql.conf")} {
		s.must(filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			fmt.Fprintf(h, "%s %d\n%s", path, len(b), b)
			return err
		}))
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

var build = sync.OnceValues(func() (string, error) {
	top, err := lab.Checkout()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "sessiondbd-bin-")
	if err != nil {
		return "", err
	}
	shared = append(shared, dir)
	path := filepath.Join(dir, "sessiondbd")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-o", path, "./cmd/sessiondbd")
	cmd.Dir, cmd.Env = top, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, os.Chmod(dir, 0o755)
})

// product is the binary, built once for all tests.
func product(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

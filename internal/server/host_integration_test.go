//go:build integration

package server

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
)

// host is a server laid out as on Debian (hba_file apart, an included folder) in a namespace that has two VMs' addresses
// and an outsider's: who connects to one of them also comes from it.
type host struct {
	*lab.Cluster
	t      *testing.T
	ns     *lab.Namespace
	target postgres.Target
	want   Want
	files  Files
	hba    string
	conf   string
	ours   string
	mu     sync.Mutex // of Restart
}

// Restart waits for one that goes on: the server is back before the call that brought it back returns.
func (h *host) Restart(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.Cluster.Restart(ctx)
}

const initialHBA = "# kept\r\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n# no newline at the end"

func newHost(t *testing.T) *host {
	t.Helper()
	return newHostOn(t, lab.ClusterOptions{})
}

func newHostOn(t *testing.T, o lab.ClusterOptions) *host {
	t.Helper()
	ns := lab.NamespaceT(t, "server")
	h := &host{t: t, ns: ns, want: baseWant()}
	h.must(ns.IP(t.Context(), "link set lo up", "addr add 10.1.0.1/24 dev lo", "addr add 10.2.0.1/24 dev lo", "addr add 10.9.0.1/24 dev lo"))
	o.Namespace = ns
	h.Cluster = lab.ClusterT(t, o)
	h.hba, h.conf = filepath.Join(h.DataDir, "etc", "pg_hba.conf"), filepath.Join(h.DataDir, "postgresql.conf")
	h.ours = filepath.Join(h.DataDir, "conf.d", includeName)
	for _, dir := range []string{filepath.Dir(h.hba), filepath.Dir(h.ours)} {
		h.must(os.Mkdir(dir, 0o755))
		h.own(dir)
	}
	h.write(h.hba, initialHBA)
	h.write(h.conf, h.read(h.conf)+fmt.Sprintf("hba_file = '%s'\ninclude_dir = 'conf.d'\n", h.hba))
	h.must(h.Restart(t.Context()))
	_, err := h.PSQL(t.Context(), "postgres", "CREATE ROLE sessionuser LOGIN PASSWORD 'x'; CREATE ROLE other LOGIN PASSWORD 'x'; CREATE DATABASE sessiondb")
	h.must(err)
	h.target, err = postgres.NewTarget(h.URL("postgres"), "sessiondb")
	h.must(err)
	h.files = Files{Connect: h.target.ConnectMaintenance, Flag: filepath.Join(h.DataDir, "restart-postgresql")}
	return h
}

func (h *host) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// own gives a path to the server's user.
func (h *host) own(path string) {
	h.t.Helper()
	info, err := os.Stat(h.DataDir)
	h.must(err)
	st := info.Sys().(*syscall.Stat_t)
	h.must(os.Chown(path, int(st.Uid), int(st.Gid)))
}

func (h *host) write(path, content string) {
	h.t.Helper()
	h.must(os.WriteFile(path, []byte(content), 0o640))
	h.own(path)
}

func (h *host) read(path string) string {
	h.t.Helper()
	b, err := os.ReadFile(path)
	h.must(err)
	return string(b)
}

func (h *host) reload() {
	h.t.Helper()
	h.must(h.Execute(h.t.Context(), Reload{}))
}

func (h *host) observe() Observation {
	h.t.Helper()
	o, err := h.look(h.t.Context())
	h.must(err)
	return o
}

func (h *host) look(ctx context.Context) (Observation, error) {
	var o Observation
	c, err := h.target.ConnectMaintenance(ctx)
	if err != nil {
		return o, err
	}
	defer c.CloseSoon()
	e := asServer(h.DataDir, func() {
		if err = c.Ask(ctx, append(QueriesFor(h.want, c.Version(), &o), socketsQuery(&o))); err == nil {
			o.Probe()
		}
	})
	return o, errors.Join(err, e)
}

// asServer calls f with the identity of the server's user, which the daemon has, on a thread that ends with it.
func asServer(dataDir string, f func()) error {
	info, err := os.Stat(dataDir)
	if err != nil || os.Geteuid() != 0 {
		f()
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked
		uid, gid := uintptr(st.Uid), uintptr(st.Gid)
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESGID, gid, gid, gid); e != 0 {
			done <- e
			return
		}
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, uid, uid, uid); e != 0 {
			done <- e
			return
		}
		f()
		done <- nil
	}()
	return <-done
}

// Plan and Begin make it a plan.Host.
func (h *host) Plan(ctx context.Context) plan.Plan {
	o, err := h.look(ctx)
	if err != nil {
		return plan.Plan{Unobserved: []plan.Failure{{Resource: SettingsResource, Err: err}}}
	}
	p := plan.Plan{Resources: Settings(h.want, o)}
	p.Resources = append(p.Resources, HBA(h.want, o)...)
	p.Resources = append(p.Resources, Restart(h.want, o)...)
	return p
}

func (h *host) Begin(context.Context) (plan.Executor, func(), error) { return h, func() {}, nil }

// Execute is that of Files, as the server's user.
func (h *host) Execute(ctx context.Context, s plan.Step) (err error) {
	if e := asServer(h.DataDir, func() { err = h.files.Execute(ctx, s) }); e != nil {
		return e
	}
	return err
}

// converge is a whole pass, with the changes that it made.
func (h *host) converge() (plan.Outcome, string) {
	h.t.Helper()
	var done []string
	out := plan.Converge(h.t.Context(), h, func(c plan.Change) { done = append(done, c.Resource+" "+c.Field) })
	return out, strings.Join(done, ", ")
}

// settle fails the test unless a pass succeeds, and the next finds nothing to do.
func (h *host) settle() {
	h.t.Helper()
	out, _ := h.converge()
	if !out.InSync || out.Err() != nil {
		h.t.Fatalf("the pass: %+v, %v", out.Report, out.Err())
	}
	if out, did := h.converge(); !out.InSync || did != "" {
		h.t.Fatalf("the second pass did %q: %+v", did, out.Report)
	}
}

// login tries a real one over TCP and says what came of it: "in", or the server's reason.
func (h *host) login(role, db string, from netip.Addr) string {
	h.t.Helper()
	r, err := h.ns.Exec(h.t.Context(), lab.Command{Argv: []string{
		"psql", "-XqAt", "-w", "-d", fmt.Sprintf("host=%s user=%s dbname=%s password=x sslmode=disable connect_timeout=5", from, role, db), "-c", "SELECT 'in'",
	}})
	if err == nil {
		return strings.TrimSpace(r.Stdout)
	}
	return strings.TrimSpace(r.Stderr)
}

// oneshot stands in for root's path unit: it takes the flag away, then does what each call is to do, in order.
func (h *host) oneshot(each ...func(context.Context) error) (units <-chan string) {
	got := make(chan string, len(each))
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(h.t.Context())
	go func() {
		defer close(ended)
		for _, do := range each {
			for {
				b, err := os.ReadFile(h.files.Flag)
				if err == nil {
					got <- strings.TrimSpace(string(b))
					break
				}
				if sleep(ctx, 10*time.Millisecond) != nil {
					return
				}
			}
			if err := errors.Join(os.Remove(h.files.Flag), do(ctx)); err != nil && ctx.Err() == nil {
				h.t.Errorf("oneshot: %v", err)
			}
		}
	}()
	h.t.Cleanup(func() {
		cancel()
		<-ended
	})
	return got
}

//go:build integration

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sessiondbd/internal/daemon"
	"sessiondbd/internal/lab"
)

// endurance is a site whose daemon lives long: VMs write all the time, passes follow one another without the interval
// between them, and things go wrong in every room.
type endurance struct {
	*site
	hv   *lab.Topology
	live *lab.Process
	pid  int
}

// A day's worth of passes, or a sample of it, with random faults: every fault is repaired, no row is lost, and the daemon
// is as large at the end as it was in the beginning. The seed is printed; SESSIONDBD_SEED repeats a run.
func TestEndurance(t *testing.T) {
	t.Parallel()
	passes, each := 100, 10 // a fault after so many passes
	if os.Getenv("SESSIONDBD_SOAK") != "" {
		passes, each = 24*360, 30
	}
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("SESSIONDBD_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("seed %d, %d passes of each part, a fault after every %d", seed, passes, each)
	random := rand.New(rand.NewPCG(seed, 0))
	e := newEndurance(t)
	writers := e.writers()
	for _, m := range mishaps { // all once: from then on nothing is new to the daemon
		e.survive(m)
	}
	files, first, began := e.files(), e.size(), time.Now()
	least, happened := e.passes(), 0
	for done := 0; done < passes; done++ {
		e.tick()
		if done%each == each-1 {
			e.survive(mishaps[random.IntN(len(mishaps))])
			happened++
		}
	}
	for part, n := range e.passes() {
		if n -= least[part]; n < passes {
			t.Errorf("%s: %d passes, want %d", part, n, passes)
		}
	}
	last, took := e.size(), time.Since(began)
	t.Logf("%d passes and %d faults in %s\nin the beginning: %+v\nat the end:       %+v", passes, happened, took.Round(time.Second), first, last)
	last.grown(t, first)
	if e.files() != files {
		t.Error("the files are not as they were")
	}
	e.lost(writers)
	goroutines := e.goroutines()
	e.live, e.pid = nil, 0
	e.start()
	e.size()
	if fresh := e.goroutines(); len(fresh) != len(goroutines) {
		t.Errorf("%d goroutines at the end, %d in a daemon that has just started:\n%s\n\n%s", len(goroutines), len(fresh), strings.Join(goroutines[:min(len(goroutines), 60)], "\n"), strings.Join(fresh, "\n"))
	}
}

func newEndurance(t *testing.T) *endurance {
	t.Helper()
	hv := lab.TopologyT(t, lab.TopologyOptions{VMs: 2})
	e := &endurance{site: newSite(t, lab.ClusterOptions{Namespace: hv.Router, Settings: map[string]string{"synchronous_commit": "on"}}), hv: hv}
	e.write("password", documented)
	e.good()
	e.start()
	return e
}

// good is the config. The interval leaves the daemon the time to rest in which it gives memory back.
func (e *endurance) good() {
	e.configure(strings.Replace(fmt.Sprintf(siteConfig, e.connection(), "postgres"), "credential: none-such, initial: "+documentedPassword, "file: password", 1) +
		"reconcile: {interval: 5s}\n")
}

func (e *endurance) start() {
	e.t.Helper()
	began := time.Now()
	var err error
	e.live, err = e.ns.StartCommand(e.t.Context(), e.command("--log-format", "text", "run"))
	e.must(err)
	e.settles("the start", began)
	s, _ := e.state("database")
	e.pid = s.PID
}

func (e *endurance) state(part string) (daemon.State, bool) {
	s, err := daemon.ReadState(e.path("run/" + part + "/status.json"))
	return s, err == nil && !s.Stale()
}

// passes are how many each part has made.
func (e *endurance) passes() map[string]int {
	all := map[string]int{}
	for _, part := range []string{"database", "firewall"} {
		s, _ := e.state(part)
		all[part] = s.Counts.Passes
	}
	return all
}

// prompt asks the database part for a pass, and gives the firewall's a reason.
func (e *endurance) prompt() {
	if s, running := e.state("database"); running && s.Prompts {
		_ = syscall.Kill(s.PID, syscall.SIGUSR1)
	}
	e.sh("iptables -A INPUT -p udp --dport 9 -j DROP; iptables -D INPUT -p udp --dport 9 -j DROP")
}

// tick is one more pass of each part.
func (e *endurance) tick() {
	e.t.Helper()
	before := e.passes()
	e.prompt()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if now := e.passes(); now["database"] > before["database"] && now["firewall"] > before["firewall"] {
			return
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("no more passes:\n%s", e.tail())
		}
	}
}

// survive has something go wrong, and waits until nothing of it is left.
func (e *endurance) survive(m mishap) {
	e.t.Helper()
	if m.sql != "" {
		e.sql("sessiondb", m.sql)
	}
	if m.do != nil {
		m.do(e)
	}
	e.settles(m.name, time.Now())
}

func (e *endurance) settles(what string, since time.Time) {
	e.t.Helper()
	var last result
	ok := func() bool {
		for _, part := range []string{"database", "firewall"} {
			if s, running := e.state(part); !running || s.State != daemon.Converged || s.LastPass.At.Before(since) {
				e.prompt()
				return false
			}
		}
		last = e.run("plan")
		return last.code == exitOK
	}
	for deadline := time.Now().Add(60 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			e.t.Fatalf("%s: not repaired\n%s%s\n%s", what, last.stdout, last.stderr, e.tail())
		}
	}
}

func (e *endurance) tail() string {
	out := e.live.Output()
	return out[max(0, len(out)-4000):]
}

func (s *site) sh(script string) {
	s.t.Helper()
	if _, err := s.ns.Run(s.t.Context(), "sh", "-ec", script); err != nil {
		s.t.Fatalf("%s: %v", script, err)
	}
}

// size is what grows where something leaks. Memory is anonymous and resident, in KiB.
type size struct {
	Files, Threads, Children, Sockets int
	Memory                            int
	Connections, Backend              int // of the daemon at the server; memory of what serves it
}

// size waits until the daemon rests.
func (e *endurance) size() size {
	e.t.Helper()
	for rested := func() bool { // more than the two seconds after which it gives memory back, in both parts
		for _, part := range []string{"database", "firewall"} {
			if s, _ := e.state(part); time.Since(s.LastPass.At) < 2500*time.Millisecond {
				return false
			}
		}
		return true
	}; !rested(); {
		e.tick() // together
		time.Sleep(3 * time.Second)
	}
	var s size
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", e.pid))
	e.must(err)
	for _, fd := range fds {
		if to, _ := os.Readlink(fd); strings.HasPrefix(to, "socket:") {
			s.Sockets++
		}
	}
	s.Files = len(fds)
	s.Memory, s.Threads = e.proc(e.pid, "RssAnon"), e.proc(e.pid, "Threads")
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", e.pid))
	e.must(err)
	for _, c := range children {
		s.Children += len(strings.Fields(e.read(c)))
	}
	for _, backend := range strings.Fields(e.sql("postgres", "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'sessiondbd%' AND backend_type = 'client backend'")) {
		pid, err := strconv.Atoi(backend)
		e.must(err)
		s.Connections++
		s.Backend += e.proc(pid, "RssAnon")
	}
	return s
}

// proc is a number of a process.
func (e *endurance) proc(pid int, field string) int {
	e.t.Helper()
	for line := range strings.Lines(e.read(fmt.Sprintf("/proc/%d/status", pid))) {
		if value, is := strings.CutPrefix(line, field+":"); is {
			n, err := strconv.Atoi(strings.Fields(value)[0])
			e.must(err)
			return n
		}
	}
	e.t.Fatalf("process %d has no %s", pid, field)
	return 0
}

// grown compares with what was before. Memory and threads have slack: a collection more or less, a thread that the runtime
// keeps for the next time that one is blocked.
func (s size) grown(t *testing.T, before size) {
	t.Helper()
	if s.Files > before.Files || s.Sockets > before.Sockets || s.Children > 0 || s.Connections != 1 {
		t.Error("open files, processes or connections have grown")
	}
	if s.Threads > before.Threads+4 {
		t.Error("threads have grown")
	}
	if s.Memory > before.Memory+512 || s.Backend > before.Backend+1024 {
		t.Error("memory has grown")
	}
}

var stack = regexp.MustCompile(`(?m)^goroutine \d+ .*\[.*\]:\n.*$`)

// goroutines ends the daemon with the signal that has it show them.
func (e *endurance) goroutines() []string {
	e.t.Helper()
	e.must(syscall.Kill(e.pid, syscall.SIGQUIT))
	<-e.live.Done()
	all := stack.FindAllString(e.live.Output(), -1)
	all = slices.DeleteFunc(all, func(g string) bool { return strings.Contains(g, "gp=0x") && strings.Contains(g, "goroutine 0 ") })
	if len(all) < 3 {
		e.t.Fatalf("these are no goroutines:\n%s", e.tail())
	}
	return all
}

// writers are VMs that insert rows and print their ids.
func (e *endurance) writers() []*lab.Process {
	e.t.Helper()
	all := []*lab.Process{}
	for _, vm := range e.hv.VMs() {
		p, err := vm.StartCommand(e.t.Context(), lab.Command{
			Env:  []string{"PGHOST=" + vm.Gateway, "PGUSER=sessionuser", "PGDATABASE=sessiondb", "PGPASSWORD=" + documented, "PGCONNECT_TIMEOUT=3"},
			Argv: []string{"sh", "-c", `while :; do "$0" -XAtqc "INSERT INTO session (inbox_status) VALUES ('pending') RETURNING id" 2>/dev/null; sleep 0.1; done`, realPSQL(e.t)},
		})
		e.must(err)
		all = append(all, p)
	}
	return all
}

// lost holds what the VMs were told to be stored against what there is.
func (e *endurance) lost(writers []*lab.Process) {
	e.t.Helper()
	for i, w := range writers {
		_ = w.Kill()
		<-w.Done()
		ids := slices.DeleteFunc(strings.Split(w.Output(), "\n"), func(line string) bool { return len(line) != 36 })
		there := e.sql("sessiondb", "SELECT count(*) FROM public.session WHERE id = ANY ('{"+strings.Join(ids, ",")+"}')")
		e.t.Logf("VM %d: %d rows, %s are there", i+1, len(ids), there)
		if len(ids) < 10 || there != strconv.Itoa(len(ids)) {
			e.t.Errorf("VM %d stored %d rows, %s are there", i+1, len(ids), there)
		}
	}
}

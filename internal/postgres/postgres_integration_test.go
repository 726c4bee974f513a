//go:build integration

package postgres

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

func target(t *testing.T, url string) Target {
	t.Helper()
	tg, err := NewTarget(url, "sessiondb")
	if err != nil {
		t.Fatal(err)
	}
	return tg
}

func withDatabase(t *testing.T, o lab.ClusterOptions) (*lab.Cluster, Target) {
	t.Helper()
	c := lab.ClusterT(t, o)
	sql(t, c, "postgres", "CREATE DATABASE sessiondb")
	sql(t, c, "sessiondb", "CREATE TABLE v (n int); INSERT INTO v VALUES (0)")
	return c, target(t, c.URL("postgres"))
}

func sql(t *testing.T, c *lab.Cluster, db, text string) string {
	t.Helper()
	out, err := c.PSQL(t.Context(), db, text)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func begin(t *testing.T, tg Target) *Writer {
	t.Helper()
	w, err := Begin(t.Context(), tg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.End().CloseSoon() })
	return w
}

type number struct {
	N int `json:"n"`
}

func ask(ctx context.Context, o *Observer) (n int, session bool, err error) {
	var got []number
	session, err = o.Ask(ctx, func(int) []Query {
		got = nil
		return []Query{
			{Name: "a constant", SQL: "SELECT $1::int AS n", Args: []string{"7"}, Into: &got},
			{Name: "the table", SQL: "SELECT n FROM public.v", Into: &got, Session: true},
		}
	})
	if len(got) == 1 {
		n = got[0].N
	}
	return n, session, err
}

func TestErrorsAreClassed(t *testing.T) {
	c, tg := withDatabase(t, lab.ClusterOptions{})
	sql(t, c, "postgres", "CREATE ROLE joe LOGIN; CREATE ROLE locked NOLOGIN")
	for _, tt := range []struct {
		name string
		tg   Target
		want Class
		says string
	}{
		{"not a superuser", target(t, c.URLAs("joe", "postgres")), NotPermitted, "superuser"},
		{"may not log in", target(t, c.URLAs("locked", "postgres")), NotPermitted, "database.os_user"},
		{"no socket there", target(t, "host="+t.TempDir()+" dbname=postgres user=postgres"), Unavailable, "systemctl start postgresql"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := ask(t.Context(), NewObserver(tt.tg))
			if ClassOf(err) != tt.want || !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("class %d, error %v", ClassOf(err), err)
			}
		})
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ask(t.Context(), NewObserver(tg)); ClassOf(err) != Unavailable {
		t.Errorf("stopped: class %d, %v", ClassOf(err), err)
	}
}

func TestObserverWithoutTheDatabase(t *testing.T) {
	c := lab.ClusterT(t, lab.ClusterOptions{})
	o := NewObserver(target(t, c.URL("postgres")))
	o.Standing = true
	defer o.Close()
	if n, session, err := ask(t.Context(), o); n != 7 || session || err != nil {
		t.Errorf("without the database: %d, %t, %v", n, session, err)
	}
	early := NewObserver(o.target)
	early.Dial(t.Context())
	sql(t, c, "postgres", "CREATE DATABASE sessiondb")
	sql(t, c, "sessiondb", "CREATE TABLE v (n int); INSERT INTO v VALUES (3)")
	if n, session, err := ask(t.Context(), early); n != 3 || !session || err != nil {
		t.Errorf("made since it was dialled: %d, %t, %v", n, session, err)
	}
	for range 4 { // the later ones are prepared
		if n, session, err := ask(t.Context(), o); n != 3 || !session || err != nil {
			t.Errorf("with it: %d, %t, %v", n, session, err)
		}
	}
	sql(t, c, "sessiondb", "ALTER TABLE v ADD m int; UPDATE v SET n = 4")
	if n, _, err := ask(t.Context(), o); n != 4 || err != nil {
		t.Errorf("a prepared look after DDL: %d, %v", n, err)
	}
	sql(t, c, "sessiondb", "DROP TABLE v; CREATE TABLE v (x text, n int); INSERT INTO v VALUES ('', 5)")
	if n, _, err := ask(t.Context(), o); n != 5 || err != nil {
		t.Errorf("a prepared look at another table: %d, %v", n, err)
	}
}

// Two connections answer as one does, also when the second is lost.
func TestObserverWithASecondConnection(t *testing.T) {
	c, tg := withDatabase(t, lab.ClusterOptions{})
	w := begin(t, tg)
	o := NewObserver(tg)
	o.Standing, o.Beside = true, w.Idle()
	defer o.Close()
	for _, lost := range []bool{false, false, true} {
		if lost {
			sql(t, c, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
		}
		var shared, own, later []number
		both := 0
		session, err := o.Ask(t.Context(), func(int) []Query {
			shared, own, later = nil, nil, nil
			return []Query{
				{Name: "the table", SQL: "SELECT n + 1 AS n FROM public.v", Into: &own, Session: true, Then: func() { both = own[0].N + shared[0].N }},
				{Name: "a constant", SQL: "SELECT $1::int AS n", Args: []string{"7"}, Into: &shared},
				{Name: "what hangs on both", SQL: "SELECT n + 5 AS n FROM public.v", Into: &later, Session: true, When: func() bool { return both == 8 }},
			}
		})
		if err != nil || !session || both != 8 || len(later) != 1 || later[0].N != 5 {
			t.Errorf("lost %t: %t, both %d, later %v, %v", lost, session, both, later, err)
		}
	}
}

func TestStandingConnectionSurvivesARestart(t *testing.T) {
	c, tg := withDatabase(t, lab.ClusterOptions{})
	lost := make(chan string, 1)
	o := NewObserver(tg)
	o.Standing, o.Lost = true, lost
	defer o.Close()
	if _, _, err := ask(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := c.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-lost:
	case <-time.After(5 * time.Second):
		t.Error("nobody noticed that the connection ended")
	}
	if n, session, err := ask(t.Context(), o); n != 0 || !session || err != nil {
		t.Errorf("after a restart: %d, %t, %v", n, session, err)
	}
}

// A server that stands still accepts connections and never answers.
// Whoever asks on a connection whose server has ended, and may not have noticed, is told that PostgreSQL is away.
func TestADeadConnectionIsClassed(t *testing.T) {
	c, tg := withDatabase(t, lab.ClusterOptions{})
	conn, err := tg.ConnectSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseSoon()
	if err := c.Crash(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"unnoticed", "noticed"} {
		var got []number
		err := conn.Ask(t.Context(), []Query{{Name: "a constant", SQL: "SELECT 7 AS n", Into: &got}})
		if ClassOf(err) != Unavailable || !conn.Dead() {
			t.Errorf("%s: %v, class %v, dead %v", when, err, ClassOf(err), conn.Dead())
		}
	}
}

func TestLooksEndWhenTheServerHangs(t *testing.T) {
	c, tg := withDatabase(t, lab.ClusterOptions{})
	o := NewObserver(tg)
	o.Standing = true
	defer o.Close()
	if _, _, err := ask(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	pids := append([]string{fmt.Sprint(c.PID())}, children(t, c.PID())...)
	for _, pid := range pids {
		signal(t, pid, syscall.SIGSTOP)
	}
	defer func() {
		for _, pid := range pids {
			signal(t, pid, syscall.SIGCONT)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, _, err := ask(ctx, o)
	if ClassOf(err) != Busy || time.Since(began) > 5*time.Second {
		t.Errorf("after %s: class %d, %v", time.Since(began), ClassOf(err), err)
	}
}

func children(t *testing.T, pid int) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ps", "-o", "pid=", "--ppid", fmt.Sprint(pid)).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

func signal(t *testing.T, pid string, s syscall.Signal) {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(pid, &n); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(n, s); err != nil && !errors.Is(err, syscall.ESRCH) { // a server process may have ended by itself
		t.Errorf("signal %s to %d: %v", s, n, err)
	}
}

func TestWritersTakeTurns(t *testing.T) {
	c, tg := withDatabase(t, lab.ClusterOptions{})
	var all sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		all.Go(func() {
			w, err := Begin(t.Context(), tg, nil)
			if err != nil {
				errs[i] = err
				return
			}
			// Not atomic on purpose: only the lock keeps two of them from reading the same number.
			errs[i] = w.Execute(t.Context(), SQL{Statements: []string{"CREATE TEMP TABLE old AS SELECT n FROM public.v", "SELECT pg_sleep(0.02)", "UPDATE public.v SET n = (SELECT n FROM old) + 1"}})
			w.End().CloseSoon()
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got := sql(t, c, "sessiondb", "SELECT n FROM v"); got != "8" {
		t.Errorf("8 writers counted to %s", got)
	}
}

func TestAStepHappensAsAWholeOrNotAtAll(t *testing.T) {
	c, tg := withDatabase(t, lab.ClusterOptions{})
	w := begin(t, tg)
	err := w.Execute(t.Context(), SQL{Statements: []string{"UPDATE public.v SET n = 1", "SELECT 1/0"}})
	if err == nil || !strings.Contains(err.Error(), "22012") {
		t.Errorf("error %v, want division by zero with its SQLSTATE", err)
	}
	if got := sql(t, c, "sessiondb", "SELECT n FROM v"); got != "0" {
		t.Error("half of a failed step stayed")
	}
	if err := w.Execute(t.Context(), SQL{Statements: []string{"UPDATE public.v SET n = 2"}}); err != nil {
		t.Errorf("the step after it: %v", err)
	}
	if err := w.Execute(t.Context(), SQL{Alone: true, Statements: []string{"CREATE INDEX CONCURRENTLY i ON public.v (n)"}}); err != nil {
		t.Error(err)
	}
	if got := sql(t, c, "sessiondb", "SELECT n FROM v"); got != "2" {
		t.Error("a step that succeeded did not stay")
	}
}

// Whoever queues behind us waits no longer than our short timeout, and we get the lock in the end.
func TestAHeldLockIsTriedForWithoutStallingOthers(t *testing.T) {
	c, tg := withDatabase(t, lab.ClusterOptions{})
	w := begin(t, tg)
	holder, err := target(t, c.URL("postgres")).ConnectSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.CloseSoon()
	if err := holder.simple(t.Context(), "BEGIN; LOCK TABLE public.v IN ROW EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- w.Execute(t.Context(), SQL{Statements: []string{"ALTER TABLE public.v ADD m int"}})
	}()
	worst := time.Duration(0)
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		began := time.Now()
		sql(t, c, "sessiondb", "UPDATE v SET n = n + 1")
		worst = max(worst, time.Since(began))
	}
	t.Logf("worst wait of a writer, psql's start included: %s", worst)
	if err := holder.simple(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("after the lock was free: %v", err)
	}
	if worst > 2*time.Second {
		t.Errorf("a writer waited %s behind us", worst)
	}
}

func TestNothingIsWrittenOnceTheLockIsLost(t *testing.T) {
	c, tg := withDatabase(t, lab.ClusterOptions{})
	w := begin(t, tg)
	sql(t, c, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := w.Ask(ctx, []Query{{Name: "anything", SQL: "SELECT 1 AS n", Into: &[]number{}}}); err == nil {
		t.Fatal("the connection lives")
	}
	if err := w.Execute(ctx, SQL{Statements: []string{"UPDATE public.v SET n = 9"}}); ClassOf(err) != Unavailable {
		t.Errorf("error %v", err)
	}
	if got := sql(t, c, "sessiondb", "SELECT n FROM v"); got != "0" {
		t.Error("written without the lock")
	}
}

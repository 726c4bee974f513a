//go:build integration

package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// idle leaves a transaction open that has written to the table.
func idle(t *testing.T, tg Target) *Conn {
	t.Helper()
	c, err := tg.ConnectSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseSoon)
	if err := c.simple(t.Context(), "SET application_name = 'forgotten'; BEGIN; UPDATE public.v SET n = n"); err != nil {
		t.Fatal(err)
	}
	return c
}

// An index that waits for a forgotten transaction is given up, and the transaction named.
func TestWhoBlocksAnIndexIsNamed(t *testing.T) {
	c, tg := withDatabase(t, lab.ClusterOptions{})
	w := begin(t, tg)
	w.patient = 700 * time.Millisecond
	blocker := idle(t, tg)
	err := w.Execute(t.Context(), SQL{Alone: true, Statements: []string{"CREATE INDEX CONCURRENTLY i ON public.v (n)"}})
	if ClassOf(err) != Busy || !strings.Contains(fmt.Sprint(err), fmt.Sprintf("pid %d, user postgres (forgotten), idle in transaction", blocker.PID())) {
		t.Fatalf("class %d, %v", ClassOf(err), err)
	}
	if got := sql(t, c, "sessiondb", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'forgotten'"); got != "1" {
		t.Error("the blocker was ended")
	}
	if err := blocker.simple(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"DROP INDEX CONCURRENTLY public.i", "CREATE INDEX CONCURRENTLY i ON public.v (n)"} {
		if err := w.Execute(t.Context(), SQL{Alone: true, Statements: []string{s}}); err != nil {
			t.Errorf("once it is gone: %v", err)
		}
	}
}

func TestALostLockEndsTheStep(t *testing.T) {
	c, tg := withDatabase(t, lab.ClusterOptions{})
	w := begin(t, tg)
	began := time.Now()
	time.AfterFunc(200*time.Millisecond, func() {
		_, _ = c.PSQL(context.WithoutCancel(t.Context()), "postgres", "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
	})
	err := w.Execute(t.Context(), SQL{Statements: []string{"UPDATE public.v SET n = 9", "SELECT pg_sleep(20)"}})
	if !errors.Is(err, errLockLost) || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	if got := sql(t, c, "sessiondb", "SELECT n FROM v"); got != "0" {
		t.Error("written without the lock")
	}
}

func TestErrorsTellWhere(t *testing.T) {
	_, tg := withDatabase(t, lab.ClusterOptions{})
	w := begin(t, tg)
	for _, tt := range []struct {
		step SQL
		code string
	}{
		{SQL{Statements: []string{"-- a comment\nSELECT 1;\n  SELECT nowhere FROM public.v", "SELECT 1"}}, "42703"},
		{SQL{Statements: []string{"-- a comment\nSELECT 1;\n  SELECT nowhere FROM public.v", "SELECT 1"}, Secret: true}, "42703"},
		{SQL{Statements: []string{"-- é\n\n  SELECT nowhere FROM public.v"}, Before: []string{"LOCK TABLE public.v /* é */ IN SHARE MODE"}}, "42703"},
		{SQL{Statements: []string{"SELECT 1", "\n  SELECT )"}}, "42601"},
	} {
		tt.step.Label = "migration 0007_x"
		err := w.Execute(t.Context(), tt.step)
		var e *Error
		if !errors.As(err, &e) || e.Line != 3 || e.Column != 10 || e.Code != tt.code || !strings.HasPrefix(err.Error(), "migration 0007_x: line 3, column 10: ") {
			t.Errorf("%q: %+v", tt.step.Statements, err)
		}
	}
	err := w.Execute(t.Context(), SQL{Label: "fenced", Before: []string{"LOCK TABLE public.nowhere"}, Statements: []string{"SELECT 1"}})
	if err == nil || !strings.HasPrefix(err.Error(), `fenced: relation "public.nowhere"`) {
		t.Errorf("a place ahead of the statements is nobody's: %v", err)
	}
}

// pgbouncer lends server sessions: a lock would be taken in one of them and missed in the next.
func TestAPoolerIsRefused(t *testing.T) {
	c, _ := withDatabase(t, lab.ClusterOptions{})
	dir, err := os.MkdirTemp("", "pooler") // the path of a socket must be short, and postgres must get there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	ini := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\n* = host=%s port=5432\n[pgbouncer]\nunix_socket_dir = %s\nlisten_port = 5432\nauth_type = any\npool_mode = transaction\nignore_startup_parameters = search_path,client_encoding,jit,statement_timeout,lock_timeout,client_connection_check_interval,idle_session_timeout,idle_in_transaction_session_timeout\n", c.Socket, dir)
	text = strings.Replace(text, "* = host", "* = user=postgres host", 1)
	if err := os.WriteFile(ini, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("runuser", "-u", "postgres", "--", "pgbouncer", "-q", ini)
	var out strings.Builder
	cmd.Stderr = &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("pgbouncer is needed: make setup: %v", err)
	}
	defer func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() }()
	pooled := target(t, "host="+dir+" dbname=postgres user=postgres")
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err = Begin(t.Context(), pooled, nil)
		if ClassOf(err) != Unavailable || time.Now().After(deadline) {
			break
		}
	}
	if ClassOf(err) != Refused || !strings.Contains(fmt.Sprint(err), "pooler") {
		t.Errorf("class %d, %v\n%s", ClassOf(err), err, out.String())
	}
}

//go:build integration

package lab_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// TestMain plays the owner that is to be killed, when TestSweep starts this binary again.
func TestMain(m *testing.M) {
	if os.Getenv("LAB_TEST_VICTIM") == "" {
		os.Exit(m.Run())
	}
	victim()
}

func victim() {
	lab.CloseOnSignal()
	ctx := context.Background()
	_, err := lab.StartCluster(ctx, lab.ClusterOptions{})
	if err == nil {
		_, err = lab.Boot(ctx, lab.Options{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("up")
	select {}
}

// TestSweep ends an owner in the middle of it all: by a signal it cleans up itself, by SIGKILL the next one does it.
func TestSweep(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		t.Run(s.String(), func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), "LAB_TEST_VICTIM=1")
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line, _ := bufio.NewReader(out).ReadString('\n')
			pid := cmd.Process.Pid
			if err := lab.Sweep(); err != nil {
				t.Error(err)
			}
			if line != "up\n" || strings.Count(traces(t, pid), "\n") < 10 {
				t.Errorf("the owner is not up, or was swept alive: %q\n%s", line, traces(t, pid))
			}
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "signal: "+s.String()) {
				t.Errorf("ended with %v", err)
			}
			if s == syscall.SIGKILL {
				swept(t, pid)
			}
			if left := traces(t, pid); left != "" {
				t.Errorf("left behind:\n%s", left)
			}
		})
	}
}

// swept sweeps until the owner's traces are gone: another package's tests may be sweeping just now and hold the lock.
func swept(t *testing.T, pid int) {
	t.Helper()
	if traces(t, pid) == "" {
		t.Error("nothing left to sweep: this test proves nothing")
	}
	for deadline := time.Now().Add(10 * time.Second); traces(t, pid) != "" && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err := lab.Sweep(); err != nil {
			t.Error(err)
		}
	}
}

func TestNamespace(t *testing.T) {
	a, b := lab.NamespaceT(t, "a"), lab.NamespaceT(t, "b")
	if err := a.Veth(t.Context(), "left", b, "right"); err != nil {
		t.Fatal(err)
	}
	if err := a.IP(t.Context(), "addr add 192.0.2.1/24 dev left", "link set left up"); err != nil {
		t.Fatal(err)
	}
	if err := b.IP(t.Context(), "addr add 192.0.2.2/24 dev right", "link set right up"); err != nil {
		t.Fatal(err)
	}
	if err := a.IP(t.Context(), "link set nowhere up"); err == nil || !strings.Contains(err.Error(), a.Name) {
		t.Errorf("a wrong ip line: %v", err)
	}
	server, err := b.Start(t.Context(), "/usr/bin/python3", "-m", "http.server", "--bind", "192.0.2.2", "8000")
	if err != nil {
		t.Fatal(err)
	}
	get := []string{"/usr/bin/python3", "-c", "import time,urllib.request as u\nfor _ in range(50):\n  try: print(u.urlopen('http://192.0.2.2:8000/proc/self/comm', timeout=1).status); break\n  except OSError: time.sleep(0.1)"}
	if out, err := a.Run(t.Context(), get...); out != "200" || err != nil {
		t.Errorf("%q, %v; server: %s", out, err, server.Output())
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	<-server.Done() // hangs if Close left it
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if left := traces(t, os.Getpid()); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

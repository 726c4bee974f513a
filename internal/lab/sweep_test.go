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
			before := traces(t)
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
			mine := fmt.Sprintf("sdlab-%d-", cmd.Process.Pid)
			if err := lab.Sweep(); err != nil {
				t.Error(err)
			}
			if line != "up\n" || strings.Count(traces(t), mine) < 10 {
				t.Errorf("the owner is not up, or was swept alive: %q\n%s", line, traces(t))
			}
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "signal: "+s.String()) {
				t.Errorf("ended with %v", err)
			}
			if s == syscall.SIGKILL {
				if !strings.Contains(traces(t), mine) {
					t.Error("nothing left to sweep: this test proves nothing")
				}
				if err := lab.Sweep(); err != nil {
					t.Error(err)
				}
			}
			if after := traces(t); after != before {
				t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

func TestNamespace(t *testing.T) {
	before := traces(t)
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
	if after := traces(t); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

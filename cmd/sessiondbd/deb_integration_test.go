//go:build integration

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"sessiondbd/internal/lab"
)

func debPath(dir, version, arch string) string {
	return filepath.Join(dir, fmt.Sprintf("sessiondbd_%s_%s.deb", version, arch))
}

// snapshot copies the checkout, so that all packages of a test come from the same files.
func snapshot(t *testing.T) string {
	t.Helper()
	top, err := lab.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c",
		`cd "$0" && git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf - | tar -xf - -C "$1"`, top, to)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("copy of the checkout: %v\n%s", err, out)
	}
	return to
}

func buildDebs(t *testing.T, top, dist, version, arches string, env ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "make", "-C", top, "deb", "DIST="+dist, "VERSION="+version, "COMMIT=test", "ARCHES="+arches)
	cmd.Env = append(os.Environ(), append([]string{"SOURCE_DATE_EPOCH=1700000000"}, env...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make deb: %v\n%s", err, out)
	}
	for _, arch := range strings.Fields(arches) {
		fi, err := os.Stat(debPath(dist, version, arch))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.1f MiB", filepath.Base(fi.Name()), float64(fi.Size())/(1<<20))
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// readableDir is a folder that other users can enter.
func readableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sessiondbd-package-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// otherArchitecture runs the arm64 binary against a real server, and expects what the native one says.
func otherArchitecture(t *testing.T, dir string) {
	c := lab.ClusterT(t, lab.ClusterOptions{LegacyRows: true})
	config := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf("database: {url: %q}\n", c.URL("postgres"))
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var machine lab.Place
	on := func(arch string, args ...string) lab.Result {
		root := filepath.Join(dir, arch)
		if _, err := machine.Run(t.Context(), "dpkg-deb", "-x", debPath(dir, oldVersion, arch), root); err != nil {
			t.Fatal(err)
		}
		argv := []string{"setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"}
		if arch == "arm64" && runtime.GOARCH != "arm64" {
			argv = append(argv, "qemu-aarch64-static")
		}
		argv = append(append(argv, filepath.Join(root, "usr/bin/sessiondbd"), "--config", config), args...)
		r, err := machine.Exec(t.Context(), lab.Command{Argv: argv, Env: []string{"SESSIONDBD_STATE_DIR=" + dir, "SESSIONDBD_RUN_DIR=" + dir}})
		var exit *lab.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return r
	}
	if r := on("arm64", "version"); r.Code != 0 || !strings.Contains(r.Stdout, "sessiondbd "+oldVersion+"\n") || !strings.Contains(r.Stdout, "linux/arm64") {
		t.Errorf("version: %+v", r)
	}
	if r := on("arm64", "config", "check"); r.Code != 0 || r.Stdout != config+": ok\n" {
		t.Errorf("config check: %+v", r)
	}
	native := on(runtime.GOARCH, "plan", "--only", "database", "--json")
	// This cluster has no conf.d, so that the line for its settings is refused.
	if native.Code != exitRefused || !strings.Contains(native.Stdout, "migration/0003") {
		t.Fatalf("plan of the native binary: exit %d: %s\n%s", native.Code, native.Stdout, native.Stderr)
	}
	if r := on("arm64", "plan", "--only", "database", "--json"); r.Code != native.Code || r.Stdout != native.Stdout {
		t.Errorf("plan on arm64: exit %d, %s\nnative: exit %d, %s\n%s", r.Code, r.Stdout, native.Code, native.Stdout, r.Stderr)
	}
}

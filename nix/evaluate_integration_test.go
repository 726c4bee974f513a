//go:build integration

package nix

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "renew what is committed: evaluation results, option documentation, vendorHash")

// nixInstantiate evaluates or parses, with no store and no network.
func nixInstantiate(ctx context.Context, t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	out, _, err := nixInstantiateTimed(ctx, t, args...)
	return out, err
}

// nixInstantiateTimed also says what it cost of a processor.
func nixInstantiateTimed(ctx context.Context, t *testing.T, args ...string) ([]byte, time.Duration, error) {
	t.Helper()
	if _, err := exec.LookPath("nix-instantiate"); err != nil {
		t.Fatal("nix-instantiate is missing (package nix-bin); run: make setup")
	}
	cmd := exec.CommandContext(ctx, "nix-instantiate", args...)
	state := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+state, "NIX_STATE_DIR="+state, "NIX_LOCALSTATE_DIR="+state, "NIX_REMOTE=dummy://", "NIX_PATH=")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("nix-instantiate %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return out, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
}

func TestEverythingParses(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.nix", "*/*.nix"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 10 {
		t.Fatalf("only %v", files)
	}
	_, _ = nixInstantiate(t.Context(), t, append([]string{"--parse"}, files...)...)
}

// libs are the libs of nixpkgs that NIXPKGS_LIB lists (separated by colons: a lib folder, or a checkout that holds one), by
// release. A release that is not listed is evaluated with the last one.
// Current says that the newest release has a lib of its own, or a newer one: older ones word the types of options differently.
func libs(t *testing.T) (use map[string]string, current bool) {
	t.Helper()
	found, last := map[string]string{}, ""
	for _, dir := range filepath.SplitList(os.Getenv("NIXPKGS_LIB")) {
		if sub := filepath.Join(dir, "lib"); isFile(filepath.Join(sub, "default.nix")) {
			dir = sub
		}
		version, err := os.ReadFile(filepath.Join(dir, ".version"))
		if os.IsNotExist(err) { // in a checkout it is a link to the folder above
			version, err = os.ReadFile(filepath.Join(dir, "..", ".version"))
		}
		if err != nil {
			t.Fatalf("NIXPKGS_LIB: %v: name the lib folder of nixpkgs, or a checkout", err)
		}
		if dir, err = filepath.Abs(dir); err != nil {
			t.Fatal(err)
		}
		last = dir
		v := strings.TrimSpace(string(version))
		found[v] = dir
		current = current || v >= slices.Max(releases)
	}
	if last == "" {
		return nil, false
	}
	use = map[string]string{}
	for _, r := range releases {
		if use[r] = found[r]; use[r] == "" {
			use[r] = last
		}
	}
	return use, current
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// With the lib of nixpkgs at hand, the committed results are those of an evaluation now.
func TestEvaluation(t *testing.T) {
	libs, current := libs(t)
	if libs == nil {
		if *update {
			t.Fatal("-update needs NIXPKGS_LIB: the lib folder of nixpkgs, one a release")
		}
		t.Log("NIXPKGS_LIB is not set: the other tests hold the committed results to the module by their digest")
		committed(t)
		return
	}
	e, took := evaluateAll(t, libs)
	if took > 15*time.Second { // of processors, as others may be busy on them
		t.Errorf("took %s, want 15 s", took)
	} else {
		t.Logf("%d configurations on %d releases in %s", len(e.Cases), len(releases), took.Round(time.Millisecond))
	}
	if !current {
		if *update {
			t.Fatalf("-update needs the lib of %s or newer in NIXPKGS_LIB", slices.Max(releases))
		}
		e.Options = committed(t).Options
	}
	have, err := e.encode()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(evaluatedFile, have, 0o644))
		must(t, os.WriteFile(optionsFile, []byte(renderOptions(e.Options)), 0o644))
		return
	}
	want, err := os.ReadFile(evaluatedFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != string(want) {
		t.Errorf("%s is not what the module evaluates to: run NIXPKGS_LIB=… make nix-eval, then look at the difference", evaluatedFile)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func evaluateAll(t *testing.T, libs map[string]string) (evaluated, time.Duration) {
	t.Helper()
	var lock sync.Mutex
	var all sync.WaitGroup
	raw := map[string]map[string]map[string]json.RawMessage{}
	var e evaluated
	var took time.Duration
	for _, release := range releases {
		all.Go(func() {
			out, cost, err := nixInstantiateTimed(t.Context(), t, "--eval", "--strict", "--json", "tests/eval.nix",
				"--arg", "libPath", libs[release], "--argstr", "release", release)
			if err != nil {
				return
			}
			var one struct {
				Results map[string]map[string]json.RawMessage `json:"results"`
				evaluated
			}
			if err := json.Unmarshal(out, &one); err != nil {
				t.Errorf("%s: %v", release, err)
				return
			}
			lock.Lock()
			defer lock.Unlock()
			raw[release], took = one.Results, took+cost
			if release == slices.Max(releases) {
				e = one.evaluated
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	e.Digest = digestOfSources(t)
	e.pack(raw)
	return e, took
}

//go:build integration

package nix

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sessiondbd/internal/lab"
)

var (
	sourceLine = regexp.MustCompile(`(?m)^    \.\./([a-z.]+)$`)
	hashLine   = regexp.MustCompile(`vendorHash = "([^"]*)";`)
)

// packageSource copies what package.nix builds from, as its fileset chooses it, into a fresh folder.
func packageSource(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("package.nix")
	must(t, err)
	top, err := lab.Checkout()
	must(t, err)
	to := t.TempDir()
	entries := sourceLine.FindAllStringSubmatch(string(text), -1)
	if len(entries) < 5 {
		t.Fatalf("package.nix names only %v", entries)
	}
	for _, m := range entries {
		must(t, filepath.WalkDir(filepath.Join(top, m[1]), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			rel, err := filepath.Rel(top, path)
			if err != nil {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			dest := filepath.Join(to, rel)
			if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
				return err
			}
			return os.WriteFile(dest, data, 0o644)
		}))
	}
	return to
}

func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// vendorHash is the NAR hash of what `go mod vendor` writes, which nixpkgs compares before it builds.
func TestVendorHash(t *testing.T) {
	if _, err := exec.LookPath("nix-hash"); err != nil {
		t.Fatal("nix-hash is missing (package nix-bin); run: make setup")
	}
	source := packageSource(t)
	command(t, source, "go", "mod", "vendor")
	sum, err := hex.DecodeString(command(t, source, "nix-hash", "--type", "sha256", "vendor"))
	must(t, err)
	want := "sha256-" + base64.StdEncoding.EncodeToString(sum) // as --sri prints it, which Debian 12's does not know
	text, err := os.ReadFile("package.nix")
	must(t, err)
	m := hashLine.FindStringSubmatch(string(text))
	if m == nil {
		t.Fatal("package.nix has no vendorHash")
	}
	command(t, source, "go", "build", "-mod=vendor", "-o", os.DevNull, "./cmd/...")
	if m[1] == want {
		return
	}
	if !*update {
		t.Fatalf("the modules changed: package.nix says vendorHash = %q, want %q; run: make nix-eval", m[1], want)
	}
	must(t, os.WriteFile("package.nix", []byte(strings.Replace(string(text), m[1], want, 1)), 0o644))
}

// derivation is what package.nix hands to buildGoModule.
type derivation struct {
	Pname, Version, PostInstall string
	Ldflags, SubPackages        []string
	Env                         map[string]any
}

func packageDerivation(t *testing.T) derivation {
	t.Helper()
	out, err := nixInstantiate(t.Context(), t, "--eval", "--strict", "--json", "--expr", `
let
  platform = { canExecute = _: true; };
  lib = {
    fileset = { unions = x: x; toSource = x: x; difference = a: b: a; fileFilter = f: p: p; };
    hasSuffix = a: b: false;
  };
  p = import ./package.nix {
    inherit lib;
    stdenv = { buildPlatform = platform; hostPlatform = platform; };
    buildGoModule = x: x;
    commit = "abcdef0";
  };
in { inherit (p) pname version postInstall ldflags subPackages env; }`)
	must(t, err)
	var d derivation
	must(t, json.Unmarshal(out, &d))
	return d
}

// installPackage builds the program and runs the package's own install script with out as its place; NixOS's tools for
// fixing up are not there. Files refer to place.
func installPackage(t *testing.T, out, place string) {
	t.Helper()
	d, source := packageDerivation(t), packageSource(t)
	for _, program := range d.SubPackages {
		command(t, source, "go", "build", "-trimpath", "-ldflags="+strings.Join(d.Ldflags, " "), "-o", filepath.Join(out, "bin")+"/", "./"+program)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", d.PostInstall)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "out="+out)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("postInstall: %v\n%s", err, output)
	}
	must(t, filepath.WalkDir(out, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(path, filepath.Join(out, "bin")) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(strings.ReplaceAll(string(data), out, place)), 0o644)
	}))
}

// The package has the units of deploy/systemd, but for the place of the program: their text has one source.
func TestPackage(t *testing.T) {
	top, err := lab.Checkout()
	must(t, err)
	d := packageDerivation(t)
	makefile, err := os.ReadFile(filepath.Join(top, "Makefile"))
	must(t, err)
	if m := regexp.MustCompile(`(?m)^VERSION \?= (\S+)$`).FindSubmatch(makefile); m == nil || string(m[1]) != d.Version {
		t.Errorf("version is %s, the Makefile's %s", d.Version, m)
	}
	// NixOS 25.11 compiles with Go 1.25.
	if mod, err := os.ReadFile(filepath.Join(top, "go.mod")); err != nil || !regexp.MustCompile(`(?m)^go 1\.25(\.\d+)?$`).Match(mod) {
		t.Errorf("go.mod asks for another Go than 1.25 (%v): older releases of NixOS could not build it", err)
	}
	const place = "/nix/store/00000000000000000000000000000000-sessiondbd"
	out := filepath.Join(t.TempDir(), "out")
	installPackage(t, out, place)
	for _, part := range []string{"sessiondbd " + d.Version, "abcdef0"} {
		if v := command(t, out, "bin/sessiondbd", "version"); !strings.Contains(v, part) {
			t.Errorf("version lacks %q:\n%s", part, v)
		}
	}
	units := 0
	for _, pattern := range []string{"*.service", "*.path", "*.socket", "*.timer"} {
		files, err := filepath.Glob(filepath.Join(top, "deploy/systemd", pattern))
		must(t, err)
		for _, file := range files {
			units++
			want, err := os.ReadFile(file)
			must(t, err)
			have, err := os.ReadFile(filepath.Join(out, "lib/systemd/system", filepath.Base(file)))
			must(t, err)
			if strings.ReplaceAll(string(want), "/usr/bin/sessiondbd", place+"/bin/sessiondbd") != string(have) {
				t.Errorf("%s differs from the one in deploy/systemd:\n%s", filepath.Base(file), have)
			}
			if strings.Contains(string(have), "/usr/") {
				t.Errorf("%s has a path that NixOS has not:\n%s", filepath.Base(file), have)
			}
		}
	}
	if units < 6 {
		t.Errorf("only %d units", units)
	}
	for _, pattern := range []string{"deploy/man/*.8:share/man/man8", "deploy/*/*.catalog:lib/systemd/catalog"} {
		from, to, _ := strings.Cut(pattern, ":")
		files, err := filepath.Glob(filepath.Join(top, from))
		must(t, err)
		for _, f := range files {
			if !isFile(filepath.Join(out, to, filepath.Base(f))) {
				t.Errorf("the package lacks %s", filepath.Base(f))
			}
		}
	}
	if shells, _ := filepath.Glob(filepath.Join(top, "deploy/completions/*")); len(shells) > 0 {
		for _, f := range []string{"share/bash-completion/completions/sessiondbd.bash", "share/zsh/site-functions/_sessiondbd", "share/fish/vendor_completions.d/sessiondbd.fish"} {
			if !isFile(filepath.Join(out, f)) {
				t.Errorf("the package lacks %s", f)
			}
		}
	}
}

// The script of the booted test, which only nixpkgs can run, is at least Python.
func TestScriptCompiles(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "python3", "-c", "import ast, sys; ast.parse(sys.stdin.read())")
	cmd.Stdin = strings.NewReader(committed(t).Script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

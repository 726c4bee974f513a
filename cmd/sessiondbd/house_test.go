package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// star says which of our packages each may import outside its tests. A package that is not named here has no place yet.
var star = map[string][]string{
	"cmd/sessiondbd": {
		"internal/config", "internal/daemon", "internal/dump", "internal/firewall", "internal/operate", "internal/plan",
		"internal/postgres", "internal/role", "internal/schema", "internal/server", "internal/systemd",
	},
	// A program of its own: linked into the other one, its library would cost each daemon 3 MiB.
	"cmd/sessiondbd-metrics": {"internal/config", "internal/daemon", "internal/firewall", "internal/operate", "internal/postgres", "internal/systemd"},
	"internal/plan":          nil,
	"internal/config":        nil,
	"internal/systemd":       nil,
	"internal/postgres":      {"internal/plan"},
	"internal/schema":        {"internal/plan", "internal/postgres", "migrations"},
	"internal/role":          {"internal/plan", "internal/postgres"},
	"internal/server":        {"internal/plan", "internal/postgres"},
	"internal/firewall":      {"internal/plan"},
	"internal/daemon":        {"internal/plan", "internal/systemd"},
	"internal/operate":       {"internal/plan", "internal/postgres", "internal/schema", "internal/role", "internal/server", "internal/firewall", "internal/systemd"},
	"internal/dump":          {"internal/postgres"},
	"migrations":             nil,

	// For tests only. The programs beside the lab read what the product writes.
	"internal/lab":         nil,
	"internal/lab/bench":   {"internal/lab", "internal/daemon", "migrations"},
	"internal/lab/demo":    {"internal/lab", "internal/plan"},
	"internal/lab/tally":   {"internal/lab"},
	"testdata/clients/pgx": nil,
	"nix":                  nil,
}

// testStar is what tests may import beside that, the lab and their own package.
var testStar = map[string][]string{
	"nix": {"internal/config", "internal/server"}, // the module's text is held against what the product understands
}

// homes says where a library may be used outside tests; others are free.
var homes = map[string][]string{
	"github.com/jackc/pgx":          {"internal/postgres", "internal/lab/bench", "testdata/clients/pgx"},
	"github.com/coreos/go-iptables": {"internal/firewall"},
	"github.com/mdlayher/netlink":   {"internal/firewall", "internal/lab/bench"},
	"github.com/spf13/":             {"cmd/sessiondbd"},
	"gopkg.in/yaml.v3":              {"internal/config"},
	"github.com/prometheus/":        {"cmd/sessiondbd-metrics"},
	"github.com/klauspost/compress": {"internal/dump"},
}

// rooms that use the standard library and nothing else.
var plain = []string{"internal/plan", "internal/daemon", "internal/role", "internal/schema", "internal/server"}

// topLevel is everything that may lie in the root of the tree beside dotfiles; bin and dist are built there.
var topLevel = []string{"Makefile", "README.md", "bin", "cmd", "deploy", "dist", "go.mod", "go.sum", "internal", "migrations", "nix", "testdata"}

const (
	maxFileLines     = 250
	maxTestFileLines = 350
	maxFuncLines     = 60
)

// longFiles are the exceptions, each with its reason and its own bound.
var longFiles = map[string]int{
	"internal/firewall/diff_test.go":   430, // likewise
	"internal/server/settings_test.go": 360, // likewise
	"internal/daemon/loop_test.go":     480, // one loop, one scenario a test, all over the same fake
}

// The house is as design.md draws it.
func TestHouse(t *testing.T) {
	const top = "../.."
	docs := map[string]int{}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		if !strings.Contains(name, "/") && !strings.HasPrefix(name, ".") && !slices.Contains(topLevel, name) {
			t.Errorf("%s does not belong into the top level", name)
		}
		switch {
		case name == ".":
			return nil
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || name == "bin" || name == "dist"):
			return fs.SkipDir
		case strings.HasSuffix(name, ".txt") || strings.HasSuffix(name, ".txtar"):
			return scriptSkips(t, path)
		case !strings.HasSuffix(name, ".go"):
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		faults, doc := inspect(name, string(src))
		for _, fault := range faults {
			t.Error(fault)
		}
		if !strings.HasSuffix(name, "_test.go") {
			docs[filepath.Dir(name)] += doc
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, n := range docs {
		if n != 1 {
			t.Errorf("%s: %d package comments, want one", dir, n)
		}
	}
	for name := range longFiles {
		if _, err := os.Stat(filepath.Join(top, name)); err != nil {
			t.Errorf("an exception for nothing: %v", err)
		}
	}
	if len(docs) < 12 {
		t.Errorf("only %d packages were looked at", len(docs))
	}
}

// scriptSkips: a script that skips is a test that did not run.
func scriptSkips(t *testing.T, path string) error {
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(path, "/testdata/script/") {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 0 && (f[0] == "skip" || strings.HasPrefix(f[0], "[") && slices.Contains(f, "skip")) {
			t.Errorf("%s: %s", path, line)
		}
	}
	return nil
}

// inspect says what is wrong with one file, and how many package comments it holds.
func inspect(name, src string) (faults []string, docs int) {
	fault := func(format string, args ...any) {
		faults = append(faults, name+": "+fmt.Sprintf(format, args...))
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, src, parser.ParseComments)
	if err != nil {
		return []string{err.Error()}, 0
	}
	dir, test := filepath.Dir(name), strings.HasSuffix(name, "_test.go")
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value) // the parser has accepted it
		if why := misplaced(dir, path, test); why != "" {
			fault("imports %s: %s", path, why)
		}
	}
	limit := maxFileLines
	if test {
		limit = maxTestFileLines
	}
	if n := strings.Count(src, "\n"); n > max(limit, longFiles[name]) {
		fault("%d lines, at most %d", n, max(limit, longFiles[name]))
	}
	if file.Doc != nil && !test {
		docs = 1
		if why := unlikeSentence(file.Doc.Text()); why != "" {
			fault("package comment %s", why)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if lines := set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1; !test && lines > maxFuncLines {
				fault("func %s has %d lines, at most %d", n.Name.Name, lines, maxFuncLines)
			}
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && test && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, s.Sel.Name) {
				fault("line %d skips a test: one that cannot run fails and says why", set.Position(n.Pos()).Line)
			}
		}
		return true
	})
	return faults, docs
}

// misplaced says why a package may not import another; empty: it may.
func misplaced(dir, path string, test bool) string {
	rooms, placed := star[dir]
	own, ours := strings.CutPrefix(path, "sessiondbd/")
	library := !ours && strings.Contains(strings.SplitN(path, "/", 2)[0], ".")
	switch {
	case !placed:
		return dir + " has no place in the star"
	case ours && test && (own == "internal/lab" || own == dir || slices.Contains(testStar[dir], own)):
		return ""
	case ours && own == "internal/lab" && !strings.HasPrefix(dir, "internal/lab/"):
		return "the lab is for tests only"
	case ours && !slices.Contains(rooms, own):
		return dir + " may import " + orNothing(rooms)
	case library && !test && slices.Contains(plain, dir):
		return dir + " uses the standard library only"
	case library && !test:
		for prefix, home := range homes {
			if strings.HasPrefix(path, prefix) && !slices.Contains(home, dir) {
				return "its home is " + strings.Join(home, ", ")
			}
		}
	}
	return ""
}

func orNothing(rooms []string) string {
	if len(rooms) == 0 {
		return "nothing of ours"
	}
	return strings.Join(rooms, ", ")
}

// unlikeSentence holds a package comment to one sentence about one thing.
func unlikeSentence(text string) string {
	text = strings.TrimSpace(text)
	switch words := strings.Fields(text); {
	case !strings.HasPrefix(text, "Package ") && !strings.HasPrefix(text, "Command "):
		return "does not begin with Package or Command"
	case !strings.HasSuffix(text, ".") || strings.Contains(text, ". "):
		return "is not one sentence"
	case slices.Contains(words, "and"):
		return `says "and": two things`
	}
	return ""
}

// What TestHouse would say of a house that leans; every fault has a twin that is none.
func TestHouseFaults(t *testing.T) {
	long := strings.Repeat("\n", maxFileLines+1)
	for _, tt := range []struct{ name, file, src, fault, twinFile, twin string }{
		{"a room imports another", "internal/role/x.go", `package role; import "sessiondbd/internal/schema"`, "internal/role may import internal/plan, internal/postgres", "internal/role/x.go", `package role; import "sessiondbd/internal/plan"`},
		{"also in its tests", "internal/role/x_test.go", `package role; import "sessiondbd/internal/schema"`, "internal/role may import internal/plan, internal/postgres", "internal/role/x_test.go", `package role; import "sessiondbd/internal/lab"`},
		{"plan imports a room", "internal/plan/x.go", `package plan; import "sessiondbd/internal/postgres"`, "internal/plan may import nothing of ours", "internal/plan/x.go", `package plan; import "encoding/json"`},
		{"plan imports a library", "internal/plan/x.go", `package plan; import "golang.org/x/sys/unix"`, "internal/plan uses the standard library only", "internal/plan/x_test.go", `package plan; import "github.com/google/go-cmp/cmp"`},
		{"config imports a room", "internal/config/x.go", `package config; import "sessiondbd/internal/role"`, "internal/config may import nothing of ours", "internal/config/x.go", `package config; import "gopkg.in/yaml.v3"`},
		{"SQL in the daemon", "internal/daemon/x.go", `package daemon; import "sessiondbd/internal/postgres"`, "internal/daemon may import internal/plan, internal/systemd", "internal/daemon/x.go", `package daemon; import "sessiondbd/internal/systemd"`},
		{"pgx outside its home", "cmd/sessiondbd/x.go", `package main; import "github.com/jackc/pgx/v5"`, "its home is internal/postgres, internal/lab/bench, testdata/clients/pgx", "internal/postgres/x.go", `package postgres; import "github.com/jackc/pgx/v5/pgconn"`},
		{"the lab in the product", "cmd/sessiondbd/x.go", `package main; import "sessiondbd/internal/lab"`, "the lab is for tests only", "cmd/sessiondbd/x_test.go", `package main; import "sessiondbd/internal/lab"`},
		{"the product in the lab", "internal/lab/x.go", `package lab; import "sessiondbd/internal/plan"`, "internal/lab may import nothing of ours", "internal/lab/x_test.go", `package lab_test; import "sessiondbd/internal/lab"`},
		{"a new room", "internal/cloud/x.go", `package cloud; import "fmt"`, "internal/cloud has no place in the star", "internal/systemd/x.go", `package systemd; import "fmt"`},
		{"a long file", "internal/plan/x.go", "package plan" + long, "251 lines, at most 250", "internal/plan/x_test.go", "package plan" + long},
		{"a long function", "internal/plan/x.go", "package plan\nfunc f() {" + strings.Repeat("\n", 60) + "}", "func f has 61 lines, at most 60", "internal/plan/x.go", "package plan\nfunc f() {" + strings.Repeat("\n", 59) + "}"},
		{"two things", "internal/plan/x.go", "// Package plan plans and runs.\npackage plan", `package comment says "and": two things`, "internal/plan/x.go", "// Package plan plans the android's runs.\npackage plan"},
		{"two sentences", "internal/plan/x.go", "// Package plan plans. It runs.\npackage plan", "package comment is not one sentence", "internal/plan/x.go", "// Package plan plans: it runs.\npackage plan"},
		{"no comment of its own", "internal/plan/x.go", "// Plans.\npackage plan", "package comment does not begin with Package or Command", "internal/plan/x.go", "// Package plan plans.\npackage plan"},
		{"a skip", "internal/plan/x_test.go", "package plan\nfunc f(t T) { t.Skipf(\"no root\") }", "line 2 skips a test: one that cannot run fails and says why", "internal/plan/x_test.go", "package plan\nfunc f(t T) { t.Fatalf(\"no root\") }"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			faults, _ := inspect(tt.file, tt.src)
			if len(faults) != 1 || !strings.HasPrefix(faults[0], tt.file+": ") || !strings.HasSuffix(faults[0], tt.fault) {
				t.Errorf("have %q, want %q", faults, tt.fault)
			}
			faults, _ = inspect(tt.twinFile, tt.twin)
			if d := cmp.Diff([]string(nil), faults); d != "" {
				t.Errorf("the twin (-want +have):\n%s", d)
			}
		})
	}
}

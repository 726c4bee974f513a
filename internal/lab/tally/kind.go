package main

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// kind is what a test needs to run.
type kind string

const (
	unit       kind = "unit"
	postgreSQL kind = "PostgreSQL"
	iptables   kind = "iptables"
	hypervisor kind = "hypervisor"
	nix        kind = "Nix"
)

var allKinds = []kind{unit, postgreSQL, iptables, hypervisor, nix}

// integration is the build tag of tests that need more than the Go toolchain.
const integration = "integration"

// kindOfFile decides by where a test stands:
//   - a file that is built without the tag integration has unit tests;
//   - one that boots a hypervisor, has the word in its name, or is internal/lab's, which makes them, is about hypervisors;
//   - one of internal/firewall works on real tables;
//   - one of nix has the module evaluated;
//   - all others talk to a real PostgreSQL.
func kindOfFile(folder, name string, tagged, boots bool) kind {
	switch {
	case !tagged:
		return unit
	case boots, strings.Contains(name, "hypervisor"), folder == "internal/lab":
		return hypervisor
	case folder == "internal/firewall":
		return iptables
	case folder == "nix":
		return nix
	}
	return postgreSQL
}

// kinds are those of a module's tests, by package and name of the top-level test.
type kinds struct {
	module string
	tests  map[[2]string]kind
}

// of returns the kind of a test or subtest. One that no file declares is judged by its package alone.
func (k kinds) of(pkg, name string) kind {
	top, _, _ := strings.Cut(name, "/")
	if found, ok := k.tests[[2]string{pkg, top}]; ok {
		return found
	}
	return kindOfFile(strings.TrimPrefix(pkg, k.module+"/"), "", true, false)
}

var moduleLine = regexp.MustCompile(`(?m)^module\s+(\S+)`)

// readKinds reads the test files of the module whose root is top.
func readKinds(top string) (kinds, error) {
	mod, err := os.ReadFile(filepath.Join(top, "go.mod"))
	if err != nil {
		return kinds{}, err
	}
	m := moduleLine.FindSubmatch(mod)
	if m == nil {
		return kinds{}, fmt.Errorf("%s/go.mod: no module line", top)
	}
	k := kinds{module: string(m[1]), tests: map[[2]string]kind{}}
	err = fs.WalkDir(os.DirFS(top), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(p)
		if d.IsDir() && p != "." && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(base, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(filepath.Join(top, p))
		if err != nil {
			return err
		}
		return k.read(p, src)
	})
	return k, err
}

// read adds the tests of one file; its path is relative to the module.
func (k kinds) read(name string, src []byte) error {
	f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil // the compiler will tell, and in better words
	}
	folder := path.Dir(name)
	of := kindOfFile(folder, path.Base(name), needsTag(f), boots(f))
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && isTest(fn.Name.Name) {
			k.tests[[2]string{path.Join(k.module, folder), fn.Name.Name}] = of
		}
	}
	return nil
}

func isTest(name string) bool {
	return strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz") || strings.HasPrefix(name, "Example")
}

// boots says whether something in the file calls lab.Boot, lab.BootT or a helper boot over them.
func boots(f *ast.File) bool {
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		var name string
		switch fn := call.Fun.(type) {
		case *ast.Ident:
			name = fn.Name
		case *ast.SelectorExpr:
			name = fn.Sel.Name
		}
		found = found || name == "boot" || name == "Boot" || name == "BootT"
		return true
	})
	return found
}

// needsTag says whether a file is left out when the tag integration is not set and all others are.
func needsTag(f *ast.File) bool {
	for _, group := range f.Comments {
		for _, c := range group.List {
			if c.Pos() > f.Package || !constraint.IsGoBuild(c.Text) {
				continue
			}
			expr, err := constraint.Parse(c.Text)
			return err == nil && !expr.Eval(func(tag string) bool { return tag != integration })
		}
	}
	return false
}

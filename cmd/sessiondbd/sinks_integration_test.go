//go:build integration

package main

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// sinks are the places where a secret could come to light, each with every text that was seen there.
type sinks struct {
	mu   sync.Mutex
	seen map[string]map[string]bool
}

func (k *sinks) add(place string, texts ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen == nil {
		k.seen = map[string]map[string]bool{}
	}
	if k.seen[place] == nil {
		k.seen[place] = map[string]bool{}
	}
	for _, text := range texts {
		k.seen[place][text] = true
	}
}

// find lists the places that hold one of the secrets, and says which by its name.
func (k *sinks) find(secrets map[string]string) map[string]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	found := map[string]string{}
	for place, texts := range k.seen {
		for text := range texts {
			for name, secret := range secrets {
				if strings.Contains(text, secret) {
					found[place] = name
				}
			}
		}
	}
	return found
}

func (k *sinks) places() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(maps.Keys(k.seen))
}

// verifierParts are a stored verifier and what it is made of: each alone must not come to light either.
func verifierParts(t *testing.T, name, stored string) map[string]string {
	t.Helper()
	f := strings.FieldsFunc(stored, func(r rune) bool { return r == '$' || r == ':' })
	if len(f) != 5 || f[0] != "SCRAM-SHA-256" {
		t.Fatalf("%s: no verifier is stored", name)
	}
	return map[string]string{name + "'s salt": f[2], name + "'s StoredKey": f[3], name + "'s ServerKey": f[4]}
}

// watch looks, as fast as it can, at what other sessions run and at our processes, until the test ends. ours tells a
// process by its command line.
func (k *sinks) watch(t *testing.T, url string, ours func(cmdline string) bool) {
	t.Helper()
	cfg, err := pgconn.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	for name, quiet := range map[string]string{ // what it does itself is not worth logging a thousand times
		"log_statement": "none", "log_min_duration_statement": "-1", "log_min_duration_sample": "-1", "log_duration": "off", "log_transaction_sample_rate": "0",
		"debug_print_parse": "off", "debug_print_rewritten": "off", "debug_print_plan": "off", "auto_explain.log_min_duration": "-1",
		"log_parser_stats": "off", "log_planner_stats": "off", "log_executor_stats": "off", "pg_stat_statements.track": "none", "application_name": "watcher",
	} {
		cfg.RuntimeParams[name] = quiet
	}
	conn, err := pgconn.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		for ctx.Err() == nil {
			for _, row := range conn.ExecParams(ctx, "SELECT application_name || ': ' || query FROM pg_stat_activity WHERE application_name <> 'watcher'", nil, nil, nil, nil).Read().Rows {
				k.add("pg_stat_activity", string(row[0]))
			}
		}
	})
	watching.Go(func() {
		for ctx.Err() == nil {
			k.processes(ours)
		}
	})
	t.Cleanup(func() {
		stop()
		watching.Wait()
		_ = conn.Close(context.Background())
	})
}

// processes looks once.
func (k *sinks) processes(ours func(string) bool) {
	list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range list {
		cmdline, err := os.ReadFile(path)
		if err != nil || !ours(string(cmdline)) {
			continue
		}
		environ, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "environ"))
		k.add("cmdline", string(cmdline))
		k.add("environ", string(environ))
	}
}

// below adds every file below a folder, its name included.
func (k *sinks) below(t *testing.T, place, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		k.add(place, fmt.Sprintf("%s %s", path, text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

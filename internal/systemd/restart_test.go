package systemd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRestartPostgreSQL(t *testing.T) {
	tests := []struct {
		name, flag, unit string
	}{
		{"Debian's cluster", "postgresql@15-main.service\n", "postgresql@15-main.service"},
		{"another of its clusters", "postgresql@9-x.service", ""},
		{"a name with dots", "postgresql@17-a.b_c-2.service", "postgresql@17-a.b_c-2.service"},
		{"the whole service", "postgresql.service", "postgresql.service"},
		{"without the suffix", "postgresql", ""},
		{"another service", "ssh.service", ""},
		{"two units", "postgresql.service\nssh.service", ""},
		{"two units on a line", "postgresql.service ssh.service", ""},
		{"an option", "--force", ""},
		{"a path", "postgresql@15-../../ssh.service", ""},
		{"longer than any", "postgresql@15-" + strings.Repeat("a", 300) + ".service", ""},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			flag := filepath.Join(t.TempDir(), "restart-postgresql")
			if err := os.WriteFile(flag, []byte(tt.flag), 0o600); err != nil {
				t.Fatal(err)
			}
			got := ""
			err := RestartPostgreSQL(t.Context(), flag, func(_ context.Context, u string) error {
				if _, err := os.Lstat(flag); !os.IsNotExist(err) {
					t.Errorf("the flag is still there during the restart: %v", err)
				}
				got = u
				return nil
			})
			if got != tt.unit || errors.Is(err, ErrNotPostgreSQL) != (tt.unit == "") {
				t.Errorf("restarted %q: %v", got, err)
			}
			if _, err := os.Lstat(flag); !os.IsNotExist(err) {
				t.Errorf("the flag is left behind: %v", err)
			}
		})
	}
}

func TestRestartPostgreSQLDistrustsTheFlag(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	if err := os.WriteFile(good, []byte("postgresql.service"), 0o600); err != nil {
		t.Fatal(err)
	}
	makers := map[string]func(string) error{
		"a link":   func(f string) error { return os.Symlink(good, f) },
		"a FIFO":   func(f string) error { return syscall.Mkfifo(f, 0o600) },
		"a folder": func(f string) error { return os.Mkdir(f, 0o700) },
	}
	for name, create := range makers {
		t.Run(name, func(t *testing.T) {
			flag := filepath.Join(dir, "flag")
			if err := create(flag); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			err := RestartPostgreSQL(ctx, flag, func(_ context.Context, u string) error {
				t.Errorf("restarted %q", u)
				return nil
			})
			if err == nil || ctx.Err() != nil {
				t.Errorf("%v", err)
			}
			if _, err := os.Lstat(flag); !os.IsNotExist(err) {
				t.Errorf("the flag is left behind: %v", err)
			}
			if _, err := os.Stat(good); err != nil {
				t.Errorf("what the link led to is gone: %v", err)
			}
		})
	}
}

func TestRestartPostgreSQLWithoutFlagOrSuccess(t *testing.T) {
	flag := filepath.Join(t.TempDir(), "restart-postgresql")
	broken := errors.New("no bus")
	restart := func(context.Context, string) error { return broken }
	if err := RestartPostgreSQL(t.Context(), flag, restart); err != nil {
		t.Errorf("no flag: %v", err)
	}
	if err := os.WriteFile(flag, []byte("postgresql.service"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := RestartPostgreSQL(t.Context(), flag, restart); !errors.Is(err, broken) {
		t.Errorf("a restart that fails: %v", err)
	}
}

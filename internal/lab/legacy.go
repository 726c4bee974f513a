package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Server is what runs SQL as the administrator: a Cluster or a Hypervisor.
type Server interface {
	PSQL(ctx context.Context, db, sql string) (string, error)
}

// LoadLegacy leaves on a server what the shell oneshot init-session-schema left on hosts: database sessiondb, role
// sessionuser with the documented password, the table with nullable timestamps; with rows, three hundred of them.
func LoadLegacy(ctx context.Context, server Server, rows bool) error {
	top, err := Checkout()
	if err != nil {
		return err
	}
	type script struct{ db, file string }
	scripts := []script{{"postgres", "oneshot-roles.sql"}, {"sessiondb", "oneshot.sql"}}
	if rows {
		scripts = append(scripts, script{"sessiondb", "rows.sql"})
	}
	for _, s := range scripts {
		sql, err := os.ReadFile(filepath.Join(top, "testdata/legacy", s.file))
		if err != nil {
			return err
		}
		if _, err := server.PSQL(ctx, s.db, string(sql)); err != nil {
			return fmt.Errorf("%s: %w", s.file, err)
		}
	}
	return nil
}

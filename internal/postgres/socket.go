package postgres

import (
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// socketWait bounds the wait for a server of this very host.
const socketWait = time.Second

// Sockets are the path at which the target's server should listen, and those beside it at which another does. A target over
// the network has none.
func (t Target) Sockets() (own string, others []string) {
	network, own := pgconn.NetworkAddress(t.maintenance.Host, t.maintenance.Port)
	if network != "unix" {
		return "", nil
	}
	all, _ := filepath.Glob(filepath.Join(filepath.Dir(own), ".s.PGSQL.*")) // the pattern is a right one
	return own, slices.DeleteFunc(all, func(path string) bool {
		if path == own || filepath.Ext(path) == ".lock" {
			return true
		}
		c, err := net.DialTimeout("unix", path, socketWait) // that of a server which was killed stays
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
}

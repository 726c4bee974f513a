package operate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"sessiondbd/internal/postgres"
)

// ErrNoRoom says that a disk has become too full to go on.
var ErrNoRoom = errors.New("there is too little room on the disk")

// Room is the file system of a server's data. PostgreSQL stops for everybody once it cannot write its log there.
type Room struct {
	Data string // the folder; empty: the server is on another host
	keep int64  // bytes that are not ours to take
}

// roomMargin is for what is written between two looks, and for whoever else writes.
const (
	roomMargin = 256 << 20
	roomEvery  = 100 * time.Millisecond
)

// RoomOf asks how much the server's log may still grow.
func RoomOf(ctx context.Context, c *postgres.Conn, data string) (Room, error) {
	r := Room{Data: data}
	err := c.Ask(ctx, []postgres.Query{r.Query()})
	return r, err
}

// Query asks the same, for who asks more.
func (r *Room) Query() postgres.Query {
	var log []number
	return postgres.Query{
		Name: "the room that the log needs", Into: &log,
		SQL: `SELECT greatest(0, pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_wal_size')) - (SELECT coalesce(sum(size), 0) FROM pg_catalog.pg_ls_waldir()))::int8 AS n`,
		Then: func() {
			r.keep = roomMargin
			for _, l := range log {
				r.keep += int64(l.Rows)
			}
		},
	}
}

// Disk says whether what is to be written to dir fits, with the room that is left to PostgreSQL.
func (r Room) Disk(dir, what string, need int64) Disk {
	if r.Data != "" && sameDisk(r.Data, dir) {
		need += r.keep
	}
	return MeasureDisk(dir, what, need)
}

// Guard returns a context that ends with ErrNoRoom once what is written to dir leaves PostgreSQL too little. Where dir lies on
// another file system, whatever fills that stops nobody else. done ends the watch and replaces an error by its reason.
func (r Room) Guard(ctx context.Context, dir string) (guarded context.Context, done func(error) error) {
	guarded, cancel := context.WithCancelCause(ctx)
	over := make(chan struct{})
	if r.Data == "" || !sameDisk(r.Data, dir) {
		close(over)
	} else {
		go func() {
			defer close(over)
			tick := time.NewTicker(roomEvery)
			defer tick.Stop()
			for {
				if err := r.left(); err != nil {
					cancel(err)
					return
				}
				select {
				case <-guarded.Done():
					return
				case <-tick.C:
				}
			}
		}()
	}
	return guarded, func(err error) error {
		if cause := context.Cause(guarded); err != nil && errors.Is(cause, ErrNoRoom) {
			err = cause
		}
		cancel(nil)
		<-over
		return err
	}
}

func (r Room) left() error {
	k := r.Disk(r.Data, "", 0)
	if k.Err != nil || k.Free >= k.Need {
		return nil // what cannot be seen is no reason to stop
	}
	return fmt.Errorf("%w: %s has %s free, and PostgreSQL may need %s of them for its log, without which it stops for everybody: df -h %s", ErrNoRoom, r.Data, Size(k.Free), Size(r.keep), r.Data)
}

// sameDisk: what does not exist yet will lie where the nearest folder above it does.
func sameDisk(a, b string) bool {
	device := func(path string) (uint64, bool) {
		for {
			var s syscall.Stat_t
			err := syscall.Stat(path, &s)
			if !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
				return s.Dev, err == nil
			}
			path = filepath.Dir(path)
		}
	}
	x, seen := device(a)
	y, both := device(b)
	return seen && both && x == y
}

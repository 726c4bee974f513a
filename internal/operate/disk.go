package operate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sessiondbd/internal/systemd"
)

// Disk is a file system that something has to fit into.
type Disk struct {
	Path string // a folder; while it does not exist, the nearest one above it was measured
	For  string // what has to fit
	Free int64  // in bytes, for the database's user
	Need int64  // in bytes, at most; 0: that is not known
	Err  error
}

var errNoFolder = errors.New("it is in the way of a folder")

// brim is what the server's disk has to have at the least: without room for the next file of its log PostgreSQL stops.
const brim = 16 << 20

// forServer is what fits on the disk of a server that could not be asked.
const forServer = "PostgreSQL's data"

// MeasureDisk says how much is free where path lies or, while it does not exist, would lie. On a server's own host only.
func MeasureDisk(path, what string, need int64) Disk {
	k := Disk{Path: path, For: what, Need: need}
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		k.Err = fmt.Errorf("%w: a file", errNoFolder)
		return k
	}
	var s syscall.Statfs_t
	for {
		k.Err = syscall.Statfs(path, &s)
		if _, err := os.Lstat(path); err == nil && errors.Is(k.Err, fs.ErrNotExist) {
			k.Err = fmt.Errorf("%w: %s is a link that leads nowhere", errNoFolder, path)
			break
		}
		if !errors.Is(k.Err, fs.ErrNotExist) || path == filepath.Dir(path) {
			break
		}
		path = filepath.Dir(path)
	}
	if k.Err == nil {
		k.Free = int64(s.Bavail) * s.Bsize
	}
	return k
}

// ServerDisks measures what a server that cannot be asked lies on, as far as its units tell: Debian names folders like them.
func ServerDisks(units []systemd.UnitState) (list []Disk) {
	for _, u := range units {
		instance, is := strings.CutPrefix(strings.TrimSuffix(u.Name, ".service"), "postgresql@")
		version, cluster, _ := strings.Cut(instance, "-")
		path := filepath.Join("/var/lib/postgresql", version, cluster)
		if info, err := os.Stat(path); is && cluster != "" && err == nil && info.IsDir() {
			list = append(list, MeasureDisk(path, forServer, 0))
		}
	}
	return list
}

// disk tells of one that is full, and where a backup, or a restore beside the database, would not fit.
func (c *Case) disk(d *Diagnosis) {
	for _, k := range c.Disks {
		room := "df -h " + k.Path + "    # make room there, or mount a larger file system"
		switch {
		case errors.Is(k.Err, errNoFolder):
			d.find(AreaDisk, Risk, fmt.Sprintf("%s: %v", k.Path, k.Err), "there is no room for "+k.For, "ls -ld "+k.Path+"    # move it away; sessiondbd makes the folder, or choose another: backup.directory in the config")
		case k.Err != nil:
			d.find(AreaDisk, Unseen, fmt.Sprintf("%s: %v", k.Path, k.Err), "whether "+k.For+" fits is not known",
				c.asRoot("choose a folder that user postgres (database.os_user) can reach: backup.directory in the config"))
		case k.For == forServer && k.Free < brim:
			d.find(AreaDisk, Broken, fmt.Sprintf("%s has %s free", k.Path, Size(k.Free)), "PostgreSQL stops for everybody once it cannot write its log", room)
		case k.Free == 0:
			d.find(AreaDisk, Broken, fmt.Sprintf("%s has nothing free", k.Path), "there is no room for "+k.For, room)
		case k.Need == 0:
			d.look(AreaDisk, fmt.Sprintf("%s has %s free", k.Path, Size(k.Free)))
		case k.Free < k.Need:
			d.find(AreaDisk, Risk, fmt.Sprintf("%s has %s free; %s may need %s", k.Path, Size(k.Free), k.For, Size(k.Need)), "it would stop halfway for want of space", room)
		default:
			d.look(AreaDisk, fmt.Sprintf("%s has %s free; %s needs at most %s", k.Path, Size(k.Free), k.For, Size(k.Need)))
		}
	}
}

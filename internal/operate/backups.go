package operate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Backups is the folder of the backups of one database. A backup is a dump with what belongs to it under the same name; the
// dump gets its name last, so that one that has it is whole.
type Backups struct{ Dir, Database string }

// The ends of the names of a backup's files.
const (
	dumpEnd    = ".dump"
	sumEnd     = ".dump.sha256" // as sha256sum writes it
	rolesEnd   = ".roles.sql"
	contentEnd = ".json"
	partialEnd = ".partial"
)

const backupTime = "20060102T150405Z"

// Content is what a backup holds, counted in the snapshot that it was made of.
type Content struct {
	Database string           `json:"database"`
	Server   string           `json:"server"` // server_version
	At       time.Time        `json:"at"`
	Bytes    int64            `json:"bytes"`
	SHA256   string           `json:"sha256"`
	Sessions int64            `json:"sessions"`
	Rows     map[string]int64 `json:"rows"` // by table
}

// Backup is one that is there.
type Backup struct {
	Name string // without its end
	At   time.Time
}

var backupStamp = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\d{8}T\d{6}Z$`) })

// Name is how a backup of that time is called.
func (b Backups) Name(at time.Time) string { return b.Database + "-" + at.UTC().Format(backupTime) }

// Path is that of a backup's dump.
func (b Backups) Path(name string) string { return filepath.Join(b.Dir, name+dumpEnd) }

// Partial is where its dump grows before it is one.
func (b Backups) Partial(name string) string {
	return filepath.Join(b.Dir, "."+name+dumpEnd+partialEnd)
}

// List returns the backups that are whole, newest first.
func (b Backups) List() ([]Backup, error) {
	entries, err := os.ReadDir(b.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("backup.directory: %w", err)
	}
	var all []Backup
	for _, e := range entries {
		name, is := strings.CutSuffix(e.Name(), dumpEnd)
		stamp, ours := strings.CutPrefix(name, b.Database+"-")
		if !is || !ours || !backupStamp().MatchString(stamp) || !e.Type().IsRegular() {
			continue
		}
		if at, err := time.Parse(backupTime, stamp); err == nil {
			all = append(all, Backup{name, at})
		}
	}
	slices.SortFunc(all, func(x, y Backup) int { return y.At.Compare(x.At) })
	return all, nil
}

// Clear removes what backups that were killed have left behind. It has to hold their lock.
func (b Backups) Clear() error {
	entries, err := os.ReadDir(b.Dir)
	if err != nil {
		return b.explain(err)
	}
	for _, e := range entries {
		if !b.leftover(e.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(b.Dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// part says which backup a file belongs to, whole or not, by the time in its name, and what of it the file is; empty: none.
func (b Backups) part(file string) (at, end string) {
	stamp, ours := strings.CutPrefix(strings.TrimPrefix(file, "."), b.Database+"-")
	for _, end := range []string{dumpEnd, dumpEnd + partialEnd, sumEnd, rolesEnd, contentEnd} {
		if at, is := strings.CutSuffix(stamp, end); ours && is && backupStamp().MatchString(at) {
			return at, end
		}
	}
	return "", ""
}

// leftover says whether a file is a part of a backup whose dump never got its name, or lost it.
func (b Backups) leftover(file string) bool {
	at, end := b.part(file)
	if end == "" || end == dumpEnd {
		return false
	}
	_, err := os.Lstat(b.Path(b.Database + "-" + at))
	return end == dumpEnd+partialEnd || errors.Is(err, fs.ErrNotExist)
}

// Finish gives a dump that lies under its partial name its place, with what belongs to it, all of it on the disk.
func (b Backups) Finish(name string, c Content, roles string) error {
	content, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	for end, text := range map[string]string{
		sumEnd: c.SHA256 + "  " + name + dumpEnd + "\n", rolesEnd: roles, contentEnd: string(content) + "\n",
	} {
		if err := writeSynced(filepath.Join(b.Dir, name+end), text); err != nil {
			return err
		}
	}
	if err := os.Rename(b.Partial(name), b.Path(name)); err != nil {
		return err
	}
	return syncDir(b.Dir)
}

// Keep removes all but the newest n, of which the one that was just made is the first. Those whose names are of a later time come
// from a clock that was wrong, then or now: nobody can tell how old they are, so none of them is counted or removed.
func (b Backups) Keep(n int, made string) (removed, ahead []string, err error) {
	all, err := b.List()
	if err != nil {
		return nil, nil, err
	}
	at := slices.IndexFunc(all, func(x Backup) bool { return x.Name == made })
	if at < 0 {
		return nil, nil, fmt.Errorf("backup.directory: %s is gone already: who else removes files there?", b.Path(made))
	}
	for _, x := range all[:at] {
		ahead = append(ahead, x.Name)
	}
	for _, old := range all[min(len(all), at+max(1, n)):] {
		// The dump first: what is left without it is a leftover, which the next backup clears.
		for _, end := range []string{dumpEnd, sumEnd, rolesEnd, contentEnd} {
			if err := os.Remove(filepath.Join(b.Dir, old.Name+end)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return removed, ahead, err
			}
		}
		removed = append(removed, old.Name)
	}
	return removed, ahead, nil
}

// Newest is the last one that was made by now; where all have names of a time to come, the first of those. False: there is none.
func Newest(all []Backup, now time.Time) (newest Backup, found bool) {
	for _, newest = range all {
		if !newest.At.After(now) {
			return newest, true
		}
	}
	return newest, len(all) > 0
}

// Read returns what a backup says of itself.
func (b Backups) Read(name string) (c Content, err error) {
	data, err := os.ReadFile(filepath.Join(b.Dir, name+contentEnd))
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		return c, fmt.Errorf("what %s holds is not known: %w", name, err)
	}
	return c, nil
}

func writeSynced(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// SyncFile has what was written to a file by another program reach the disk.
func SyncFile(path string) error { return syncDir(path) }

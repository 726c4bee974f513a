package systemd

import (
	"os"
	"path/filepath"
	"slices"
)

// UnitDirs are the folders of unit files, the strongest first (systemd.unit(5)).
var UnitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// oneshots are the units of the shell scripts that sessiondbd replaces.
var oneshots = []string{"init-session-schema.service", "set-sessionuser-password.service"}

// ForeignUnit is a unit of somebody else that works on what is ours.
type ForeignUnit struct {
	Name string // of the unit
	Path string // of its file, or of the folder of its drop-ins, as it is seen below a folder of units
	// Target is where a symbolic link leads in the end, and Path itself otherwise.
	Target string
}

// ForeignUnits looks for the old oneshots in these folders. A link to another unit is an alias, such as our own; an
// empty file and /dev/null are masks: neither does any harm. A folder that cannot be read holds nothing for us.
func ForeignUnits(dirs []string) []ForeignUnit {
	var found []ForeignUnit
	for _, dir := range dirs {
		for _, name := range oneshots {
			// Drop-ins under the name of an alias change the unit behind it: ours.
			for _, base := range []string{name, name + ".d"} {
				u := ForeignUnit{name, filepath.Join(dir, base), ""}
				if _, err := os.Lstat(u.Path); err != nil { // the usual case, in every pass
					continue
				}
				target, err := filepath.EvalSymlinks(u.Path)
				if err != nil || filepath.Base(target) != base || masks(target) {
					continue
				}
				u.Target = target
				same := func(v ForeignUnit) bool { return v.Target == target } // /lib is a link to /usr/lib
				if !slices.ContainsFunc(found, same) {
					found = append(found, u)
				}
			}
		}
	}
	return found
}

// masks says whether a unit file is empty, which disables the unit.
func masks(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && !fi.IsDir() && fi.Size() == 0
}

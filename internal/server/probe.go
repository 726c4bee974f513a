package server

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// includeName is our file in the directory that postgresql.conf includes.
const includeName = "sessiondbd.conf"

// Local is what this process sees of the server's files.
type Local struct {
	// Here says that the server's configuration is the one of this host.
	Here        bool
	Config, HBA File
	// Include is our own file. Its Path is empty where postgresql.conf includes no directory.
	Include File
}

// File is a file of the server as this process sees it.
type File struct {
	Path     string // as the server names it
	Real     string // with links resolved: what is written
	Exists   bool
	Writable bool
	// Why is the reason when it is not writable.
	Why     string
	Content string
	Changed time.Time // of content or attributes (ctime), since a renamed file keeps its older mtime

	known bool // to be the file that the server reads, by its stamp
	size  int64
	mtime time.Time
}

// look looks at the two files that the server has named.
func (o *Observation) look() {
	f := o.facts()
	o.Local = Local{Config: look(f.ConfigFile), HBA: look(f.HBAFile)}
	o.Local.Config.known = o.Local.Config.stamped(f.ConfigStamp)
	o.Local.HBA.known = o.Local.HBA.stamped(f.HBAStamp)
}

// seen says whether this process has read what the server reads.
func (l Local) seen() bool { return l.Config.known && l.HBA.known }

// Probe looks at the server's files from here. It does I/O but writes nothing; the observer calls it after the queries.
func (o *Observation) Probe() {
	var sent Texts
	if len(o.Texts) == 1 {
		sent = o.Texts[0]
	}
	o.Local.HBA.sameAs(sent.HBA)
	o.Local.Here = o.Local.Config.sameAs(sent.Config)
	f := o.facts()
	dir := includeDir(f.ConfigFile, o.configText())
	if dir == "" {
		o.Local.Include = File{Why: f.ConfigFile + " includes no directory (include_dir)"}
		return
	}
	o.Local.Include = look(filepath.Join(dir, includeName))
	if !o.Local.Here { // postgresql.conf itself need not be writable
		o.Local.Include.Writable, o.Local.Include.Why = false, o.Local.Config.Why
	}
}

// configText is postgresql.conf as the server reads it.
func (o Observation) configText() string {
	if len(o.Texts) == 1 {
		return text(o.Texts[0].Config)
	}
	return o.Local.Config.Content
}

const notWritable = "not writable for this user"

// sameAs says whether the server reads this very file, and takes writability from one that it does not: a server on another
// host may use the same path.
func (f *File) sameAs(sent string) bool {
	switch {
	case !f.Exists:
		f.Writable, f.Why = false, "not to be seen from here"
	case !f.known && f.Content != text(sent) || len(f.Content) >= maxFile:
		f.Writable, f.Why = false, "not the file that the server reads"
	default:
		return true
	}
	return false
}

func look(path string) File {
	f := File{Path: path, Real: path, Why: notWritable}
	if path == "" {
		return f
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		f.Real = real
	}
	info, err := os.Stat(f.Real)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			f.Why = err.Error()
		} else if access(filepath.Dir(f.Real)) {
			f.Writable, f.Why = true, ""
		}
		return f
	}
	f.Exists = true
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		f.Changed = time.Unix(st.Ctim.Unix())
	}
	content, err := os.ReadFile(f.Real)
	if err != nil {
		f.Why = err.Error()
		return f
	}
	f.Content, f.size, f.mtime = string(content), info.Size(), info.ModTime()
	switch {
	case strings.HasPrefix(f.Real, nixStore):
		f.Why = "in the Nix store"
	case access(f.Real) && access(filepath.Dir(f.Real)): // the folder for the rename; the file because its mode is a wish
		f.Writable, f.Why = true, ""
	}
	return f
}

const nixStore = "/nix/store/"

// access asks the kernel, which also knows of read-only mounts.
func access(path string) bool { return syscall.Access(path, 2) == nil } // W_OK, access(2)

var includeLine = lazy(`(?im)^[ \t]*include_dir(?:[ \t]*=[ \t]*|[ \t]+)(?:'([^'\n]+)'|([^'#\s]+))`)

// includeDir is the last directory that the text of postgresql.conf includes, or empty.
func includeDir(path, content string) string {
	dir, _ := lastInclude(content)
	if dir == "" || filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(filepath.Dir(path), dir)
}

// lastInclude also gives the line, counted from 1.
func lastInclude(content string) (dir string, line int) {
	n := 0
	for text := range strings.Lines(content) {
		n++
		// The expression alone would take a millisecond for Debian's file.
		const word = "include_dir"
		if start := strings.TrimLeft(text, " \t"); len(start) < len(word) || !strings.EqualFold(start[:len(word)], word) {
			continue
		}
		if m := includeLine().FindStringSubmatch(text); m != nil {
			dir, line = m[1]+m[2], n
		}
	}
	return dir, line
}

// lazy compiles an expression when it is first used: every start of the program would pay for it.
func lazy(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

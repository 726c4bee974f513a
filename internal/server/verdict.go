package server

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
)

// action is what is to be done about one setting.
type action int

const (
	nothing    action = iota
	write             // our file gets it
	reload            // the files have it, the server has not loaded them
	report            // it cannot be written here
	overridden        // another file, or the command line, beats ours
)

// verdict is the judgement of one owned setting.
type verdict struct {
	owned
	action  action
	current FileSetting // the line that counts on disk; no File: the built-in default
	running Setting
	// restart says that the value on disk, or the one that we write, waits for a restart.
	pending bool
}

// where names the line that counts.
func (v verdict) where() string {
	switch {
	case v.current.File == "":
		return "the built-in default"
	case v.current.Line == 0:
		return v.current.File
	}
	return fmt.Sprintf("%s:%d", v.current.File, v.current.Line)
}

// judge compares every owned setting with the files and with what the server runs with.
func judge(w Want, o Observation) []verdict {
	var all []verdict
	for _, s := range settings {
		v := verdict{owned: s, running: o.setting(s.name)}
		v.current = o.current(s.name, cmp.Or(v.running.Boot, s.boot))
		fits := s.fits(w, v.current.Value)
		runs := s.fits(w, v.running.Value)
		switch {
		case v.running.Source == "command line" || v.running.Source == "environment variable":
			if !runs {
				v.action = overridden
				v.current = FileSetting{File: "the server's " + v.running.Source, Value: v.running.Value}
			}
		case !fits && (w.Manage == ManageVerify || !o.Local.Include.Writable):
			v.action = report
		case !fits && o.beats(v.current):
			v.action = overridden
		case !fits:
			v.action, v.pending = write, s.restart && !runs
		case !runs && s.restart:
			v.pending = true
		case !runs:
			v.action = reload
		}
		all = append(all, v)
	}
	return all
}

// current is the last line of the files that sets name: the one that counts.
func (o Observation) current(name, boot string) FileSetting {
	for _, f := range slices.Backward(o.Files) {
		if f.Name == name && !o.brokenLine(f) {
			return f
		}
	}
	return FileSetting{Name: name, Value: boot}
}

// beats says whether a line is read after our file, so that ours would not count.
func (o Observation) beats(f FileSetting) bool {
	ours := o.Local.Include.Path
	switch {
	case f.File == "" || f.File == ours:
		return false
	case filepath.Base(f.File) == "postgresql.auto.conf":
		return true
	case filepath.Dir(f.File) == filepath.Dir(ours): // files of a directory are read in the order of their names
		return filepath.Base(f.File) > includeName
	case f.File == o.facts().ConfigFile:
		_, line := lastInclude(o.configText())
		return f.Line > line
	}
	// Some other included file. Where ours is there too, the server has said which comes last.
	return slices.ContainsFunc(o.Files, func(x FileSetting) bool { return x.File == ours && x.Name == f.Name })
}

// brokenLine says whether the server cannot take a line. One that merely waits for a restart has an error there, too.
func (o Observation) brokenLine(f FileSetting) bool {
	return f.Error != "" && !o.setting(f.Name).Pending
}

// broken are the lines for which the server ignores its configuration files and would not start again.
func (o Observation) broken() []FileSetting {
	return slices.DeleteFunc(slices.Clone(o.Files), func(f FileSetting) bool { return !o.brokenLine(f) })
}

// foreign are the settings of our file that are not ours.
func (o Observation) foreign() []FileSetting {
	return slices.DeleteFunc(slices.Clone(o.Files), func(f FileSetting) bool {
		return f.File != o.Local.Include.Path || f.Name == "" || slices.Contains(ownedNames(), f.Name)
	})
}

package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Backup says where backups go, how many stay, and who gets a copy.
type Backup struct {
	Directory string   `yaml:"directory"` // absolute
	Keep      int      `yaml:"keep"`      // of the newest
	Schedule  string   `yaml:"schedule"`  // systemd.time(7), CALENDAR EVENTS
	Upload    []string `yaml:"upload"`    // a command and its arguments, with the backup on standard input; empty: none
}

// mostKept bounds Keep: a backup an hour for over a year.
const mostKept = 10000

// scheduleLike is narrower than systemd: what it also rules out is everything that would begin another line of a unit.
var scheduleLike = lazy(`^[A-Za-z0-9*:/.,~_+ -]{1,100}$`)

func schedule(s string) (string, error) {
	if !scheduleLike().MatchString(s) || strings.TrimSpace(s) == "" {
		return "", fmt.Errorf("must be a calendar event of systemd.time(7), such as \"*-*-* 02:00:00\", not %s; try it: systemd-analyze calendar", clip(s))
	}
	return s, nil
}

func folderFrom(configFile string) func(string) (string, error) {
	path := pathFrom(configFile)
	return func(s string) (string, error) {
		to, err := path(strings.TrimRight(s, "/"))
		switch {
		case strings.Trim(s, "/") == "" && s != "":
			return "", errors.New("must be a folder of its own, not the root of everything")
		case err == nil && len(strings.Split(to, string(filepath.Separator))) < 3:
			return "", fmt.Errorf("must be a folder of its own, not %s: what lies in it is made private, and old backups in it are removed", to)
		}
		return to, err
	}
}

func argument(s string) (string, error) {
	if control().MatchString(s) {
		return "", errors.New("must not hold control characters or line breaks")
	}
	return s, nil
}

func (d *decoder) backup(v value, to *Backup) {
	v.mapping(
		field{"directory", func(v value) { scalar(v, &to.Directory, folderFrom(d.file)) }},
		field{"keep", func(v value) { v.integer(&to.Keep, 1, mostKept) }},
		field{"schedule", func(v value) { scalar(v, &to.Schedule, schedule) }},
		field{"upload", func(v value) {
			list := []string{}
			if !v.items(func(i int, item value) {
				word := ""
				scalar(item, &word, argument)
				if i == 0 && word != "" && !filepath.IsAbs(word) && strings.Contains(word, "/") {
					item.fail("must be a program's name or its whole path, not %s", clip(word))
				}
				list = append(list, word)
			}) {
				return
			}
			if len(list) > 0 && list[0] == "" {
				v.fail("must begin with a program")
			}
			to.Upload = list
		}},
	)
}

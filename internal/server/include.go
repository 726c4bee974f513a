package server

import (
	"fmt"
	"slices"
	"strings"
)

// entry is one setting of our file.
type entry struct {
	owned
	text string // its value
}

// keep are the entries that our file will have: those that it has already, beside those that change.
func keep(w Want, o Observation, changes []verdict) []entry {
	var list []entry
	for _, s := range settings {
		has := slices.ContainsFunc(o.Files, func(f FileSetting) bool {
			return f.File != "" && f.File == o.Local.Include.Path && f.Name == s.name
		})
		if has || slices.ContainsFunc(changes, func(v verdict) bool { return v.name == s.name }) {
			list = append(list, entry{s, s.value(w)})
		}
	}
	return list
}

const includeHeader = `# Written by sessiondbd, which rewrites it. Put settings of your own into another file.
# What this file may set, and whether at all, is chosen in the server section of /etc/sessiondbd/config.yaml.
`

// render is the text of our file.
func render(list []entry) string {
	var b strings.Builder
	b.WriteString(includeHeader)
	for _, e := range list {
		fmt.Fprintf(&b, "\n# %s\n%s = %s\n", e.reason, e.name, quoteValue(e.text))
	}
	return b.String()
}

// quoteValue quotes a value for a configuration file (PostgreSQL manual, 20.1.2).
func quoteValue(v string) string { return "'" + strings.ReplaceAll(v, "'", "''") + "'" }

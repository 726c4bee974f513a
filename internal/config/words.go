package config

import (
	"slices"
	"strconv"
	"strings"
)

// nameIndex holds where names of networks are defined, with the places that refer to them.
type nameIndex struct {
	networks map[string]string // name -> key path; nil while the file has no networks
	refs     []value
}

// refer reads a list of network names that resolve checks once all networks are known. Its null is no absent list:
// that would turn a list whose items were all commented out into "from everywhere".
func (x *nameIndex) refer(v value) Names {
	names := Names{}
	if v.null() {
		v.fail("has no value; give a list, [] for no network, or remove the key for all")
		return names
	}
	taken := map[string]string{}
	v.items(func(_ int, item value) {
		var name string
		scalar(item, &name, networkName)
		if name == "" {
			return
		}
		item.unique(taken, name)
		names = append(names, name)
		x.refs = append(x.refs, item)
	})
	return names
}

func (x *nameIndex) resolve() {
	known := make([]string, 0, len(x.networks))
	for name := range x.networks {
		known = append(known, name)
	}
	slices.Sort(known)
	if len(known) > 100 { // comparing each with each would take longer than the hint is worth
		known = nil
	}
	for _, r := range x.refs {
		name := r.node.Value
		if _, ok := x.networks[name]; ok {
			continue
		}
		if meant := nearest(name, known); meant != "" {
			r.fail("no network is named %s; did you mean %s?", clip(name), meant)
			continue
		}
		r.fail("no network is named %s; add it to networks", clip(name))
	}
}

// unique reports a name that was there before; the empty name stands for one that was already reported.
func (v value) unique(taken map[string]string, name string) {
	switch first, again := taken[name]; {
	case name == "":
	case again:
		v.fail("%s repeats %s", clip(name), first)
	default:
		taken[name] = v.path
	}
}

func keysOf(fields []field) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

func find(fields []field, key string) *field {
	for i := range fields {
		if fields[i].key == key {
			return &fields[i]
		}
	}
	return nil
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// enumerate writes words as "a, b and c".
func enumerate(words []string, conjunction string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " " + conjunction + " " + words[last]
}

// clip quotes what the file says, so that a message stays one readable line.
func clip(s string) string {
	if r := []rune(s); len(r) > 70 {
		s = string(r[:69]) + "…"
	}
	return strconv.Quote(s)
}

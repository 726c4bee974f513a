package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// decoder collects the mistakes of one file while its nodes are walked by hand: yaml.v3 decoding into structs stops
// at some mistakes, names no key path and accepts more types than we do.
type decoder struct {
	file string
	errs Errors
}

// value is a node with the path of keys that leads to it.
type value struct {
	d    *decoder
	node *yaml.Node
	path string
}

func (v value) fail(format string, args ...any) {
	v.d.errs = append(v.d.errs, Error{v.d.file, v.node.Line, v.node.Column, v.path, fmt.Sprintf(format, args...)})
}

// field is a key that a mapping knows, with what reads its value.
type field struct {
	key  string
	read func(value)
}

// mapping reads the known keys of a mapping, each into its field, and reports the unknown and the repeated ones. It
// returns the keys that are there; nil when v is no mapping. Null is an absent mapping.
func (v value) mapping(fields ...field) map[string]bool {
	if v.null() {
		return nil
	}
	if v.kind() != "a mapping" {
		v.fail("must be a mapping with %s, not %s", enumerate(keysOf(fields), "and"), v.kind())
		return nil
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key := value{v.d, v.node.Content[i], v.path}
		name, ok := key.key()
		if !ok {
			continue
		}
		f := find(fields, name)
		switch {
		case f == nil:
			key.unknown(name, fields)
			continue
		case seen[name]:
			key.at(name).fail("is given twice; keep one")
			continue
		}
		seen[name] = true
		f.read(value{v.d, v.node.Content[i+1], join(v.path, name)})
	}
	return seen
}

// require reports the keys that a mapping must have.
func (v value) require(seen map[string]bool, keys ...string) {
	if seen == nil && !v.null() {
		return // it is no mapping, which was reported
	}
	missing := slices.DeleteFunc(keys, func(k string) bool { return seen[k] })
	if len(missing) > 0 {
		v.fail("needs %s", enumerate(missing, "and"))
	}
}

// key returns a mapping's key as text.
func (v value) key() (string, bool) {
	switch v.kind() {
	case "a list", "a mapping", "an alias", "an anchor", "a tag":
		v.fail("a key must be a word, not %s", v.kind())
		return "", false
	}
	if v.node.Value == "<<" {
		v.fail("merge keys (<<) are not supported; write the values out")
		return "", false
	}
	return v.node.Value, true
}

var showable = lazy(`^[A-Za-z0-9_.-]{1,40}$`)

// unknown reports a key that no field reads. A key that looks like no key is not repeated: `{initial:secret}` without
// the space is one, as is anything below password.
func (v value) unknown(name string, fields []field) {
	meant := nearest(name, keysOf(fields))
	if !showable().MatchString(name) || meant == "" && strings.HasSuffix(v.path, "password") {
		v.fail("holds an unknown key; known here: %s (a key ends with a colon before a space)", enumerate(keysOf(fields), "and"))
		return
	}
	v = v.at(name)
	if meant == "" && elsewhere[name] != "" && v.path == name {
		meant = elsewhere[name]
	}
	if meant != "" {
		v.fail("unknown key; did you mean %s?", meant)
		return
	}
	v.fail("unknown key; known here: %s", enumerate(keysOf(fields), "and"))
}

// at is v with a key added to its path.
func (v value) at(key string) value { return value{v.d, v.node, join(v.path, key)} }

// items reads the items of a list and says whether there was one. Null is an absent list.
func (v value) items(read func(i int, item value)) bool {
	if v.null() {
		return false
	}
	if v.kind() != "a list" {
		v.fail("must be a list, not %s", v.kind())
		return false
	}
	for i, n := range v.node.Content {
		read(i, value{v.d, n, v.path + "[" + strconv.Itoa(i) + "]"})
	}
	return true
}

// scalar reads a string that parse turns into a T. The value of a secret may be of any type, so only the errors of parse,
// which knows what it reads, may repeat it.
func scalar[T any](v value, to *T, parse func(string) (T, error)) {
	switch k := v.kind(); k {
	case "a string", "an integer", "a number", "a boolean", "a timestamp":
		t, err := parse(v.node.Value)
		switch {
		case err != nil:
			v.fail("%s", err)
		case k != "a string":
			v.fail("must be a string, but YAML takes this for %s; put it in quotes", k)
		default:
			*to = t
		}
	case "empty":
		v.fail(noValue)
	default:
		v.fail("must be a string, not %s", k)
	}
}

const noValue = "has no value; give one, or remove the key"

// integer reads a decimal integer between least and most.
func (v value) integer(to *int, least, most int) {
	k := v.kind()
	n, err := strconv.Atoi(v.node.Value)
	switch {
	case k == "empty":
		v.fail(noValue)
	case k == "a string" && decimal().MatchString(v.node.Value):
		v.fail("must be an integer; remove the quotes")
	case k != "an integer":
		v.fail("must be an integer from %d to %d, not %s", least, most, k)
	case !decimal().MatchString(v.node.Value):
		v.fail("must be a decimal integer from %d to %d, without leading zeros, sign or underscores", least, most)
	case err != nil || n < least || n > most:
		v.fail("must be from %d to %d, not %s", least, most, strings.Trim(clip(v.node.Value), `"`))
	default:
		*to = n
	}
}

func (v value) null() bool { return v.kind() == "empty" }

var decimal = lazy(`^(0|-?[1-9][0-9]*)$`)

// kind names the type of a node for a message. Aliases, anchors and explicit tags are kinds of their own and nobody's
// wish: a password that starts with *, & or ! and lacks its quotes would vanish in them.
func (v value) kind() string {
	n := v.node
	switch {
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case n.Anchor != "":
		return "an anchor"
	case n.Style&yaml.TaggedStyle != 0:
		return "a tag"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "empty"
	case "!!bool":
		return "a boolean"
	case "!!int":
		return "an integer"
	case "!!float":
		if decimal().MatchString(n.Value) { // too large for 64 bits
			return "an integer"
		}
		return "a number"
	case "!!timestamp":
		return "a timestamp"
	}
	return "a string"
}

package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// mistakes holds one fault a row; want is the message with the file's name taken off.
var mistakes = []struct{ in, want string }{
	{"{a: 1", ""},
	{"database:\n  name: a\n port: 3\n", ""},
	{"a: b: c", ""},
	{"a: 1\nb: [1,\n", ""},
	{"a: \"x\n", ""},
	{"x: *foo", ""},
	{"database:\n\tname: x", ""},
	{"database:\n  name: 'x\n\n\n\n", ""},
	{"- a", ""}, {"hello", ""}, {"a: 1\n---\nb: 2\n", ""}, {"a: 1\n...\nb: 2\n---\n- [", ""},
	{"\x00", ""}, {"a: \xff", ""}, {"%YAML 3.0\n---\na: 1", ""},
	{"firewall:\n  port:\n", ""},
	{strings.Repeat("[", 20000), ""},
	{strings.Repeat("a: {", 20000), ""},
}

func TestMistakes(t *testing.T) {
	for _, m := range mistakes {
		_, err := Parse("c.yaml", []byte(m.in))
		got := strings.ReplaceAll(fmt.Sprint(err), "c.yaml:", "")
		if len(m.in)>50 {m.in=m.in[:50]}
		fmt.Fprintf(os.Stderr, "%q\n     %s\n", m.in, got)
	}
}

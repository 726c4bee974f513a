package config

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Parse checks data, which was read from the file name, and fills in the defaults. Relative paths inside it are relative
// to the folder of name. The error is of type Errors and lists every mistake.
func Parse(name string, data []byte) (*Config, error) {
	d := &decoder{file: name}
	c := Default()
	c.Path = name
	if root := d.parse(data); root != nil {
		d.config(value{d: d, node: root}, c)
	}
	if len(d.errs) > 0 {
		d.errs.sort()
		return nil, d.errs
	}
	return c, nil
}

// parse returns the root node of the only document, or nil when the file is empty or no YAML.
func (d *decoder) parse(data []byte) *yaml.Node {
	if i := badByte(data); i >= 0 {
		line, column := position(data, i)
		d.errs = append(d.errs, Error{d.file, line, column, "", "holds a NUL byte or one that is no UTF-8; save the file as UTF-8 text"})
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	if err := decoder.Decode(&first); err != nil {
		if !errors.Is(err, io.EOF) {
			d.syntax(data, err)
		}
		return nil
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		d.errs = append(d.errs, Error{d.file, second.Line, second.Column, "", "a second YAML document starts here; the config is one document"})
	case !errors.Is(err, io.EOF):
		d.syntax(data, err)
	}
	if len(first.Content) == 0 {
		return nil
	}
	return first.Content[0]
}

func badByte(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == 0 || r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

func position(data []byte, i int) (line, column int) {
	before := data[:i]
	return bytes.Count(before, []byte("\n")) + 1, i - bytes.LastIndexByte(before, '\n')
}

var (
	yamlLine   = lazy(`^yaml: (?:line (\d+): )?(.*)$`)
	tabIndent  = lazy(`(?m)^ *\t`)
	parserSays = "did not find expected"
)

// syntax reports what the YAML library says, without the parts that could repeat a secret.
func (d *decoder) syntax(data []byte, err error) {
	m := yamlLine().FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	line, message := 1, "is no YAML"
	if m != nil {
		message = m[2]
		if m[1] != "" {
			line, _ = strconv.Atoi(m[1])
			if strings.HasPrefix(message, parserSays) {
				line++ // the library counts from 0 here
			}
			line = min(line, 1+bytes.Count(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))) // not behind the end
		}
	}
	if strings.HasPrefix(message, "unknown anchor") { // its name may be the start of a password
		message = "a value starts with * and YAML takes it for an alias; put it in quotes"
	}
	if at := tabIndent().FindIndex(data); at != nil {
		tabbed, _ := position(data, at[0])
		line, message = tabbed, "is indented with a tab; YAML wants spaces"
	}
	d.errs = append(d.errs, Error{File: d.file, Line: line, Message: "YAML: " + message})
}

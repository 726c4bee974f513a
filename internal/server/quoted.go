package server

import (
	"slices"
	"strings"
)

// markQuoted fills in which names of the rules stand in quotes, from the text of the file at path. Of files that it
// includes there is no text, and a keyword there counts as one.
func markQuoted(rules []Rule, path, content string) []Rule {
	if !strings.Contains(content, `"`) {
		return rules
	}
	rules = slices.Clone(rules)
	lines := strings.Split(content, "\n")
	for i, r := range rules {
		if r.File != path || r.Line < 1 || r.Line > len(lines) {
			continue
		}
		text := logicalLine(lines[r.Line-1:])
		if !strings.Contains(text, `"`) {
			continue
		}
		fields := splitFields(text)
		rules[i].Quoted.Databases, rules[i].Quoted.Users = onlyQuoted(fields[1]), onlyQuoted(fields[2])
	}
	return rules
}

// onlyQuoted leaves out what stands there without quotes, too, which means the wider.
func onlyQuoted(list []token) []string {
	var names []string
	for _, t := range list {
		if t.quoted && !slices.Contains(list, token{text: t.text}) {
			names = append(names, t.text)
		}
	}
	return names
}

// logicalLine joins the first line with those that it continues in.
func logicalLine(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		line = strings.TrimSuffix(line, "\r")
		head, more := strings.CutSuffix(line, `\`)
		b.WriteString(head)
		if !more {
			break
		}
	}
	return b.String()
}

type token struct {
	text   string
	quoted bool // begins with a quote: one further in makes no name of a keyword
}

// splitFields reads a line of pg_hba.conf as PostgreSQL does (its src/backend/libpq/hba.c, next_token): blanks end a
// field, commas only a token. There are at least three fields.
func splitFields(line string) [][]token {
	var fields [][]token
	var t token
	var field []token
	inQuote, inToken, comma := false, false, false
	end := func() {
		if inToken {
			field, t, inToken = append(field, t), token{}, false
		}
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		blank := (c == ' ' || c == '\t' || c == '\r') && !inQuote
		switch {
		case c == '#' && !inQuote:
			i = len(line)
		case c == ',' && !inQuote:
			comma = comma || inToken
			end()
		case blank:
			end()
		default:
			if !inToken && len(field) > 0 && !comma {
				fields, field = append(fields, field), nil
			}
			if c == '"' {
				t.quoted = t.quoted || !inToken
				if inQuote && i+1 < len(line) && line[i+1] == '"' { // one of two
					t.text += `"`
					i++
				} else {
					inQuote = !inQuote
				}
			} else {
				t.text += line[i : i+1]
			}
			inToken, comma = true, false
		}
	}
	end()
	for fields = append(fields, field); len(fields) < 3; {
		fields = append(fields, nil)
	}
	return fields
}

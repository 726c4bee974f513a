package server

import (
	"fmt"
	"strings"
)

const (
	blockBegin = "# sessiondbd BEGIN"
	blockEnd   = "# sessiondbd END"
)

// blockText is our block of pg_hba.conf for the given rules, with its markers.
func blockText(lines []string) string {
	return blockBegin + " (sessiondbd rewrites what stands between the two marks; first match wins)\n" +
		strings.Join(lines, "\n") + "\n" + blockEnd + "\n"
}

// accessLines are the rules of our block: who may come in from where, then the closing reject of our roles.
func accessLines(w Want) ([]string, error) {
	db, err := hbaName(w.Database)
	if err != nil {
		return nil, err
	}
	var ours []string
	for _, name := range w.ours() {
		n, err := hbaName(name)
		if err != nil {
			return nil, err
		}
		ours = append(ours, n)
	}
	var lines []string
	for _, r := range w.open() {
		role, _ := hbaName(r.Name)
		for _, n := range r.Networks {
			lines = append(lines, fmt.Sprintf("host  %s  %s  %s  scram-sha-256", db, role, n.Prefix.Masked()))
		}
	}
	if len(ours) == 0 {
		return lines, nil
	}
	all := strings.Join(ours, ",")
	return append(lines, "local all,replication  "+all+"  reject", "host  all,replication  "+all+"  all  reject"), nil
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"

// plain says whether a name needs no quotes.
func plain(name string) bool {
	return strings.ContainsAny(name[:1], letters) && strings.Trim(name, letters+"0123456789-") == ""
}

// keywords lose their meaning in quotes.
var keywords = map[string]bool{"all": true, "replication": true, "sameuser": true, "samerole": true, "samegroup": true}

// hbaName writes a name as pg_hba.conf wants it (PostgreSQL manual, 21.1).
func hbaName(name string) (string, error) {
	switch {
	case name == "" || strings.ContainsAny(name, "\n\r\x00"):
		return "", fmt.Errorf("%q cannot be written into pg_hba.conf", name)
	case strings.HasPrefix(name, "/"): // a regular expression from 16 on, quoted or not
		return "", fmt.Errorf("%q cannot be written into pg_hba.conf: what begins with a slash is a regular expression there", name)
	case plain(name) && !keywords[name]:
		return name, nil
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`, nil
}

// cutBlock takes our block out of a pg_hba.conf. First and last are its lines, counted from 1; first is 0 where there is
// none. Marks that do not pair are an error: what lies between them may be somebody else's.
func cutBlock(content string) (block, rest string, first, last int, err error) {
	begin, end, at := -1, -1, 0
	for i, line := range strings.SplitAfter(content, "\n") {
		mark := strings.TrimSpace(line)
		switch {
		case isMark(mark, blockBegin) && begin < 0:
			begin, first = at, i+1
		case isMark(mark, blockBegin):
			return "", "", 0, 0, fmt.Errorf("a second %q in line %d, after that of line %d", blockBegin, i+1, first)
		case isMark(mark, blockEnd) && (begin < 0 || end >= 0):
			return "", "", 0, 0, fmt.Errorf("%q in line %d has no %q before it", blockEnd, i+1, blockBegin)
		case isMark(mark, blockEnd):
			end, last = at+len(line), i+1
		}
		at += len(line)
	}
	switch {
	case begin < 0:
		return "", content, 0, 0, nil
	case end < 0:
		return "", "", 0, 0, fmt.Errorf("%q in line %d has no %q after it", blockBegin, first, blockEnd)
	}
	return content[begin:end], content[:begin] + content[end:], first, last, nil
}

func isMark(line, mark string) bool {
	rest, ok := strings.CutPrefix(line, mark)
	return ok && (rest == "" || rest[0] == ' ')
}

// blockRules are the rules of a block, one a line, without marks, comments or padding.
func blockRules(block string) []string {
	var rules []string
	for line := range strings.Lines(block) {
		if line = strings.Join(strings.Fields(line), " "); line != "" && line[0] != '#' {
			rules = append(rules, line)
		}
	}
	return rules
}

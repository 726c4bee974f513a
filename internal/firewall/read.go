package firewall

import "strings"

// parse reads what iptables-save printed. Of the rules of others it keeps only INPUT, as text: where our jump stands
// among them is all that we need to know.
func parse(save string) Ruleset {
	var r Ruleset
	var t *Table
	chain := ""
	for line := range strings.Lines(save) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "*"):
			t = nil
			if name := table(line[1:]); name == mangle || name == filter {
				t, chain = r.table(name), name.chain()
			}
		case strings.HasPrefix(line, "# Table `"):
			name, rest, _ := strings.Cut(strings.TrimPrefix(line, "# Table `"), "'")
			// "contains incompatible base-chains" is harmless: chains under other names, which we leave alone.
			if t := table(name); (t == mangle || t == filter) && strings.HasPrefix(rest, " is incompatible") {
				r.table(t).Foreign = true
			}
		case t == nil:
		case strings.HasPrefix(line, ":"):
			t.declare(line[1:], chain)
		case strings.HasPrefix(line, "-A "):
			t.add(line[len("-A "):], chain)
		}
	}
	return r
}

// declare reads `CHAIN POLICY [packets:bytes]`.
func (t *Table) declare(line, own string) {
	name, rest, _ := strings.Cut(line, " ")
	switch name {
	case own:
		t.Chain = []string{}
	case "INPUT":
		t.Policy, _, _ = strings.Cut(rest, " ")
	}
}

// add reads `CHAIN rule`.
func (t *Table) add(line, own string) {
	chain, rule, _ := strings.Cut(line, " ")
	switch {
	case chain == own:
		t.Chain = append(t.Chain, rule)
	case chain == "INPUT":
		t.Input = append(t.Input, rule)
	case strings.Contains(rule, own) && target(rule) == own:
		t.References = append(t.References, line)
	}
}

// target is the chain that a rule jumps or goes to, or "". A comment may hold anything, also what looks like a jump.
func target(rule string) string {
	w := words(rule)
	for i := len(w) - 2; i >= 0; i-- {
		if w[i] == "-j" || w[i] == "-g" {
			return w[i+1]
		}
	}
	return ""
}

// words splits a rule at blanks; a quoted word keeps its quotes, so that it is never taken for an option.
func words(rule string) []string {
	var out []string
	var word strings.Builder
	quoted, escaped := false, false
	for _, c := range rule {
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case c == ' ' && !quoted:
			out = append(out, word.String())
			word.Reset()
			continue
		}
		word.WriteRune(c)
	}
	return append(out, word.String())
}

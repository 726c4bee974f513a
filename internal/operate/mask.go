package operate

import (
	"strings"
	"unicode"
)

// mask takes out of a statement what may be data, or a password: the quoted constants of every kind (PostgreSQL manual,
// 4.1.2) and the comments, each with what follows one that was cut off. Where the constant's end depends on a setting of the
// session, nothing of the rest is shown.
func mask(sql string) string {
	var b strings.Builder
	for i := 0; i < len(sql); {
		c, rest := sql[i], sql[i:]
		inWord := i > 0 && isWord(sql[i-1])
		switch tag := dollarTag(rest); {
		case c == '\'':
			i += constantLength(rest, escapes(sql[:i]))
			b.WriteString("'…'")
		case c == '"':
			n := quotedLength(rest)
			b.WriteString(rest[:n])
			i += n
		case strings.HasPrefix(rest, "--"):
			i += lineLength(rest)
			b.WriteByte(' ')
		case strings.HasPrefix(rest, "/*"):
			i += commentLength(rest)
			b.WriteByte(' ')
		case tag != "" && !inWord:
			i += dollarLength(rest, tag)
			b.WriteString("'…'")
		default:
			b.WriteByte(c)
			i++
		}
	}
	return printable(b.String())
}

// escapes says whether a quote after this text opens a constant with backslashes: E alone, not the end of a longer word.
func escapes(before string) bool {
	n := len(before)
	return n > 0 && (before[n-1] == 'E' || before[n-1] == 'e') && (n == 1 || !isWord(before[n-2]))
}

// constantLength is that of the constant at the beginning of text. A backslash before a quote means one thing or the other by
// standard_conforming_strings where no E says which.
func constantLength(text string, escapes bool) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && escapes:
			i++
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '\'':
			return len(text)
		case text[i] == '\'' && i+1 < len(text) && text[i+1] == '\'':
			i++
		case text[i] == '\'':
			return i + 1
		}
	}
	return len(text)
}

// quotedLength is that of the quoted identifier at the beginning of text.
func quotedLength(text string) int {
	for i := 1; i < len(text); i++ {
		if text[i] == '"' {
			return i + 1 // of a doubled one the second opens it again
		}
	}
	return len(text)
}

func lineLength(text string) int {
	if i := strings.IndexAny(text, "\r\n"); i >= 0 {
		return i
	}
	return len(text)
}

// commentLength is that of the comment at the beginning of text; they nest.
func commentLength(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "/*"):
			depth++
			i++
		case strings.HasPrefix(text[i:], "*/"):
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// dollarTag is the opening tag of a dollar-quoted constant at the beginning of text, or empty. $1 is a parameter.
func dollarTag(text string) string {
	if text[0] != '$' {
		return ""
	}
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '$':
			return text[:i+1]
		case !isWord(c) || i == 1 && c >= '0' && c <= '9':
			return ""
		}
	}
	return ""
}

func dollarLength(text, tag string) int {
	if end := strings.Index(text[len(tag):], tag); end >= 0 {
		return end + 2*len(tag)
	}
	return len(text)
}

// isWord says whether a byte may stand in an identifier after its beginning, but for $.
func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// printable is a text of strangers on one line, in which nothing is left that a terminal would obey.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || unicode.IsSpace(r) {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(s, "?"))
	return strings.Join(strings.Fields(s), " ")
}

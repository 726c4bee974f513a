package operate

import (
	"math/rand/v2"
	"net/netip"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// passwords are all printable characters one by one, and many strings of them.
func passwords() []string {
	var list []string
	for c := byte(' '); c <= '~'; c++ {
		list = append(list, string(rune(c)), "a"+string(rune(c))+"b"+string(rune(c))+string(rune(c)))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		b := make([]byte, 1+r.IntN(24))
		for i := range b {
			b[i] = byte(' ' + r.IntN('~'-' '+1))
		}
		list = append(list, string(b))
	}
	return list
}

// What is quoted comes out of a shell, a URL and a literal as it went in.
func TestQuoting(t *testing.T) {
	var script strings.Builder
	all := passwords()
	for _, p := range all {
		script.WriteString("printf '%s\\n' " + shell(p) + "\nx=" + quoted(p) + "\nprintf '%s\\n' \"$x\"\n")
		u, err := url.Parse("postgres://" + percent(p) + ":" + percent(p) + "@[fd10::1]:5432/" + percent(p))
		if err != nil {
			t.Fatalf("%q: %v", p, err)
		}
		if got, _ := u.User.Password(); got != p || u.User.Username() != p || u.Path != "/"+p {
			t.Errorf("%q: URL %s", p, u)
		}
		if got, err := strconv.Unquote(literal(p)); err != nil || got != p {
			t.Errorf("%q: literal %s: %v", p, literal(p), err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-eu")
	cmd.Stdin = strings.NewReader(script.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != 2*len(all) {
		t.Fatalf("%d lines for %d passwords", len(lines), len(all))
	}
	for i, p := range all {
		if lines[2*i] != p || lines[2*i+1] != p {
			t.Errorf("%q: the shell reads %q and %q", p, lines[2*i], lines[2*i+1])
		}
	}
}

// An address of IPv6 is written as its place wants it, and TLS changes what node alone needs.
func TestSnippet(t *testing.T) {
	c := Client{Host: netip.MustParseAddr("fd10:1::1"), Port: 5433, Database: "sessiondb", User: "sessionuser"}
	for format, want := range map[string]string{
		"psql": "psql -h fd10:1::1 -p 5433 -U sessionuser -d sessiondb\n",
		"url":  "postgres://sessionuser:PASSWORD@[fd10:1::1]:5433/sessiondb\n",
	} {
		if got := c.Snippet(format); got != want {
			t.Errorf("%s: %s", format, got)
		}
	}
	for _, format := range Formats {
		plain := c.Snippet(format)
		c.TLS = true
		if tls := c.Snippet(format); (tls != plain) != (format == "node") {
			t.Errorf("%s: %s", format, tls)
		}
		c.TLS = false
	}
}

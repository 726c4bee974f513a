package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sessiondbd/internal/systemd"
)

var update = flag.Bool("update", false, "write generated files anew")

const deploy = "../../deploy/"

// What is generated from the commands and the installed config is the same as what is committed.
func TestDocs(t *testing.T) {
	root := (&app{}).root()
	generated := map[string]func() []byte{
		"catalog/sessiondbd.catalog": catalogue,
		"man/sessiondbd.8":           func() []byte { return manual(t, root) },
		"completions/sessiondbd.bash": func() []byte {
			return written(t, func(w *bytes.Buffer) error { return root.GenBashCompletionV2(w, true) })
		},
		"completions/sessiondbd.zsh": func() []byte { return written(t, func(w *bytes.Buffer) error { return root.GenZshCompletion(w) }) },
		"completions/sessiondbd.fish": func() []byte {
			return written(t, func(w *bytes.Buffer) error { return root.GenFishCompletion(w, true) })
		},
	}
	for name, generate := range generated {
		t.Run(filepath.Base(name), func(t *testing.T) {
			want, path := generate(), deploy+name
			if *update {
				if err := os.WriteFile(path, want, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			have, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(have)); d != "" {
				t.Errorf("%s is not what the commands and the config say (-generated +file); run: go test ./cmd/sessiondbd -run TestDocs -update\n%s", path, d)
			}
		})
	}
}

// catalogue is what `journalctl -x` reads (https://systemd.io/CATALOG).
func catalogue() []byte {
	var b bytes.Buffer
	b.WriteString("# Generated from internal/systemd/catalogue.go. The ids never change.\n")
	for _, m := range systemd.Messages {
		fmt.Fprintf(&b, "\n-- %s\nSubject: %s\nDefined-By: sessiondbd\nDocumentation: man:sessiondbd(8)\n\n%s\n", m.ID, m.Subject, m.Text)
	}
	return b.Bytes()
}

func written(t *testing.T, write func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// manual fills the template of the man page.
func manual(t *testing.T, root *cobra.Command) []byte {
	t.Helper()
	text := readFile(t, deploy+"man/sessiondbd.8.in")
	return []byte(strings.NewReplacer(
		"@COMMANDS@", commandsSection(root), "@FLAGS@", flagsSection(root.PersistentFlags()),
		"@CONFIGURATION@", configSection(readFile(t, deploy+"config.yaml")),
	).Replace(text))
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// roff protects text from the formatter.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\&...`, "→", "to").Replace(s)
	return regexp.MustCompile(`(?m)^([.'])`).ReplaceAllString(s, `\&$1`)
}

// commandsSection has an item for every command that is not hidden.
func commandsSection(c *cobra.Command) string {
	var b strings.Builder
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" || sub.Name() == "completion" {
			continue
		}
		if sub.HasAvailableSubCommands() {
			b.WriteString(commandsSection(sub))
			continue
		}
		fmt.Fprintf(&b, ".TP\n.B %s\n%s.\n", roff(strings.TrimSuffix(sub.UseLine(), " [flags]")), roff(sub.Short))
		for p := range strings.SplitSeq(sub.Long, "\n\n") {
			if p != "" {
				fmt.Fprintf(&b, ".IP\n%s\n", roff(p))
			}
		}
		if sub.LocalNonPersistentFlags().HasFlags() {
			fmt.Fprintf(&b, ".RS\n%s.RE\n", flagsSection(sub.LocalNonPersistentFlags()))
		}
	}
	return b.String()
}

func flagsSection(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		arg, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(&b, ".TP\n\\fB\\-\\-%s\\fR", roff(f.Name))
		if arg != "" {
			fmt.Fprintf(&b, " \\fI%s\\fR", roff(arg))
		}
		fmt.Fprintf(&b, "\n%s", roff(usage))
		if f.DefValue != "" && f.DefValue != "false" {
			fmt.Fprintf(&b, " (default: %s)", roff(f.DefValue))
		}
		b.WriteString("\n")
	})
	return b.String()
}

// A default in the installed config has an even number of spaces, prose one and its examples three.
var (
	defaultLine = regexp.MustCompile(`^#((?:  )*)(- )?([a-z_]+):(?: (.*))?$`)
	itemLine    = regexp.MustCompile(`^#(?:  )*- (\{.*)$`)
)

// configSection has an item for every key of the installed config, with the comment above it; TestInstalledConfig… in
// package config hold that file to the code.
func configSection(text string) string {
	var b, prose strings.Builder
	path := map[int]string{} // by depth
	_, body, _ := strings.Cut(text, "\n\n")
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		switch m := defaultLine.FindStringSubmatch(line); {
		case m != nil:
			depth := len(m[1]) / 2
			name := m[3]
			if m[2] != "" { // the first key of a list's item
				path[depth] = "[]"
				depth++
			}
			path[depth] = name
			fmt.Fprint(&b, configItem(path, depth, m[4], prose.String()))
			prose.Reset()
		case itemLine.MatchString(line):
			fmt.Fprintf(&b, ".br\n%s\n", roff(itemLine.FindStringSubmatch(line)[1]))
		case strings.HasPrefix(line, "#   "):
			fmt.Fprintf(&prose, ".nf\n  %s\n.fi\n", roff(strings.TrimPrefix(line, "#   ")))
		case strings.HasPrefix(line, "# "):
			prose.WriteString(roff(strings.TrimPrefix(line, "# ")) + "\n")
		}
	}
	return b.String()
}

// configItem is one key; a section without a comment needs none.
func configItem(path map[int]string, depth int, value, prose string) string {
	if value == "" && prose == "" {
		return ""
	}
	var name []string
	for i := range depth + 1 {
		name = append(name, path[i])
	}
	full := strings.ReplaceAll(strings.Join(name, "."), ".[]", "[]")
	item := fmt.Sprintf(".TP\n\\fB%s\\fR\n", roff(full))
	if value != "" {
		item = fmt.Sprintf(".TP\n\\fB%s\\fR (default: %s)\n", roff(full), roff(value))
	}
	return item + prose
}

// The man page explains every exit status, and the keys that nobody may miss.
func TestManualIsComplete(t *testing.T) {
	text := readFile(t, deploy+"man/sessiondbd.8")
	for _, code := range []int{exitOK, exitFailure, exitPending, exitUsage, exitRefused, exitUnavailable, exitTryAgain, exitNotAllowed, exitConfig} {
		if !strings.Contains(text, fmt.Sprintf(".TP\n.B %d\n", code)) {
			t.Errorf("exit status %d is not explained", code)
		}
	}
	for _, key := range []string{
		"database.url", "roles[].name", "roles[].password.initial", "roles[].access", "networks", "subnet", "firewall.port",
		"server.restart", "hardening", "limits.transaction_age", "reconcile.drift", "sessiondbd config show", "--accept-new-database", "--log-level",
	} {
		if !strings.Contains(text, strings.ReplaceAll(key, "-", `\-`)) {
			t.Errorf("%s is not explained", key)
		}
	}
}

// The package's changelog begins with the version that is built.
func TestChangelogIsCurrent(t *testing.T) {
	version := regexp.MustCompile(`(?m)^VERSION \?= (\S+)$`).FindStringSubmatch(readFile(t, "../../Makefile"))
	if version == nil {
		t.Fatal("the Makefile names no VERSION")
	}
	if have, _, _ := strings.Cut(readFile(t, deploy+"package/changelog"), "\n"); !strings.HasPrefix(have, "sessiondbd ("+version[1]+") ") {
		t.Errorf("deploy/package/changelog begins with %q, the Makefile builds %s", have, version[1])
	}
}

// Values that a flag can have are offered.
func TestCompletion(t *testing.T) {
	for args, want := range map[string]string{
		"plan --only ":           "database\nfirewall\n:4\n",
		"status --log-format ":   "auto\njournal\ntext\njson\n:4\n",
		"apply --log-level ":     "debug\ninfo\nwarn\nerror\n:4\n",
		"connect-info ":          "vm1\nvm2\nvm3\nvm4\nvm5\n:4\n",
		"connect-info --format ": "psql\nurl\nenv\npsycopg2\nnode\ngo\n:4\n",
		"config sh":              "show\tprint the effective config, secrets hidden\n:4\n",
	} {
		var out bytes.Buffer
		root := (&app{stdout: &out, stderr: io.Discard}).root()
		root.SetArgs(append([]string{"__complete"}, strings.Split(args, " ")...))
		if err := root.Execute(); err != nil {
			t.Errorf("%s: %v", args, err)
		}
		if out.String() != want {
			t.Errorf("%s: %q", args, out.String())
		}
	}
}

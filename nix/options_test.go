package nix

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const optionsFile = "options.md"

// renderOptions is the documentation of the options in Markdown.
func renderOptions(options []option) string {
	var b strings.Builder
	b.WriteString("# services.sessiondb\n\nGenerated from `options.nix` by `make nix-eval`; edit it there.\n")
	for _, o := range options {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", o.Name, strings.TrimSpace(markdown(o.Description)))
		fmt.Fprintf(&b, "- type: %s", o.Type)
		if o.ReadOnly {
			b.WriteString(" (read only)")
		}
		b.WriteString("\n")
		for _, row := range []struct {
			what  string
			value *string
		}{{"default", o.Default}, {"example", o.Example}} {
			if row.value == nil {
				continue
			}
			if v := markdown(*row.value); strings.HasPrefix(v, "from ") {
				fmt.Fprintf(&b, "- %s: %s\n", row.what, v)
			} else {
				fmt.Fprintf(&b, "- %s: `%s`\n", row.what, v)
			}
		}
	}
	return b.String()
}

// markdown takes NixOS's roles out of its Markdown.
func markdown(s string) string {
	return strings.NewReplacer("{option}`", "`", "{manpage}`", "`").Replace(s)
}

func TestOptionsAreDocumented(t *testing.T) {
	e := committed(t)
	for _, o := range e.Options {
		if strings.TrimSpace(o.Description) == "" {
			t.Errorf("%s has no description", o.Name)
		}
	}
	have, err := os.ReadFile(optionsFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != renderOptions(e.Options) {
		t.Errorf("%s is not what options.nix says: run NIXPKGS_LIB=… make nix-eval", optionsFile)
	}
}

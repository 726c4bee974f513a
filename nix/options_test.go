package nix

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const optionsFile = "options.md"

// optionsHead is how the module gets into a configuration.
const optionsHead = "# services.sessiondb\n\n" +
	"Generated from `options.nix` by `make nix-eval`; edit it there.\n\n" +
	"```nix\n" +
	"# flake.nix of the host\n" +
	"inputs.sessiondbd.url = \"github:OWNER/sessiondbd?dir=nix\";\n" +
	"# its configuration\n" +
	"imports = [ inputs.sessiondbd.nixosModules.default ];\n" +
	"services.sessiondb.enable = true;\n" +
	"services.sessiondb.passwordFile = \"/run/secrets/sessionuser.password\"; # sops-nix, agenix\n" +
	"```\n\n" +
	"The first line of `services.sessiondb` is all that the documented hypervisor needs. A host that overrides\n" +
	"`services.postgresql.authentication` puts `${config.services.sessiondb.authentication}` first into its text. Without\n" +
	"flakes, import `nix/module.nix`. After the content of `passwordFile` changed: `systemctl restart sessiondbd`.\n"

// renderOptions is the documentation of the options in Markdown.
func renderOptions(options []option) string {
	var b strings.Builder
	b.WriteString(optionsHead)
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

//go:build integration

package main

import (
	"strings"
	"time"
)

// aws stands in for the command of that name: what it says and how it ends is written in two files.
const aws = `#!/bin/sh
[ "$*" = "secretsmanager get-secret-value --secret-id sessiondb/sessionuser --query SecretString --output text" ] || exit 252
cat /root/aws-says
read -r code </root/aws-exit
[ "$code" = 0 ] || echo "stand-in: Unable to locate credentials" >&2
exit "$code"
`

// documentedSteps are the commands of a section of deploy/doc/secrets.md.
func (h secretHost) documentedSteps(section string) (all []string) {
	h.t.Helper()
	_, body, ok := strings.Cut(readFile(h.t, deploy+"doc/secrets.md"), "\n## "+section+"\n")
	body, _, _ = strings.Cut(body, "\n## ")
	for line := range strings.Lines(body) {
		if step, ok := strings.CutPrefix(line, "    "); ok {
			all = append(all, strings.TrimSpace(step))
		}
	}
	if !ok || len(all) < 3 {
		h.t.Fatalf("section %s holds no commands: %q", section, all)
	}
	return all
}

const fetchedFile = "/run/credstore/sessionuser.password"

// says is what the secrets manager's command prints, and how it ends.
func (h secretHost) says(text, exit string) {
	h.t.Helper()
	h.write("/root/aws-says", text, 0o600)
	h.write("/root/aws-exit", exit+"\n", 0o600)
}

// restarts requires that a restart succeeds. Nobody does it as often as this test: systemd is told not to count.
func (h secretHost) restarts() {
	h.t.Helper()
	_, _, _ = run(h.t, h.Hypervisor, "systemctl", "reset-failed", "sessiondbd", "sessiondbd-secret")
	must(h.t, h.Hypervisor, "systemctl", "restart", "sessiondbd")
}

// told requires that the journal says why nothing was fetched.
func (h secretHost) told(why string) {
	h.t.Helper()
	log, err := h.Journal(h.t.Context(), "sessiondbd-secret")
	if err != nil {
		h.t.Error(err)
	}
	has(h.t, "the journal of sessiondbd-secret", log, why)
}

// fetched has a command print the password before each start, by the letter of the document.
func (h secretHost) fetched() {
	h.write("/usr/local/bin/aws", aws, 0o755)
	steps := h.documentedSteps("From a secrets manager")
	h.says("", "254")
	for i, step := range steps {
		out, errOut, code := run(h.t, h.Hypervisor, "sh", "-euc", step)
		if last := i == len(steps)-1; (code != 0) != last {
			h.t.Fatalf("%s: exit %d\n%s%s", step, code, out, errOut)
		}
	}
	// Nothing to go on with: no start, and nobody's initial password.
	if status := property(h.t, h.Hypervisor, "sessiondbd", "ExecMainStatus"); status != "243" {
		h.t.Errorf("without any password it ends with %s", status)
	}
	h.told("Unable to locate credentials")
	h.only("second of the store", documented)
	h.says("first of the manager\n", "0")
	eventually(h.t, "tried again by itself", 40*time.Second, func() bool {
		return property(h.t, h.Hypervisor, "sessiondbd", "ActiveState") == "active"
	})
	h.only("first of the manager", "second of the store")
	if got := sh(h.t, h.Hypervisor, "stat -c '%a %U %n' /run/credstore "+fetchedFile+"; ls -A /run/credstore"); got != "700 root /run/credstore\n600 root "+fetchedFile+"\nsessionuser.password\n" {
		h.t.Errorf("in the store:\n%s", got)
	}
	alive := h.session("first of the manager")
	h.says("second of the manager\n", "0")
	h.restarts()
	h.only("second of the manager", "first of the manager")
	inSync(h.t, h.Hypervisor)
	h.notFetched()
	alive()
	// A second source that root's commands would prefer is not passed over in silence.
	h.says("third of the manager", "0")
	h.write(credentialFile, "another of the store", 0o600)
	h.restarts()
	h.told("Assertion failed")
	h.only("second of the manager", "another of the store")
	must(h.t, h.Hypervisor, "rm", credentialFile)
	h.restarts()
	h.only("third of the manager", "second of the manager")
	h.secrets["another"], h.secrets["never fetched"] = "another of the store", "never fetched"
}

// notFetched: what is no password fails loudly, and the one from before stays.
func (h secretHost) notFetched() {
	for _, tt := range []struct{ what, says, exit, why string }{
		{"a failure", "never fetched", "255", "Unable to locate credentials"},
		{"nothing", "", "0", "is empty"},
		{"an empty line", "\n", "0", "is empty"},
		{"JSON", "{\n  \"password\": \"never fetched\"\n}\n", "0", "is a line end"},
		{"what no client types", "never f\u00e9tched\n", "0", "is not printable ASCII"},
		{"too much", strings.Repeat("x", 2000), "0", "longer than 1024 bytes"},
	} {
		h.says(tt.says, tt.exit)
		h.restarts()
		if result := property(h.t, h.Hypervisor, "sessiondbd-secret", "Result"); result != "exit-code" {
			h.t.Errorf("%s: sessiondbd-secret: %s", tt.what, result)
		}
		h.told(tt.why)
		h.only("second of the manager", "never fetched")
		if got := sh(h.t, h.Hypervisor, "ls -A /run/credstore"); got != "sessionuser.password\n" {
			h.t.Errorf("%s: left behind: %s", tt.what, got)
		}
	}
}

//go:build integration

package main

import (
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

const passwordFile = "/etc/sessiondbd/password"

// secretHost is a hypervisor whose service talks as much as it can.
type secretHost struct {
	*lab.Hypervisor
	t       *testing.T
	secrets map[string]string // all that were in force
}

// TestSecrets: where passwords come from, how they change, and that no journal tells them.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			h := secretHost{boot(t, lab.Options{Suite: suite, Prepare: withSudo}), t, map[string]string{}}
			h.write("/etc/systemd/system/sessiondbd.service.d/debug.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/sessiondbd --log-level debug run --only database\n", 0o644)
			must(t, h.Hypervisor, "systemctl", "daemon-reload")
			t.Run("credential", func(t *testing.T) { h.t = t; h.credential() })
			if suite == "bookworm" { // a file is the same everywhere; credentials are not
				t.Run("file", func(t *testing.T) { h.t = t; h.file() })
			}
			t.Run("fetched", func(t *testing.T) { h.t = t; h.fetched() })
			t.Run("journal", func(t *testing.T) { h.t = t; h.journal() })
		})
	}
}

func (h secretHost) write(path, text string, mode uint32) {
	h.t.Helper()
	if err := h.WriteFile(h.t.Context(), path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	must(h.t, h.Hypervisor, "chmod", fmt.Sprintf("%o", mode), path)
}

// only requires that one password opens and another does not, and notes the verifier.
func (h secretHost) only(opens, not string) {
	h.t.Helper()
	if _, err := asVM(h.t, h.VM(1), opens, "SELECT 1"); err != nil {
		h.t.Fatalf("%q: %v", opens, err)
	}
	if _, err := asVM(h.t, h.VM(2), not, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "password authentication failed") {
		h.t.Errorf("%q opens: %v", not, err)
	}
	h.secrets["the password "+opens] = opens
	stored, err := h.PSQL(h.t.Context(), "postgres", "SELECT rolpassword FROM pg_authid WHERE rolname = 'sessionuser'")
	if err != nil {
		h.t.Fatal(err)
	}
	maps.Copy(h.secrets, verifierParts(h.t, opens, stored))
}

// session opens one of a VM; alive asks something over it.
func (h secretHost) session(password string) (alive func()) {
	h.t.Helper()
	in, out := io.Pipe()
	vm := h.VM(3)
	p, err := vm.StartCommand(h.t.Context(), lab.Command{
		Argv:  []string{"psql", "-XAt", "-v", "ON_ERROR_STOP=1", "-h", vm.Gateway, "-U", "sessionuser", "-d", "sessiondb"},
		Env:   []string{"PGPASSWORD=" + password},
		Stdin: in,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = out.Close(); _ = p.Kill() })
	n := 0
	alive = func() {
		h.t.Helper()
		n++
		fmt.Fprintf(out, "SELECT 'alive ' || %d + count(*) * 0 FROM session;\n", n)
		eventually(h.t, "the open session answers", 5*time.Second, func() bool { return strings.Contains(p.Output(), fmt.Sprintf("alive %d\n", n)) })
	}
	alive()
	return alive
}

// credential: systemd hands it on, with an access list that its mode does not show; it keeps it until a restart.
func (h secretHost) credential() {
	h.write(credentialFile, "first of the store\n", 0o600)
	must(h.t, h.Hypervisor, "systemctl", "start", "sessiondbd")
	h.t.Logf("the unit's credential: %s", sh(h.t, h.Hypervisor, "cd /run/credentials/sessiondbd.service; stat -c '%a %U:%G %n' . *; stat -f -c %T ."))
	h.only("first of the store", documented)
	alive := h.session("first of the store")
	h.write(credentialFile, "second of the store", 0o400)
	must(h.t, h.Hypervisor, "systemctl", "reload", "sessiondbd")
	h.only("first of the store", "second of the store")
	must(h.t, h.Hypervisor, "systemctl", "restart", "sessiondbd")
	h.only("second of the store", "first of the store")
	alive()
	inSync(h.t, h.Hypervisor)
	// Root's own commands look into the store itself, and say what is wrong there before a restart finds out.
	must(h.t, h.Hypervisor, "chmod", "0640", credentialFile)
	for _, command := range []string{"plan", "apply", "config check"} {
		h.refused(command, "roles[0].password.credential: "+credentialFile+": is open to others", "sudo chmod 0600 "+credentialFile)
	}
	// Where the service may look, it does: systemd's own copy says nothing of the source.
	sh(h.t, h.Hypervisor, "chmod 0755 /etc/credstore; systemctl stop sessiondbd")
	if _, _, code := run(h.t, h.Hypervisor, "systemctl", "start", "sessiondbd"); code == 0 {
		h.t.Error("a source that its group may read is taken")
	}
	if log, err := h.Journal(h.t.Context(), "sessiondbd"); err != nil || !strings.Contains(log, "it comes from "+credentialFile+", which is open to others") {
		h.t.Errorf("the journal does not say why: %v\n%s", err, log)
	}
	sh(h.t, h.Hypervisor, "chmod 0600 "+credentialFile+"; chmod 0700 /etc/credstore; systemctl start sessiondbd")
}

// refused runs a command as root that has to end with 78 and to say each of the texts.
func (h secretHost) refused(command string, says ...string) (stderr string) {
	h.t.Helper()
	out, stderr, code := run(h.t, h.Hypervisor, append([]string{"sessiondbd"}, strings.Fields(command)...)...)
	if code != exitConfig || out != "" {
		h.t.Errorf("%s: exit %d: %s", command, code, out)
	}
	has(h.t, command, stderr, says...)
	return stderr
}

// file: a reload reads it again; a bad one fails the reload and changes nothing.
func (h secretHost) file() {
	h.write(configFile, "roles:\n  - name: sessionuser\n    password: {file: password, initial: never of the config}\n", 0o644)
	fresh := func(text string) {
		h.write(passwordFile, text, 0o600)
		must(h.t, h.Hypervisor, "chown", "postgres", passwordFile)
	}
	fresh("first of the file\n")
	must(h.t, h.Hypervisor, "systemctl", "reload", "sessiondbd")
	h.only("first of the file", "second of the store")
	alive := h.session("first of the file")
	fresh("second of the file\n")
	must(h.t, h.Hypervisor, "systemctl", "reload", "sessiondbd")
	h.only("second of the file", "first of the file")
	alive()
	pid := property(h.t, h.Hypervisor, "sessiondbd", "MainPID")
	for _, tt := range []struct{ name, spoil, says string }{
		{"gone", "rm " + passwordFile, "no such file"},
		{"empty", ": >" + passwordFile, "is empty"},
		{"root's", "chown root " + passwordFile, "permission denied"},
		{"world-readable", "chmod 0644 " + passwordFile, "is open to others"},
		{"root's, and its group may read it", "chown root:postgres " + passwordFile + "; chmod 0640 " + passwordFile, "is open to others"},
		{"group-writable", "chmod 0620 " + passwordFile, "may change it"},
		{"a stranger's", "chown nobody " + passwordFile + "; chmod 0640 " + passwordFile + "; chgrp postgres " + passwordFile, "belongs to nobody"},
		{"in an open folder", "chmod 0777 /etc/sessiondbd", "folder /etc/sessiondbd (mode 0777)"},
		{"in a stranger's folder", "chown nobody /etc/sessiondbd", "folder /etc/sessiondbd belongs to nobody"},
	} {
		fresh("never in force")
		sh(h.t, h.Hypervisor, tt.spoil)
		if _, _, code := run(h.t, h.Hypervisor, "systemctl", "reload", "sessiondbd"); code == 0 {
			h.t.Errorf("%s: the reload succeeds", tt.name)
		}
		if out, _, code := run(h.t, h.Hypervisor, "sessiondbd", "status"); code != exitFailure || !strings.Contains(out, "roles[0].password.file") || !strings.Contains(out, tt.says) {
			h.t.Errorf("%s: status: exit %d: %s", tt.name, code, out)
		}
		h.only("second of the file", "never in force")
		// What is wrong with who may do what is settled by what the message says.
		if _, errOut, code := run(h.t, h.Hypervisor, "sessiondbd", "config", "check"); code != exitConfig {
			h.t.Errorf("%s: config check: exit %d: %s", tt.name, code, errOut)
		} else if _, remedy, ok := strings.Cut(errOut, ": sudo "); ok {
			remedy, _, _ = strings.Cut(remedy, ", or ")
			sh(h.t, h.Hypervisor, "sudo "+remedy)
			must(h.t, h.Hypervisor, "sessiondbd", "config", "check")
		} else if tt.name != "gone" && tt.name != "empty" {
			h.t.Errorf("%s: no remedy: %s", tt.name, errOut)
		}
		sh(h.t, h.Hypervisor, "chown root:root /etc/sessiondbd; chmod 0755 /etc/sessiondbd")
	}
	alive()
	if now := property(h.t, h.Hypervisor, "sessiondbd", "MainPID"); now != pid {
		h.t.Error("the daemon ended over a bad file")
	}
	fresh("third of the file")
	must(h.t, h.Hypervisor, "systemctl", "reload", "sessiondbd")
	h.only("third of the file", "second of the file")
	h.secrets["never"] = "never in force"
	h.secrets["initial"] = "never of the config"
	h.write(configFile, "", 0o644)
	must(h.t, h.Hypervisor, "systemctl", "restart", "sessiondbd")
	h.only("second of the store", "third of the file")
}

// journal holds no secret, in none of its fields, nor do state files, command lines and environments; a message that does
// is found.
func (h secretHost) journal() {
	find := func() (found []string) {
		all := must(h.t, h.Hypervisor, "journalctl", "--no-pager", "-o", "verbose", "--all") +
			sh(h.t, h.Hypervisor, "find /run/sessiondbd /var/lib/sessiondbd -type f -exec cat {} +; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>&1 || :")
		has(h.t, "the journal and the rest", all, "SYSLOG_IDENTIFIER=sessiondbd", "SESSIONDBD_FIELD=password", `"pid":`, "SESSIONDBD_BOOT_ID=", "run\x00--only")
		for name, secret := range h.secrets {
			if strings.Contains(all, secret) {
				found = append(found, name)
			}
		}
		return found
	}
	if len(h.secrets) < 12 {
		h.t.Errorf("only %d secrets to look for", len(h.secrets))
	}
	if found := find(); len(found) > 0 {
		h.t.Errorf("the journal holds %q", found)
	}
	for name, secret := range h.secrets {
		must(h.t, h.Hypervisor, "logger", "--", "twin: "+secret)
		eventually(h.t, "a leak is found: "+name, 5*time.Second, func() bool { return len(find()) > 0 })
		break
	}
}

//go:build integration

package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/operate"
)

// trouble is something that goes wrong on a host, and what doctor has to say of it.
type trouble struct {
	name     string
	do, undo string // shell; without undo the remedy is followed as it is printed
	area     string
	severity operate.Severity
	says     string // in what is found
	remedy   string // in the remedy
	why      string // in the reason
	vm, ends string // whose way ends where; without ends it does not
}

// diagnosis runs doctor, whose one document has to be that of the manual, and whose exit code has to fit it.
func diagnosis(t *testing.T, h *lab.Hypervisor, args ...string) operate.Diagnosis {
	t.Helper()
	out, errOut, code := run(t, h, append([]string{"sessiondbd", "doctor", "--json"}, args...)...)
	d := decodeDiagnosis(t, out+errOut)
	if want := map[bool]int{true: exitOK, false: exitFailure}[d.Healthy]; code != want {
		t.Errorf("doctor: exit %d, want %d\n%s%s", code, want, out, errOut)
	}
	return d
}

func decodeDiagnosis(t *testing.T, out string) operate.Diagnosis {
	t.Helper()
	var d operate.Diagnosis
	if _, err := onlyDocument(out); err != nil {
		t.Fatalf("%v", err)
	}
	dec := json.NewDecoder(strings.NewReader(out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	for _, f := range d.Findings {
		if f.What == "" || f.Why == "" || f.Remedy == "" {
			t.Errorf("a finding that does not say all: %+v", f)
		}
	}
	if strings.Contains(out, documented) || strings.Contains(out, "SCRAM-SHA-256$") || strings.Contains(out, hostPassword) {
		t.Errorf("the diagnosis holds a password or a verifier:\n%s", out)
	}
	return d
}

// found is the finding that a trouble asks for.
func (x trouble) found(d operate.Diagnosis) (operate.Finding, bool) {
	for _, f := range d.Findings {
		if f.Area == x.area && f.Severity == x.severity && strings.Contains(f.What, x.says) && strings.Contains(f.Remedy, x.remedy) && strings.Contains(f.Why, x.why) {
			return f, true
		}
	}
	return operate.Finding{}, false
}

// provoke makes a trouble on a host where nothing like it is found, and takes it away again.
func (x trouble) provoke(t *testing.T, h *lab.Hypervisor) {
	t.Helper()
	var args []string
	if x.vm != "" {
		args = []string{"--vm", x.vm}
	}
	if f, there := x.found(diagnosis(t, h, args...)); there {
		t.Fatalf("it is found before it is made: %+v", f)
	}
	sh(t, h, x.do)
	var d operate.Diagnosis
	var f operate.Finding
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) { // the kernel takes its time with links
		d = diagnosis(t, h, args...)
		ok := false
		if f, ok = x.found(d); ok && (d.Way == nil || d.Way.Ends == x.ends) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not found: %s, %s, %q, %q, ends at %q, in\n%s", x.area, x.severity, x.says, x.remedy, x.ends, asText(d))
		}
	}
	if x.undo == "" {
		x.undo = f.Remedy
	}
	sh(t, h, x.undo)
	eventually(t, "it is mended by: "+x.undo, 20*time.Second, func() bool {
		_, there := x.found(diagnosis(t, h, args...))
		return !there
	})
}

// hopTrouble is what a hop of a VM's way has to tell of.
type hopTrouble struct {
	name, do, undo string
	vm, hop        string
	pass           operate.Pass
	says, remedy   string
	served         bool // it is no finding
}

func (x hopTrouble) met(d operate.Diagnosis) bool {
	return slices.ContainsFunc(d.Way.Hops, func(h operate.Hop) bool {
		return h.Name == x.hop && h.Pass == x.pass && strings.Contains(h.Saw, x.says) && strings.Contains(h.Remedy, x.remedy)
	})
}

func (x hopTrouble) provoke(t *testing.T, h *lab.Hypervisor) {
	t.Helper()
	if x.met(diagnosis(t, h, "--vm", x.vm)) {
		t.Fatal("it is met before it is made")
	}
	sh(t, h, x.do)
	d := diagnosis(t, h, "--vm", x.vm)
	if !x.met(d) {
		t.Errorf("no hop %s with %q in\n%s", x.hop, x.says, asText(d))
	}
	if x.served && (d.Way.Ends != "" || slices.ContainsFunc(d.Findings, func(f operate.Finding) bool { return f.Severity == operate.Broken })) {
		t.Errorf("broken, although the VM is served:\n%s", asText(d))
	}
	if x.undo == "" {
		return
	}
	sh(t, h, x.undo)
	if d := diagnosis(t, h, "--vm", x.vm); x.met(d) {
		t.Errorf("not mended by: %s\n%s", x.undo, asText(d))
	}
}

func asText(d operate.Diagnosis) string {
	var b strings.Builder
	_ = d.Text(&b, false)
	return b.String()
}

// A host on which all is well, and then one thing after the other is not.
func TestDoctor(t *testing.T) {
	t.Parallel()
	h := boot(t, lab.Options{Prepare: withSudo})
	if err := h.WriteFile(t.Context(), credentialFile, []byte(hostPassword), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, h, "systemctl", "enable", "--now", "sessiondbd", "sessiondbd-firewall")
	eventually(t, "converged", 20*time.Second, func() bool {
		_, _, code := run(t, h, "sessiondbd", "status")
		return code == exitOK
	})
	for _, vm := range h.VMs() {
		if _, err := asVM(t, vm, hostPassword, "SELECT 1"); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("all is well", func(t *testing.T) {
		out, errOut, code := run(t, h, "sessiondbd", "doctor", "--vm", "vm3")
		if code != exitOK || errOut != "" {
			t.Errorf("exit %d, stderr %q", code, errOut)
		}
		t.Log("\n" + out)
		has(t, "doctor", out, "5 of 5 gateways are there", "5 of 5 networks let through", "PostgreSQL answers on 5 of 5 gateways", "5 of 5 ways in are open",
			"schema 0004; sessionuser may log in, password: the configured one", "nothing found in", "ok      guard", "met 10.3.0.2 at ", "open: nothing ends it here")
		if strings.Contains(out, "\x1b") {
			t.Error("colours without a terminal")
		}
		coloured, _, _ := run(t, h, "script", "-qec", "TERM=xterm sessiondbd doctor --vm vm3", "/dev/null")
		if !strings.Contains(coloured, "\x1b[32mok\x1b[0m") {
			t.Errorf("no colours on a terminal:\n%q", coloured)
		}
		plain, _, _ := run(t, h, "script", "-qec", "TERM=xterm NO_COLOR=1 sessiondbd doctor --vm vm3", "/dev/null")
		if strings.Contains(plain, "\x1b") {
			t.Error("colours although nobody wants them")
		}
	})
	t.Run("README", func(t *testing.T) { chapterRuns(t, h, "Operations") })
	t.Run("writes nothing", func(t *testing.T) {
		state := "nft -s list ruleset; ls -lR --full-time /var/lib/sessiondbd* /etc/sessiondbd /etc/postgresql; runuser -u postgres -- psql -Atc 'SELECT pg_snapshot_xmax(pg_current_snapshot())'"
		must(t, h, "systemctl", "stop", "sessiondbd", "sessiondbd-firewall")
		before := sh(t, h, state)
		diagnosis(t, h, "--vm", "vm1")
		if after := sh(t, h, state); after != before {
			t.Errorf("was\n%s\nis\n%s", before, after)
		}
		must(t, h, "systemctl", "start", "sessiondbd", "sessiondbd-firewall")
	})
	for _, x := range slices.Concat(serviceTroubles, bootTroubles) {
		t.Run(x.name, func(t *testing.T) { x.provoke(t, h) })
	}
	// From here on nobody repairs anything but the remedies.
	must(t, h, "systemctl", "stop", "sessiondbd", "sessiondbd-firewall")
	for _, x := range slices.Concat(earlyTroubles, slotTroubles, mendTroubles) {
		t.Run(x.name, func(t *testing.T) { x.provoke(t, h) })
	}
	lingering := linger(t, h)
	for _, x := range slices.Concat(networkTroubles, wayTroubles, databaseTroubles) {
		t.Run(x.name, func(t *testing.T) { x.provoke(t, h) })
	}
	for _, x := range hopTroubles {
		t.Run("hop: "+x.name, func(t *testing.T) { x.provoke(t, h) })
	}
	t.Run("old transaction, slow query", func(t *testing.T) { lingering(t) })
	t.Run("not root", func(t *testing.T) { doctorAsNobody(t, h) })
	if _, err := asVM(t, h.VM(3), hostPassword, "SELECT count(*) FROM session"); err != nil {
		t.Error(err)
	}
	t.Run("all is well again", func(t *testing.T) {
		must(t, h, "systemctl", "start", "sessiondbd", "sessiondbd-firewall")
		var d operate.Diagnosis
		defer func() { t.Log(asText(d)) }()
		eventually(t, "healthy", 20*time.Second, func() bool { d = diagnosis(t, h); return d.Healthy })
	})
}

// linger begins a transaction that stays open and a query that does not end; the returned test finds both.
func linger(t *testing.T, h *lab.Hypervisor) func(*testing.T) {
	t.Helper()
	for i, sql := range []string{"BEGIN;\nSELECT 'geheim';\n\\! sleep 1000\n", "SELECT pg_sleep(1000), 'geheim';\n"} {
		p, err := h.VM(1+i).StartCommand(t.Context(), lab.Command{
			Argv: []string{"psql", "-X", "-h", h.VM(1 + i).Gateway, "-U", "sessionuser", "-d", "sessiondb"},
			Env:  []string{"PGPASSWORD=" + hostPassword}, Stdin: strings.NewReader(sql),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Kill() })
	}
	return func(t *testing.T) {
		for _, x := range []trouble{
			{area: operate.AreaActivity, severity: operate.Risk, says: "(sessionuser from vm1) has had a transaction open for", remedy: "pg_terminate_backend("},
			{area: operate.AreaActivity, severity: operate.Risk, says: "(sessionuser from vm2) has been running a query for", remedy: "pg_cancel_backend("},
		} {
			var f operate.Finding
			eventually(t, "found", 90*time.Second, func() (there bool) { f, there = x.found(diagnosis(t, h)); return there })
			if !strings.Contains(f.What, "'…'") || strings.Contains(f.What, "geheim") {
				t.Errorf("the constant is not masked: %s", f.What)
			}
			follow(t, h, f.Remedy)
			eventually(t, "mended", 20*time.Second, func() bool { _, there := x.found(diagnosis(t, h)); return !there })
		}
	}
}

// doctorAsNobody: who may not look is told so, and how to; what everybody may see is shown.
func doctorAsNobody(t *testing.T, h *lab.Hypervisor) {
	out, errOut, code := run(t, h, "runuser", "-u", "nobody", "--", "sessiondbd", "doctor", "--json", "--vm", "vm1")
	d := decodeDiagnosis(t, out)
	if code != exitFailure || errOut != "" {
		t.Errorf("exit %d, stderr %q", code, errOut)
	}
	for _, area := range []string{operate.AreaFirewall, operate.AreaDatabase} {
		x := trouble{area: area, severity: operate.Unseen, remedy: "sudo sessiondbd doctor"}
		if _, ok := x.found(d); !ok {
			t.Errorf("%s: nothing is said of what cannot be seen:\n%s", area, asText(d))
		}
	}
	for _, f := range d.Findings {
		if f.Severity == operate.Broken {
			t.Errorf("found without having looked: %+v", f)
		}
	}
	sh(t, h, withConfig("roles: [{name: sessionuser, password: {file: /root/none-of-yours}}]")+"echo x >/root/none-of-yours; chmod 0600 /etc/sessiondbd/config.yaml")
	for _, x := range []trouble{
		{do: "true", area: operate.AreaConfig, severity: operate.Unseen, says: "permission denied", remedy: "sudo sessiondbd doctor"},
		{do: "chmod 0644 /etc/sessiondbd/config.yaml", area: operate.AreaSecrets, severity: operate.Unseen, says: "/root/none-of-yours", remedy: "sudo sessiondbd doctor"},
	} {
		sh(t, h, x.do)
		out, _, _ := run(t, h, "runuser", "-u", "nobody", "--", "sessiondbd", "doctor", "--json")
		if _, ok := x.found(decodeDiagnosis(t, out)); !ok {
			t.Errorf("%s is not said to be unseen:\n%s", x.area, out)
		}
	}
	sh(t, h, noConfig)
	if len(d.Way.Hops) < 5 || d.Way.Hops[0].Pass != operate.Passes || d.Way.Ends != "" {
		t.Errorf("the way: %+v", d.Way)
	}
	if text := asText(d); strings.Contains(text, "nothing ends it here") || !strings.Contains(text, "\nunknown: ") {
		t.Errorf("it is open, though nobody has looked:\n%s", text)
	}
}

// chapterRuns runs every line of a chapter of the README, which has to succeed.
func chapterRuns(t *testing.T, h *lab.Hypervisor, chapter string) {
	_, text, _ := strings.Cut(readFile(t, "../../README.md"), "\n## "+chapter+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	ran := 0
	for i, block := range strings.Split(text, "\n```") {
		if i%2 == 0 {
			continue // between two of them
		}
		for line := range strings.Lines(block) {
			if command := strings.TrimSpace(line); command != "" {
				sh(t, h, command)
				ran++
			}
		}
	}
	if ran < 3 {
		t.Errorf("chapter %s has %d commands", chapter, ran)
	}
}

//go:build integration

package server

import (
	"net/netip"
	"os"
	"strings"
	"testing"
)

var (
	vm1      = netip.MustParseAddr("10.1.0.1")
	vm2      = netip.MustParseAddr("10.2.0.1")
	outsider = netip.MustParseAddr("10.9.0.1")
)

// A fresh Debian comes to listen and let its VMs in, in one pass, and what FirstMatch says of each login is what happens.
func TestDoorOpens(t *testing.T) {
	const tail = "\nhostssl all all 10.9.0.0/24 reject\nhost all all 0.0.0.0/0 scram-sha-256\n" // SSL is off: the first one is marked
	h := newHost(t)
	h.write(h.hba, initialHBA+tail)
	h.reload()
	units := h.oneshot(h.Restart)
	out, did := h.converge()
	if out.Err() != nil || !out.InSync || did != "server/settings listen_addresses, server/settings authentication_timeout, server/settings client_connection_check_interval, hba block, server/settings restart" {
		t.Fatalf("did %q: %+v %v", did, out.Report, out.Err())
	}
	if got := <-units; got != "postgresql.service" {
		t.Errorf("the unit was %q", got)
	}
	h.settle()
	if got, want := h.read(h.hba), wantBlock+initialHBA+tail; got != want {
		t.Errorf("pg_hba.conf is %q, want %q", got, want)
	}
	for _, path := range []string{h.hba, h.ours} {
		info, err := os.Stat(path)
		h.must(err)
		if info.Mode().Perm() != 0o640 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		entries, err := os.ReadDir(strings.TrimSuffix(path, info.Name()))
		h.must(err)
		if len(entries) != 1 {
			t.Errorf("beside %s there is more: %v", path, entries)
		}
	}
	rules := h.observe().Rules
	for _, tt := range []struct {
		role, db string
		from     netip.Addr
		in       bool
	}{
		{"sessionuser", "sessiondb", vm1, true},
		{"sessionuser", "sessiondb", vm2, true},
		{"sessionuser", "sessiondb", outsider, false},
		{"sessionuser", "sessiondb", netip.MustParseAddr("127.0.0.1"), false}, // trusted by the line below ours
		{"sessionuser", "sessiondb", netip.MustParseAddr("::1"), false},
		{"sessionuser", "postgres", vm1, false},
		{"sessionuser", "template1", vm2, false},
		{"other", "sessiondb", vm1, true}, // others' lines stay in force
		{"other", "postgres", outsider, true},
		{"other", "postgres", netip.MustParseAddr("::1"), false},
	} {
		got := h.login(tt.role, tt.db, tt.from)
		hit, unsure := FirstMatch(rules, Login{Database: tt.db, Role: tt.role, From: tt.from})
		if (got == "in") != tt.in || letsIn(hit) != tt.in || unsure != nil {
			t.Errorf("%s to %s from %s: want in=%v, FirstMatch says %v, the server %q", tt.role, tt.db, tt.from, tt.in, hit, got)
		}
	}
	if _, err := h.ns.Run(t.Context(), "psql", "-Xw", "-d", h.URLAs("sessionuser", "sessiondb"), "-c", "SELECT"); err == nil || !strings.Contains(err.Error(), "pg_hba.conf rejects") {
		t.Errorf("sessionuser on the socket: %v", err)
	}
}

// Each access drift is repaired in one pass.
func TestDoorDrift(t *testing.T) {
	h := newHost(t)
	h.oneshot(h.Restart)
	h.settle()
	for name, content := range map[string]string{
		"block gone":       initialHBA,
		"one network gone": strings.Replace(wantBlock, "host  sessiondb  sessionuser  10.2.0.0/24  scram-sha-256\n", "", 1) + initialHBA,
		"reject gone":      strings.Replace(wantBlock, "host  all,replication  sessionuser,sessiondb_owner  all  reject\n", "", 1) + initialHBA,
		"pushed down":      "host all all all trust\n" + wantBlock + initialHBA,
		"error of ours":    strings.Replace(wantBlock, "scram-sha-256", "scram", 1) + initialHBA,
	} {
		h.write(h.hba, content)
		h.settle()
		if h.login("sessionuser", "sessiondb", vm2) != "in" || h.login("sessionuser", "sessiondb", outsider) == "in" {
			t.Errorf("%s: the door is not as it was", name)
		}
	}
	h.want.Roles[0].Access = accessNone
	h.settle()
	if h.login("sessionuser", "sessiondb", vm1) == "in" {
		t.Error("access none lets in")
	}
}

// A file that was written and not loaded (we were killed in between) is loaded by the next pass.
func TestDoorNotLoaded(t *testing.T) {
	h := newHost(t)
	h.oneshot(h.Restart)
	h.settle()
	h.write(h.hba, initialHBA)
	h.reload()
	if h.login("sessionuser", "sessiondb", vm1) == "in" {
		t.Fatal("no block, yet in")
	}
	h.write(h.hba, wantBlock+initialHBA)
	if out, did := h.converge(); did != "hba reload" || !out.InSync {
		t.Errorf("did %q: %+v", did, out.Report)
	}
	if got := h.login("sessionuser", "sessiondb", vm1); got != "in" {
		t.Error(got)
	}
}

// A text that PostgreSQL cannot take is put back before anything is loaded.
func TestBrokenFilesRollBack(t *testing.T) {
	h := newHost(t)
	h.oneshot(h.Restart)
	h.settle()
	before := h.observe()
	for _, tt := range []struct {
		step WriteFile
		want string
	}{
		{WriteFile{Path: h.hba, Exists: true, Old: h.read(h.hba), Content: "host all all 10.1.0.0/24 scam\n", Check: CheckHBA}, "cannot take line 1 of " + h.hba + `: invalid authentication method "scam"`},
		{WriteFile{Path: h.ours, Exists: true, Old: h.read(h.ours), Content: "\nauthentication_timeout = '1 parsec'\n"}, "cannot take line 2 of " + h.ours},
		{WriteFile{Path: strings.Replace(h.ours, includeName, "new.conf", 1), Content: "nonsense\n"}, "cannot take line 1 of "},
		{WriteFile{Path: h.hba, Exists: true, Old: "what it was before somebody came", Content: "\n", Check: CheckHBA}, "somebody has just changed it"},
		{WriteFile{Path: h.ours, Content: "\n"}, "somebody has just changed it"},
	} {
		err := h.Execute(t.Context(), tt.step)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.step, err, tt.want)
		}
	}
	if _, err := os.Stat(strings.Replace(h.ours, includeName, "new.conf", 1)); !os.IsNotExist(err) {
		t.Errorf("a file that was not there is there: %v", err)
	}
	after := h.observe()
	if after.Local.HBA.Content != before.Local.HBA.Content || after.Local.Include.Content != before.Local.Include.Content {
		t.Error("the files are not what they were")
	}
	if after.facts().Loaded != before.facts().Loaded {
		t.Error("a broken file was loaded")
	}
	h.settle2()
}

// settle2 has nothing left but what the put-back file's new date asks for.
func (h *host) settle2() {
	h.t.Helper()
	if out, did := h.converge(); !out.InSync || did != "hba reload" {
		h.t.Errorf("after it the pass did %q: %+v", did, out.Report)
	}
}

// Lines of others that PostgreSQL cannot take are named, and nothing is written over them.
func TestBrokenByOthers(t *testing.T) {
	h := newHost(t)
	h.write(h.hba, initialHBA+"\nhost all all scam\n")
	h.write(h.conf, h.read(h.conf)+"work_mem 'much'\n")
	out, did := h.converge()
	if did != "" || len(out.Refusals) != 2 || h.read(h.hba) != initialHBA+"\nhost all all scam\n" {
		t.Fatalf("did %q: %+v", did, out.Report)
	}
	for i, want := range []string{"work_mem: setting could not be applied", h.hba + ":5: "} {
		if !strings.Contains(out.Refusals[i].Summary, want) {
			t.Errorf("%q lacks %q", out.Refusals[i].Summary, want)
		}
	}
}

// Files that are not ours to write are judged, and the lines to add shown; once they are there all is well.
func TestReadOnlyFiles(t *testing.T) {
	h := newHost(t)
	for _, path := range []string{h.hba, h.ours} {
		dir := strings.TrimSuffix(path, path[strings.LastIndex(path, "/"):])
		h.must(os.Chown(dir, 0, 0))
	}
	out, did := h.converge()
	if did != "" || len(out.Refusals) != 2 || len(out.Warnings) != 3 {
		t.Fatalf("did %q: %+v", did, out.Report)
	}
	_, lines, _ := strings.Cut(out.Refusals[1].Remedy, "\n")
	h.write(h.hba, lines+"\n"+initialHBA)
	config := h.read(h.conf)
	for _, remedy := range []string{out.Refusals[0].Remedy, out.Warnings[0].Remedy, out.Warnings[1].Remedy} {
		_, line, _ := strings.Cut(remedy, "\n")
		config += line + "\n"
	}
	h.write(h.conf, config)
	h.must(h.Restart(t.Context()))
	h.settle()
	for _, in := range []netip.Addr{vm1, vm2} {
		if got := h.login("sessionuser", "sessiondb", in); got != "in" {
			t.Errorf("from %s: %s", in, got)
		}
	}
	if h.login("sessionuser", "sessiondb", outsider) == "in" {
		t.Error("the outsider is in")
	}
}

package server

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const hbaFile = "/etc/postgresql/15/main/pg_hba.conf"

const wantBlock = `# sessiondbd BEGIN (sessiondbd rewrites what stands between the two marks; first match wins)
host  sessiondb  sessionuser  10.1.0.0/24  scram-sha-256
host  sessiondb  sessionuser  10.2.0.0/24  scram-sha-256
local all,replication  sessionuser,sessiondb_owner  reject
host  all,replication  sessionuser,sessiondb_owner  all  reject
# sessiondbd END
`

const othersText = "local all postgres peer\nhost all all 127.0.0.1/32 scram-sha-256\n"

func withHBA(content string) Observation {
	o := settled(baseWant())
	o.Server[0].HBAFile = hbaFile
	o.Local.HBA = File{Path: hbaFile, Real: hbaFile, Exists: true, Writable: true, Content: content}
	return o
}

func TestHBA(t *testing.T) {
	const (
		step     = " [write " + hbaFile + "]\n"
		vm1      = "host sessiondb sessionuser 10.1.0.0/24 scram-sha-256; "
		vm2      = "host sessiondb sessionuser 10.2.0.0/24 scram-sha-256; "
		noOthers = "local all,replication sessionuser,sessiondb_owner reject; host all,replication sessionuser,sessiondb_owner all reject"
		whole    = vm1 + vm2 + noOthers
	)
	type world struct {
		edit    func(*Want, *Observation)
		content string
	}
	tests := []struct {
		name   string
		differ world
		want   string
		equal  world
	}{
		{
			"absent",
			world{content: othersText},
			"create block:  -> " + whole + step,
			world{content: wantBlock + othersText},
		},
		{
			"a line is missing",
			world{content: strings.Replace(wantBlock, "host  sessiondb  sessionuser  10.2.0.0/24  scram-sha-256\n", "", 1)},
			"update block: " + vm1 + noOthers + " -> " + whole + step,
			world{content: wantBlock},
		},
		{
			"a line is trust",
			world{content: strings.Replace(wantBlock, "10.2.0.0/24  scram-sha-256", "10.2.0.0/24  trust", 1)},
			"update block: " + vm1 + "host sessiondb sessionuser 10.2.0.0/24 trust; " + noOthers + " -> " + whole + step,
			world{content: wantBlock + "host all all 10.2.0.0/24 trust"},
		},
		{
			"saved with CRLF",
			world{content: strings.ReplaceAll(wantBlock, "\n", "\r\n")},
			"update block: other spacing or comments -> 4 lines" + step,
			world{content: wantBlock + strings.ReplaceAll(othersText, "\n", "\r\n")},
		},
		{
			"not first",
			world{content: othersText + wantBlock},
			"update place: from line 3 on -> from line 1 on" + step,
			world{content: wantBlock + "\n# \n" + othersText},
		},
		{
			"no access",
			world{edit: func(w *Want, _ *Observation) { w.Roles[0].Access = accessNone }, content: wantBlock},
			"update block: " + whole + " -> " + noOthers + step,
			world{edit: func(w *Want, _ *Observation) { w.Roles[0].Access = "readonly" }, content: wantBlock},
		},
		{
			"not loaded",
			world{edit: func(_ *Want, o *Observation) {
				o.Server[0].Loaded, o.Local.HBA.Changed = 1_000_000, time.UnixMicro(2_000_000)
			}, content: wantBlock},
			"run reload: loaded 00:00:01.000 -> changed 00:00:02.000 [reload PostgreSQL]\n",
			world{edit: func(_ *Want, o *Observation) {
				o.Server[0].Loaded, o.Local.HBA.Changed = 2_000_000, time.UnixMicro(1_000_000)
			}, content: wantBlock},
		},
		{
			"no END",
			world{content: strings.Replace(wantBlock, blockEnd, "#", 1)},
			"refuse the marks of sessiondbd's block in " + hbaFile + ` are damaged: "# sessiondbd BEGIN" in line 1 has no "# sessiondbd END" after it => ` +
				"remove the marks with those lines between them that are sessiondbd's; it then writes the block afresh\n",
			world{content: wantBlock + "# sessiondbd ENDED here\n"},
		},
		{
			"no BEGIN",
			world{content: othersText + blockEnd + "\n"},
			"refuse the marks of sessiondbd's block in " + hbaFile + ` are damaged: "# sessiondbd END" in line 3 has no "# sessiondbd BEGIN" before it => ` +
				"remove the marks with those lines between them that are sessiondbd's; it then writes the block afresh\n",
			world{content: wantBlock + "# see sessiondbd END\n"},
		},
		{
			"twice",
			world{content: wantBlock + wantBlock},
			"refuse the marks of sessiondbd's block in " + hbaFile + ` are damaged: a second "# sessiondbd BEGIN" in line 7, after that of line 1 => ` +
				"remove the marks with those lines between them that are sessiondbd's; it then writes the block afresh\n",
			world{content: wantBlock},
		},
		{
			"an error of others",
			world{edit: func(_ *Want, o *Observation) {
				o.Rules = []Rule{{File: hbaFile, Line: 7, Error: "invalid authentication method \"scam\""}}
			}, content: wantBlock},
			"refuse " + hbaFile + ":7: invalid authentication method \"scam\": PostgreSQL ignores the whole file while the line is there => mend or remove line 7 of " + hbaFile + ", then reload: " + reloadCmd + "\n",
			world{edit: func(_ *Want, o *Observation) { // hostssl without SSL is no fault
				o.Rules = []Rule{{File: hbaFile, Line: 7, Method: "peer", Error: "hostssl record cannot match because SSL is disabled"}}
			}, content: wantBlock},
		},
		{
			"an error of ours",
			world{edit: func(_ *Want, o *Observation) {
				o.Rules = []Rule{{File: hbaFile, Line: 2, Error: "invalid"}}
			}, content: strings.Replace(wantBlock, "host  sessiondb", "hots  sessiondb", 1)},
			"update block: hots" + strings.TrimPrefix(whole, "host") + " -> " + whole + step,
			world{content: wantBlock},
		},
		{
			"a name that cannot be written",
			world{edit: func(w *Want, _ *Observation) { w.Database = "/db" }, content: wantBlock},
			`refuse "/db" cannot be written into pg_hba.conf: what begins with a slash is a regular expression there => choose another name in sessiondbd's config` + "\n",
			world{edit: func(w *Want, _ *Observation) { w.Database = "all" }, content: strings.ReplaceAll(wantBlock, "host  sessiondb ", `host  "all" `)},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, side := range []struct {
				name string
				world
				want string
			}{{"differs", tt.differ, tt.want}, {"equal", tt.equal, ""}} {
				w, o := baseWant(), withHBA(side.content)
				if side.edit != nil {
					side.edit(&w, &o)
				}
				got := flat(HBA(w, o))
				if diff := cmp.Diff(side.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", side.name, diff)
				}
			}
		})
	}
}

// FuzzBlock: whatever the file holds, writing our block twice is writing it once, and the rest stays byte for byte.
func FuzzBlock(f *testing.F) {
	for _, s := range []string{"", "\n", othersText, strings.ReplaceAll(othersText, "\n", "\r\n"), "no newline", wantBlock, othersText + wantBlock + "x", "a\\\n" + wantBlock, "\xff\x00", blockBegin, blockEnd} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		_, rest, _, _, err := cutBlock(content)
		if err != nil {
			if !strings.Contains(content, blockBegin) && !strings.Contains(content, blockEnd) {
				t.Fatalf("%q has no marks, yet: %v", content, err)
			}
			return
		}
		if !strings.Contains(content, blockBegin) && rest != content {
			t.Fatalf("the rest of %q became %q", content, rest)
		}
		block, again, first, _, err := cutBlock(wantBlock + rest)
		if err != nil || block != wantBlock || again != rest || first != 1 {
			t.Fatalf("written into %q: block %q, rest %q, line %d, %v", content, block, again, first, err)
		}
	})
}

func TestFirstMatch(t *testing.T) {
	vm := Login{Database: "sessiondb", Role: "sessionuser", From: netip.MustParseAddr("10.1.0.2")}
	rule := func(f func(*Rule)) []Rule {
		r := Rule{File: "f", Line: 1, Type: "host", Databases: []string{"sessiondb"}, Users: []string{"sessionuser"}, Address: "10.1.0.0", Netmask: "255.255.255.0", Method: "scram-sha-256"}
		f(&r)
		return []Rule{r}
	}
	type half struct {
		rule  func(*Rule)
		login func(*Login)
	}
	same := func(*Login) {}
	tests := []struct {
		name      string
		hit, miss half
	}{
		{"address", half{func(*Rule) {}, same}, half{func(*Rule) {}, func(l *Login) { l.From = netip.MustParseAddr("10.1.1.2") }}},
		{"address all", half{func(r *Rule) { r.Address, r.Netmask = "all", "" }, same}, half{func(r *Rule) { r.Address, r.Netmask = "10.2.0.0", "255.255.0.0" }, same}},
		{"families", half{func(r *Rule) { r.Address, r.Netmask = "::", "::" }, func(l *Login) { l.From = netip.MustParseAddr("fd00::1") }}, half{func(r *Rule) { r.Address, r.Netmask = "::", "::" }, same}},
		{"mapped", half{func(*Rule) {}, func(l *Login) { l.From = netip.MustParseAddr("::ffff:10.1.0.9") }}, half{func(*Rule) {}, func(l *Login) { l.From = netip.MustParseAddr("::ffff:10.9.0.9") }}},
		{"local", half{func(r *Rule) { r.Type = "local" }, func(l *Login) { l.From = netip.Addr{} }}, half{func(r *Rule) { r.Type = "local" }, same}},
		{"host is no socket", half{func(*Rule) {}, same}, half{func(*Rule) {}, func(l *Login) { l.From = netip.Addr{} }}},
		{"hostssl", half{func(r *Rule) { r.Type = "hostssl" }, func(l *Login) { l.TLS = true }}, half{func(r *Rule) { r.Type = "hostssl" }, same}},
		{"hostnossl", half{func(r *Rule) { r.Type = "hostnossl" }, same}, half{func(r *Rule) { r.Type = "hostnossl" }, func(l *Login) { l.TLS = true }}},
		{"GSSAPI", half{func(r *Rule) { r.Type = "hostnogssenc" }, same}, half{func(r *Rule) { r.Type = "hostgssenc" }, same}},
		{"database", half{func(r *Rule) { r.Databases = []string{"x", "sessiondb"} }, same}, half{func(r *Rule) { r.Databases = []string{"x", "sessiondbx"} }, same}},
		{"database all", half{func(r *Rule) { r.Databases = []string{"all"} }, same}, half{func(r *Rule) { r.Databases = []string{"replication"} }, same}},
		{"sameuser", half{func(r *Rule) { r.Databases = []string{"sameuser"} }, func(l *Login) { l.Database = l.Role }}, half{func(r *Rule) { r.Databases = []string{"sameuser"} }, same}},
		{"user", half{func(r *Rule) { r.Users = []string{"a", "sessionuser"} }, same}, half{func(r *Rule) { r.Users = []string{"a", "Sessionuser"} }, same}},
		{"user all", half{func(r *Rule) { r.Users = []string{"all"} }, same}, half{func(r *Rule) { r.Users = nil }, same}},
		{"error", half{func(r *Rule) { r.Error = "SSL is off" }, same}, half{func(r *Rule) { r.Error, r.Method = "bad", "" }, same}},
	}
	for _, tt := range tests {
		for i, h := range []half{tt.hit, tt.miss} {
			l := vm
			h.login(&l)
			hit, unsure := FirstMatch(rule(h.rule), l)
			if (hit != nil) != (i == 0) || unsure != nil {
				t.Errorf("%s, half %d: hit %v, unsure %v", tt.name, i, hit, unsure)
			}
		}
	}
	for name, f := range map[string]func(*Rule){
		"group": func(r *Rule) { r.Users = []string{"+g"} }, "user regexp": func(r *Rule) { r.Users = []string{"/^s"} },
		"database regexp": func(r *Rule) { r.Databases = []string{"/^s"} }, "samerole": func(r *Rule) { r.Databases = []string{"samerole"} },
		"host name": func(r *Rule) { r.Address, r.Netmask = "vm1.example", "" }, "samenet": func(r *Rule) { r.Address, r.Netmask = "samenet", "" },
	} {
		second := rule(func(r *Rule) { r.Line = 2 })
		hit, unsure := FirstMatch(append(rule(f), second...), vm)
		if hit == nil || hit.Line != 2 || len(unsure) != 1 {
			t.Errorf("%s: hit %v, unsure %v", name, hit, unsure)
		}
		elsewhere := vm // what certainly does not match for another reason is not unsure
		elsewhere.From = netip.Addr{}
		if hit, unsure := FirstMatch(rule(f), elsewhere); hit != nil || unsure != nil {
			t.Errorf("%s on the socket: hit %v, unsure %v", name, hit, unsure)
		}
	}
}

func TestVerifyHBA(t *testing.T) {
	host := func(line int, db, user, address, mask, method string) Rule {
		return Rule{File: hbaFile, Line: line, Type: "host", Databases: []string{db}, Users: []string{user}, Address: address, Netmask: mask, Method: method}
	}
	vm1 := func(method string) Rule {
		return host(1, "sessiondb", "sessionuser", "10.1.0.0", "255.255.255.0", method)
	}
	vm2 := host(2, "sessiondb", "sessionuser", "10.2.0.0", "255.255.255.0", "scram-sha-256")
	const lines = "host  sessiondb  sessionuser  10.1.0.0/24  scram-sha-256\nhost  sessiondb  sessionuser  10.2.0.0/24  scram-sha-256\n" +
		"local all,replication  sessionuser,sessiondb_owner  reject\nhost  all,replication  sessionuser,sessiondb_owner  all  reject\n"
	const put = " => put these lines first into " + hbaFile + ", then: " + reloadCmd + "\n" + lines
	const nix = " => in the NixOS configuration, first in services.postgresql.authentication (where that is set with mkOverride, inside its text):\n" + lines
	tests := []struct {
		name  string
		rules []Rule
		nix   bool
		want  string
	}{
		{name: "served", rules: []Rule{vm1("scram-sha-256"), vm2}},
		{name: "nobody", want: "refuse vm1 (10.1.0.0/24), vm2 (10.2.0.0/24) cannot log in as sessionuser: no line lets it in" + nix, nix: true},
		{name: "rejected", rules: []Rule{vm1("reject"), vm1("scram-sha-256"), vm2}, want: "refuse vm1 (10.1.0.0/24) cannot log in as sessionuser: " + hbaFile + ":1 rejects it" + put},
		{name: "ident", rules: []Rule{vm1("ident"), vm2}, want: "refuse vm1 (10.1.0.0/24) cannot log in as sessionuser: " + hbaFile + ":1 asks for ident, not for the password" + put},
		{name: "trust", rules: []Rule{vm1("trust"), vm2}, want: "warn vm1 (10.1.0.0/24) as sessionuser: " + hbaFile + ":1 lets it in without a password (trust)" + put},
		{name: "half a subnet", rules: []Rule{host(1, "sessiondb", "sessionuser", "10.1.0.0", "255.255.255.128", "scram-sha-256"), vm2}, want: "refuse vm1 (10.1.0.0/24) cannot log in as sessionuser: no line lets it in" + put},
		{name: "loose", rules: []Rule{vm1("scram-sha-256"), vm2, host(9, "all", "all", "127.0.0.1", "255.255.255.255", "md5")}, want: "warn no closing reject: " + hbaFile + ":9 lets sessiondb_owner in from 127.0.0.1; " + hbaFile + ":9 lets sessionuser in from 127.0.0.1" + put},
		{name: "closed", rules: []Rule{vm1("scram-sha-256"), vm2, host(3, "all", "all", "all", "", "reject"), host(9, "all", "all", "127.0.0.1", "255.255.255.255", "md5")}},
		{name: "other databases", rules: []Rule{host(1, "all", "sessionuser", "10.1.0.0", "255.255.255.0", "scram-sha-256"), vm2}, want: "warn no closing reject: " + hbaFile + ":1 lets sessionuser in to other databases from vm1 (10.1.0.0/24)" + put},
		{name: "TLS only, none here", rules: []Rule{{File: hbaFile, Line: 1, Type: "hostssl", Databases: []string{"sessiondb"}, Users: []string{"all"}, Address: "10.0.0.0", Netmask: "255.0.0.0", Method: "scram-sha-256"}}, want: "refuse vm1 (10.1.0.0/24), vm2 (10.2.0.0/24) cannot log in as sessionuser: no line lets it in" + put},
		{name: "not of the group", rules: []Rule{host(1, "sessiondb", "+vms", "all", "", "reject"), vm1("scram-sha-256"), vm2}},
		{name: "unsure", rules: []Rule{host(1, "sessiondb", "/^s", "all", "", "reject"), vm1("scram-sha-256"), vm2}, want: "warn vm1 (10.1.0.0/24), vm2 (10.2.0.0/24) as sessionuser: " + hbaFile + ":1 may match before and cannot be judged from here" + put},
	}
	for _, tt := range tests {
		w, o := baseWant(), withHBA("")
		o.Local.HBA.Writable, o.Rules = false, tt.rules
		if tt.nix {
			o.Local.HBA.Real = "/nix/store/x-pg_hba.conf"
		} else {
			w.Manage, o.Local.HBA.Writable = ManageVerify, true
		}
		if diff := cmp.Diff(tt.want, flat(HBA(w, o))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestRepresentatives(t *testing.T) {
	for prefix, want := range map[string]string{
		"10.1.0.0/24": "10.1.0.2 10.1.0.254", "10.1.0.7/32": "10.1.0.7", "10.1.0.0/31": "10.1.0.1", "10.1.0.0/30": "10.1.0.2",
		"fd00::/64": "fd00::2 fd00::ffff:ffff:ffff:fffe", "0.0.0.0/0": "0.0.0.2 255.255.255.254",
	} {
		var got []string
		for _, a := range representatives(netip.MustParsePrefix(prefix)) {
			got = append(got, a.String())
		}
		if !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %v, want %s", prefix, got, want)
		}
	}
}

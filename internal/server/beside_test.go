package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parse reads lines as pg_hba_file_rules shows them, for tests: four or five words, each a list.
func parse(text string) []Rule {
	var rules []Rule
	n := 0
	for line := range strings.Lines(text) {
		n++
		f := strings.Fields(strings.ReplaceAll(line, `"`, ""))
		if len(f) < 4 || f[0][0] == '#' {
			continue
		}
		r := Rule{File: hbaFile, Line: n, Type: f[0], Databases: strings.Split(f[1], ","), Users: strings.Split(f[2], ","), Method: f[len(f)-1]}
		if f[0] != "local" {
			r.Address = f[3]
			if a, bits, ok := strings.Cut(f[3], "/"); ok {
				r.Address = a
				r.Netmask = map[string]string{"0": "0.0.0.0", "8": "255.0.0.0", "16": "255.255.0.0", "24": "255.255.255.0", "32": "255.255.255.255", "128": "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}[bits]
				if bits == "0" && strings.Contains(a, ":") {
					r.Netmask = "::"
				}
			}
		}
		rules = append(rules, r)
	}
	return rules
}

// Each line of others that lets somebody in is told of, and its twin, as near to it as can be, is not.
func TestBeside(t *testing.T) {
	const (
		free = "warn others get in without a password: "
		wide = "warn from the VMs other roles than ours may log in, too: "
		far  = "warn over the network other roles than ours may log in where sessiondb is read: "
	)
	tests := []struct {
		name, differ, kind, shown, equal string
	}{
		{"trust on the socket", "local all all trust", free, "1 (local all all trust)", "local all all peer"},
		{"trust on the loopback", "host all all 127.0.0.1/32 trust", free, "1 (host all all 127.0.0.1/32 trust)", "host all all 127.0.0.1/32 scram-sha-256"},
		{"trust for a VM in another database", "host x y 10.1.0.0/24 trust", free, "1 (host x y 10.1.0.0/24 trust)", "host x y 10.1.0.0/24 md5"},
		{"ident believes the client's host", "host all all 10.0.0.0/8 ident", free, "1 (host all all 10.0.0.0/8 ident)", "host all all 127.0.0.1/32 ident"},
		{"replication without a password", "local replication all trust", free, "1 (local replication all trust)", "local replication all peer"},
		{"everybody from everywhere", "host all all 0.0.0.0/0 md5", wide, "1 (host all all 0.0.0.0/0 md5)", "host all all 127.0.0.1/32 md5"},
		{"all addresses", "host all all all scram-sha-256", wide, "1 (host all all all scram-sha-256)", "host all all all reject"},
		{"the host's networks", "host sessiondb all samenet scram-sha-256", wide, "1 (host sessiondb all samenet scram-sha-256)", "host sessiondb all samehost scram-sha-256"},
		{"another role from a VM", "host sessiondb backup 10.2.0.0/24 scram-sha-256", wide, "1 (host sessiondb backup 10.2.0.0/24 scram-sha-256)", "host sessiondb sessionuser 10.2.0.0/24 scram-sha-256"},
		{"ours and another", "host sessiondb sessionuser,x 10.2.0.0/24 scram-sha-256", wide, "1 (host sessiondb sessionuser,x 10.2.0.0/24 scram-sha-256)", "host otherdb sessionuser,x 10.2.0.0/24 scram-sha-256"},
		{"a group", "host all +admins 10.0.0.0/8 scram-sha-256", wide, "1 (host all +admins 10.0.0.0/8 scram-sha-256)", "host other +admins 10.0.0.0/8 scram-sha-256"},
		{"from elsewhere", "host all postgres 192.168.1.0/24 scram-sha-256", far, "1 (host all postgres 192.168.1.0/24 scram-sha-256)", "host app app 192.168.1.0/24 scram-sha-256"},
		{"IPv6", "host all all ::/0 scram-sha-256", far, "1 (host all all ::/0 scram-sha-256)", "host all all ::1/128 scram-sha-256"},
		{"a name", "host all all admin.example scram-sha-256", far, "1 (host all all admin.example scram-sha-256)", "host all all admin.example reject"},
		{"a copy of the cluster", "host replication all 192.168.1.0/24 scram-sha-256", far, "1 (host replication all 192.168.1.0/24 scram-sha-256)", "host replication all 127.0.0.1/32 scram-sha-256"},
		{"an expression", "host /^s all 192.168.1.0/24 scram-sha-256", far, "1 (host /^s all 192.168.1.0/24 scram-sha-256)", `host sameuser all 192.168.1.0/24 scram-sha-256`},
		{
			"shut before", "host all all 10.1.0.0/24 reject\nhost all all 10.0.0.0/8 scram-sha-256", wide, "2 (host all all 10.0.0.0/8 scram-sha-256)",
			"host all all 10.0.0.0/8 reject\nhost all all 10.2.0.0/24 scram-sha-256",
		},
		{
			"shut for one", "host all postgres all reject\nhost sessiondb all 10.1.0.0/24 md5", wide, "2 (host sessiondb all 10.1.0.0/24 md5)",
			"host all postgres all reject\nhost sessiondb postgres 10.1.0.0/24 md5",
		},
		{"a database that is named all", `host all all 10.0.0.0/8 md5`, wide, "1 (host all all 10.0.0.0/8 md5)", `host "all" all 10.0.0.0/8 md5`},
		{"TLS that is not there", "hostnossl all all 10.0.0.0/8 md5", wide, "1 (hostnossl all all 10.0.0.0/8 md5)", "hostssl all all 10.0.0.0/8 md5"},
	}
	for _, tt := range tests {
		o := withHBA(wantBlock + tt.differ)
		o.Rules = parse(tt.differ)
		got := flat(HBA(baseWant(), o))
		if want := tt.kind + hbaFile + ":" + tt.shown + ": "; !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: got  %swant %s", tt.name, got, want)
		}
		o = withHBA(tt.equal)
		o.Local.HBA.Content, o.Rules = tt.equal, parse(tt.equal)
		r := resourceOfBeside(o)
		if r != "" {
			t.Errorf("%s: the twin: %s", tt.name, r)
		}
	}
}

func resourceOfBeside(o Observation) string {
	r := HBA(baseWant(), o)
	r[0].Changes, r[0].Refusals = nil, nil
	return flat(r)
}

// Debian's and NixOS's own lines are no news, and a hundred lines are one warning.
func TestBesideIsQuietAndShort(t *testing.T) {
	const debian = "local all postgres peer\nlocal all all peer\nhost all all 127.0.0.1/32 scram-sha-256\nhost all all ::1/128 scram-sha-256\n" +
		"local replication all peer\nhost replication all 127.0.0.1/32 scram-sha-256\nhost replication all ::1/128 scram-sha-256\n"
	const nix = "local all postgres peer map=postgres\nlocal all all peer\nhost all all 127.0.0.1/32 md5\nhost all all ::1/128 md5\n"
	for _, text := range []string{debian, nix} {
		o := withHBA(text)
		o.Rules = parse(text)
		o.Server[0].HBAFile = "/elsewhere"
		if got := resourceOfBeside(o); got != "" {
			t.Error(got)
		}
	}
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "host sessiondb role%d 10.1.0.0/24 md5\n", i)
	}
	o := withHBA(wantBlock)
	o.Rules = parse(text.String())
	const narrow = "narrow each of these lines to the database, role and address that it is meant for, or remove it, in " + hbaFile + ", then: " + reloadCmd
	want := fmt.Sprintf("warn from the VMs other roles than ours may log in, too: %[1]s:1 (host sessiondb role0 10.1.0.0/24 md5), %[1]s:2 (host sessiondb role1 10.1.0.0/24 md5), "+
		"%[1]s:3 (host sessiondb role2 10.1.0.0/24 md5) and 97 more lines: a hijacked VM may try passwords there, the superuser's where a line says all => %[2]s\n", hbaFile, narrow)
	if diff := cmp.Diff(want, flat(HBA(baseWant(), o))); diff != "" {
		t.Error(diff)
	}
}

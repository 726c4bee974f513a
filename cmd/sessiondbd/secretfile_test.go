package main

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// accessEntry is one line of a POSIX access list.
type accessEntry struct {
	tag, perm uint16
	id        uint32
}

func accessBytes(entries ...accessEntry) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

func TestOthers(t *testing.T) {
	const owner, user, group, namedGroup, mask, world = 1, 2, 4, 8, 16, 32
	file := secretFile{keepers: keepers{0: true, 103: true}}
	// What systemd makes of a credential for user 103.
	credential := []accessEntry{{owner, 4, 0}, {user, 4, 103}, {group, 0, 0}, {mask, 4, 0}, {world, 0, 0}}
	with := func(i int, e accessEntry) []byte {
		l := slices.Clone(credential)
		l[i] = e
		return accessBytes(l...)
	}
	for _, tt := range []struct {
		name        string
		mode        uint32
		acl         []byte
		read, write bool
	}{
		{"private", 0o600, nil, false, false},
		{"read-only", 0o400, nil, false, false},
		{"group reads", 0o640, nil, true, false},
		{"world reads", 0o604, nil, true, false},
		{"group writes", 0o620, nil, false, true},
		{"world writes", 0o602, nil, false, true},
		{"executable is no way in", 0o711, nil, false, false},
		{"a credential", 0o440, accessBytes(credential...), false, false},
		{"the same bits without a list", 0o440, nil, true, false},
		{"another user reads", 0o440, with(1, accessEntry{user, 4, 1000}), true, false},
		{"another user would, but for the mask", 0o400, with(1, accessEntry{user, 4, 1000}), false, false},
		{"another user writes", 0o660, with(1, accessEntry{user, 6, 1000}), true, true},
		{"its group reads", 0o440, with(2, accessEntry{group, 4, 0}), true, false},
		{"another group reads", 0o440, with(2, accessEntry{namedGroup, 4, 103}), true, false},
		{"world reads beside a list", 0o444, with(4, accessEntry{world, 4, 0}), true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if read, write := file.others(tt.mode, tt.acl); read != tt.read || write != tt.write {
				t.Errorf("read %t, write %t", read, write)
			}
		})
	}
}

// Every folder in which a name is looked up decides what the path leads to.
func TestWay(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"etc", "store/of/it", "elsewhere"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(top, "store/of/it/file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"etc/absolute": top + "/elsewhere/hop", "elsewhere/hop": "../store/of/it/file", "etc/it": "../store/of/it", "etc/round": "round",
	} {
		if err := os.Symlink(target, filepath.Join(top, name)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string][]string{
		"store/of/it/file": {"", "store", "store/of", "store/of/it"},
		"etc/it/file":      {"", "etc", "store", "store/of", "store/of/it"},
		"etc/it/../it/file": { // up from where the link leads, not from where it lies
			"", "etc", "store", "store/of", "store/of/it",
		},
		"etc/absolute": {"", "etc", "elsewhere", "store", "store/of", "store/of/it"},
	} {
		got, err := way(top + "/" + path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		var inside []string
		for _, dir := range got {
			if rel, err := filepath.Rel(top, dir); err == nil && (rel == "." || filepath.IsLocal(rel)) {
				if rel = filepath.Clean("/" + rel)[1:]; !slices.Contains(inside, rel) {
					inside = append(inside, rel)
				}
			} else if !slices.Contains([]string{top, "/"}, dir) && len(dir) > len(top) {
				t.Errorf("%s: %s is not on the way", path, dir)
			}
		}
		if !slices.Equal(inside, want) || got[0] != "/" {
			t.Errorf("%s: %q, want %q", path, inside, want)
		}
	}
	if _, err := way(top + "/etc/round"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a link to itself: %v", err)
	}
}

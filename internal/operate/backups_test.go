package operate

import (
	"os"
	"slices"
	"testing"
	"time"
)

// What a clock that was wrong has named is neither counted nor removed, and does not push out what was just made.
func TestKeep(t *testing.T) {
	const made = "sessiondb-20261127T020000Z"
	older := []string{"sessiondb-20261126T020000Z", "sessiondb-20261125T020000Z", "sessiondb-20261124T020000Z"}
	later := []string{"sessiondb-20330101T020000Z", "sessiondb-20320101T020000Z", "sessiondb-20310101T020000Z"}
	for _, tt := range []struct {
		what           string
		there          []string
		removed, ahead []string
	}{
		{"as usual", append([]string{made}, older...), older[2:], nil},
		{"alone", []string{made}, nil, nil},
		{"the clock was wrong", append([]string{made}, later...), nil, later},
		{"both", slices.Concat([]string{made}, later, older), older[2:], later},
		{"the clock is wrong", append([]string{older[2]}, later...), nil, later},
	} {
		b := Backups{t.TempDir(), "sessiondb"}
		for _, name := range tt.there {
			for _, end := range []string{dumpEnd, sumEnd, rolesEnd, contentEnd} {
				if err := os.WriteFile(b.Dir+"/"+name+end, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		removed, ahead, err := b.Keep(3, tt.there[0])
		if err != nil || !slices.Equal(removed, tt.removed) || !slices.Equal(ahead, tt.ahead) {
			t.Errorf("%s: removed %v, ahead %v, %v", tt.what, removed, ahead, err)
		}
		left, err := os.ReadDir(b.Dir)
		if err != nil || len(left) != 4*(len(tt.there)-len(tt.removed)) {
			t.Errorf("%s: %d files are left, %v", tt.what, len(left), err)
		}
		all, err := b.List()
		if newest, found := Newest(all, time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC)); err != nil || !found || newest.Name != tt.there[0] {
			t.Errorf("%s: the newest is %s, %v", tt.what, newest.Name, err)
		}
	}
	if _, found := Newest(nil, time.Now()); found {
		t.Error("there is one among none")
	}
}

// The state on one line: one is one, and what is wrong with a backup is not said of those after it.
func TestBackupStateString(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 11, day, 2, 0, 0, 0, time.Local) }
	good := BackupDone{At: at(26), Sessions: 1, Bytes: 100}
	for _, tt := range []struct {
		s    *BackupState
		want string
	}{
		{nil, ""},
		{&BackupState{}, ""},
		{&BackupState{Good: &good, Kept: 1}, "last 2026-11-26 02:00 (1 session, 100 bytes), 1 kept"},
		{&BackupState{Good: &good, Kept: 4, Ahead: 3}, "last 2026-11-26 02:00 (1 session, 100 bytes), 4 kept, 3 of them with names of a time to come"},
		{&BackupState{Failed: &BackupFail{at(27), "no config"}}, "FAILED 2026-11-27 02:00: no config; none"},
		{&BackupState{Good: &good, Kept: 1, Unfit: &BackupFail{at(27), "x.dump: cut off"}}, "NOT FIT to be restored (2026-11-27): x.dump: cut off; last 2026-11-26 02:00 (1 session, 100 bytes), 1 kept"},
		{
			&BackupState{Good: &good, Kept: 1, Unfit: &BackupFail{at(25), "x.dump: cut off"}},
			"NOT FIT to be restored (2026-11-25): x.dump: cut off (whether a newer one is fit is not known: sudo sessiondbd backup --verify); last 2026-11-26 02:00 (1 session, 100 bytes), 1 kept",
		},
	} {
		if got := tt.s.String(); got != tt.want {
			t.Errorf("%+v\n got %s\nwant %s", tt.s, got, tt.want)
		}
	}
}

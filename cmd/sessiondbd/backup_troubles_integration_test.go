//go:build integration

package main

import (
	"strings"
	"testing"
	"time"
)

// Under a clock that was wrong, or is, no backup goes that is not known to be older than so many others.
func TestBackupClock(t *testing.T) {
	t.Parallel()
	s := backupSite(t, "")
	s.insert()
	s.backup()
	made := s.backups("")
	for _, year := range []string{"2131", "2132", "2133"} {
		for _, name := range made {
			s.sh("cp -a " + s.path("backups/"+name) + " " + s.path("backups/sessiondb-"+year+name[len("sessiondb-2026"):]))
		}
	}
	time.Sleep(1100 * time.Millisecond)
	s.want(exitOK, []string{"backup"}, "5 kept, 0 removed", "note: sessiondb-2133", "of a time to come")
	if dumps := s.backups(".dump"); len(dumps) != 5 || !strings.HasPrefix(dumps[1], "sessiondb-20") {
		t.Errorf("kept: %v", dumps)
	}
	newest := s.backups(".dump")[1]
	s.want(exitOK, []string{"backup", "--verify"}, "can be restored", newest)
	if st := s.run("status", "--only", "database"); !strings.Contains(st.stdout, "5 kept, 3 of them with names of a time to come") {
		t.Errorf("status:\n%s", st.stdout)
	}
}

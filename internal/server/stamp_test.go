package server

import (
	"testing"
	"time"
)

// A row of pg_stat_file is of a file, or of another one with the same path.
func TestStamped(t *testing.T) {
	at := func(s int) time.Time { return time.Date(2026, 11, 22, 23, 53, s, 5000, time.UTC) }
	file := File{Exists: true, Content: "text", size: 4, mtime: at(7), Changed: at(9)}
	for row, want := range map[string]bool{
		`(4,"2026-11-22 23:59:00+00","2026-11-22 23:53:07+00","2026-11-22 23:53:09+00",,f)`:                   true,
		`(4,"2026-11-23 05:29:00+05:30","2026-11-23 05:23:07+05:30","2026-11-23 05:23:09+05:30",,f)`:          true,
		`(5,"2026-11-22 23:59:00+00","2026-11-22 23:53:07+00","2026-11-22 23:53:09+00",,f)`:                   false,
		`(4,"2026-11-22 23:59:00+00","2026-11-22 23:53:08+00","2026-11-22 23:53:09+00",,f)`:                   false,
		`(4,"2026-11-22 23:59:00+00","2026-11-22 23:53:07+00","2026-11-22 23:53:08+00",,f)`:                   false,
		`(4,"2026-11-22 23:59:00+01","2026-11-22 23:53:07+01","2026-11-22 23:53:09+01",,f)`:                   false,
		`(4,"Sun Nov 22 23:59:00 2026 UTC","Sun Nov 22 23:53:07 2026 UTC","Sun Nov 22 23:53:09 2026 UTC",,f)`: false,
		"": false,
	} {
		if got := file.stamped(row); got != want {
			t.Errorf("%s: %v, want %v", row, got, want)
		}
	}
	unread := file
	unread.Content = ""
	if unread.stamped(`(4,"2026-11-22 23:59:00+00","2026-11-22 23:53:07+00","2026-11-22 23:53:09+00",,f)`) {
		t.Error("a file that could not be read passes for the server's")
	}
}

// What is as it should be and was never in doubt is not asked for again: see QueriesFor.
func TestInNoDoubt(t *testing.T) {
	w := baseWant()
	for _, tt := range []struct {
		name string
		edit func(*Observation)
		want bool
	}{
		{"converged", func(*Observation) {}, true},
		{"with units, for people", func(o *Observation) { o.Settings[1].Value = "5s" }, true},
		{"a line where the default would do", func(o *Observation) {
			o.Files = append(o.Files, FileSetting{File: confFile, Line: 1, Name: "password_encryption", Value: "scram-sha-256"})
		}, true},
		{"a line against the default", func(o *Observation) {
			o.Files = append(o.Files, FileSetting{File: confFile, Line: 1, Name: "password_encryption", Value: "md5"})
		}, false},
		{"a setting runs with another value", func(o *Observation) { o.Settings[1].Value = "1min" }, false},
		{"a setting waits for a restart", func(o *Observation) { o.Settings[0].Value = "localhost" }, false},
		{"a line has another value", func(o *Observation) { o.Files[1].Value = "1min" }, false},
		{"a later line has another value", func(o *Observation) {
			o.Files = append(o.Files, FileSetting{File: "/auto.conf", Line: 1, Name: "authentication_timeout", Value: "1min"})
		}, false},
		{"a line is missing", func(o *Observation) { o.Files = o.Files[1:] }, false},
		{"a line of somebody else is broken", func(o *Observation) {
			o.Files = append(o.Files, FileSetting{File: confFile, Line: 1, Name: "work_mem", Value: "x", Error: "setting could not be applied"})
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := settled(w)
			tt.edit(&o)
			if got := o.settled(w); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

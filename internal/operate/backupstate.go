package operate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// BackupState is how the last backups and verifications ended. What went well stays beside what failed after it.
type BackupState struct {
	Good     *BackupDone `json:"last_good,omitempty"`
	Failed   *BackupFail `json:"failed,omitempty"` // since Good
	Verified *BackupDone `json:"last_verified,omitempty"`
	Unfit    *BackupFail `json:"unfit,omitempty"` // the verification that failed since Verified
	Kept     int         `json:"kept"`
	Ahead    int         `json:"kept_of_a_time_to_come,omitempty"` // of Kept
}

// BackupDone is a backup that went well.
type BackupDone struct {
	At       time.Time `json:"at"`
	Name     string    `json:"name"`
	Bytes    int64     `json:"bytes"`
	Sessions int64     `json:"sessions"`
	Seconds  float64   `json:"seconds"`
}

// SessionsCounted is a number of them for people.
func SessionsCounted(n int64) string { return counted(int(n), "session") }

// BackupFail is one that did not.
type BackupFail struct {
	At    time.Time `json:"at"`
	Error string    `json:"error"`
}

// ReadBackupState reads it; nil where no backup was ever made, or where it is not ours to read.
func ReadBackupState(path string) *BackupState {
	data, err := os.ReadFile(path)
	s := &BackupState{}
	if err != nil || json.Unmarshal(data, s) != nil {
		return nil
	}
	return s
}

// ChangeBackupState changes it as a whole or not at all.
func ChangeBackupState(path string, change func(*BackupState)) error {
	s := ReadBackupState(path)
	if s == nil {
		s = &BackupState{}
	}
	change(s)
	data, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = writeSynced(path+".new", string(data)+"\n")
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		_ = os.Remove(path + ".new")
	}
	return err
}

// Trouble says whether somebody has to look after the backups.
func (s *BackupState) Trouble() bool { return s != nil && (s.Failed != nil || s.Unfit != nil) }

// untested says whether there is a newer backup than the one that is not fit, of which nothing is known.
func (s *BackupState) untested() bool {
	return s.Unfit != nil && s.Good != nil && s.Good.At.After(s.Unfit.At)
}

// String is the state for people, on one line; empty where no backup was ever tried.
func (s *BackupState) String() string {
	if s == nil || s.Good == nil && s.Failed == nil {
		return ""
	}
	text := "none"
	if s.Good != nil {
		text = fmt.Sprintf("last %s (%s, %s), %d kept", s.Good.At.Local().Format("2006-01-02 15:04"), SessionsCounted(s.Good.Sessions), Size(s.Good.Bytes), s.Kept)
	}
	if s.Ahead > 0 {
		text += fmt.Sprintf(", %d of them with names of a time to come", s.Ahead)
	}
	if s.Verified != nil {
		text += ", restored for a test " + s.Verified.At.Local().Format("2006-01-02")
	}
	if s.Failed != nil {
		text = fmt.Sprintf("FAILED %s: %s; %s", s.Failed.At.Local().Format("2006-01-02 15:04"), s.Failed.Error, text)
	}
	if s.Unfit != nil {
		newer := ""
		if s.untested() {
			newer = " (whether a newer one is fit is not known: sudo sessiondbd backup --verify)"
		}
		text = fmt.Sprintf("NOT FIT to be restored (%s): %s%s; %s", s.Unfit.At.Local().Format("2006-01-02"), s.Unfit.Error, newer, text)
	}
	return text
}

// Facts are numbers of it, for the metrics; times are in seconds since the epoch. None where no backup was ever tried.
func (s *BackupState) Facts() map[string]int {
	if s == nil {
		return nil
	}
	is := func(f *BackupFail) int {
		if f != nil {
			return 1
		}
		return 0
	}
	facts := map[string]int{"backup_failed": is(s.Failed), "backup_unfit": is(s.Unfit), "backups_kept": s.Kept}
	if s.Good != nil {
		facts["backup_time"], facts["backup_bytes"], facts["backup_sessions"] = int(s.Good.At.Unix()), int(s.Good.Bytes), int(s.Good.Sessions)
	}
	if s.Verified != nil {
		facts["backup_verified_time"] = int(s.Verified.At.Unix())
	}
	return facts
}

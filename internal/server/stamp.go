package server

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// stamped says whether a row of pg_stat_file is of this very file: size, and to the second the times of the last change of
// content and of attributes. That two hosts agree in all of it and not in the content is less likely than that they agree in
// the content; where they differ, the content decides.
func (f File) stamped(row string) bool {
	fields := strings.Split(strings.Trim(row, "()"), ",") // size, access, modification, change, creation, isdir
	if !f.Exists || f.mtime.IsZero() || len(fields) != 6 || fields[0] != strconv.FormatInt(f.size, 10) || int64(len(f.Content)) != f.size {
		return false
	}
	modified, ok := timestamp(fields[2])
	changed, also := timestamp(fields[3])
	return ok && also && modified.Unix() == f.mtime.Unix() && changed.Unix() == f.Changed.Unix()
}

// timestamp reads a time as PostgreSQL writes it in DateStyle ISO, which our connections have.
func timestamp(text string) (time.Time, bool) {
	text = strings.Trim(text, `"`)
	for _, zone := range []string{"-07", "-07:00", "-07:00:00"} {
		if t, err := time.Parse("2006-01-02 15:04:05.999999"+zone, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// text decodes a file that the server sent.
func text(encoded string) string {
	// MIME's line breaks are PostgreSQL's; the decoder skips them.
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return ""
	}
	return string(b)
}

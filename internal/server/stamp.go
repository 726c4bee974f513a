package server

import (
	"encoding/base64"
	"strconv"
	"strings"

	"sessiondbd/internal/postgres"
)

// stamped says whether a row of pg_stat_file is of this very file: size, and to the second the times of the last change of
// content and of attributes. That two hosts agree in all of it and not in the content is less likely than that they agree in
// the content; where they differ, the content decides.
func (f File) stamped(row string) bool {
	fields := strings.Split(strings.Trim(row, "()"), ",") // size, access, modification, change, creation, isdir
	if !f.Exists || f.mtime.IsZero() || len(fields) != 6 || fields[0] != strconv.FormatInt(f.size, 10) || int64(len(f.Content)) != f.size {
		return false
	}
	modified, ok := postgres.Timestamp(fields[2])
	changed, also := postgres.Timestamp(fields[3])
	return ok && also && modified.Unix() == f.mtime.Unix() && changed.Unix() == f.Changed.Unix()
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

package daemon

import (
	"encoding/json"
	"os"
)

// By is who began the pause that the file holds; empty: nobody that could be told.
func (f PauseFile) By() string {
	var p pause
	b, err := os.ReadFile(f.Path)
	if err != nil || json.Unmarshal(b, &p) != nil {
		return ""
	}
	return p.By
}

//go:build integration

package server

import (
	"encoding/base64"
	"errors"
	"testing"
)

// Files with the server's stamps are read here; others the server is asked for, and they are ours when they hold the same.
func TestFilesByStampOrContent(t *testing.T) {
	h := newHost(t)
	for _, tt := range []struct {
		name  string
		edit  func(*Facts)
		texts int
		sent  string // instead of postgresql.conf
		here  bool
	}{
		{"stamped", func(*Facts) {}, 0, "", true},
		{"another stamp, the same content", func(f *Facts) { f.ConfigStamp = "" }, 1, "", true},
		{"another stamp of pg_hba.conf, the same content", func(f *Facts) { f.HBAStamp = "" }, 1, "", true},
		{"another file of that name", func(f *Facts) { f.ConfigStamp = "" }, 1, "include_dir = '/there'", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := h.target.ConnectMaintenance(t.Context())
			h.must(err)
			defer c.CloseSoon()
			var o Observation
			queries := QueriesFor(h.want, c.Version(), &o)
			take := queries[0].Then
			queries[0].Then = func() {
				tt.edit(&o.Server[0])
				take()
			}
			e := asServer(h.DataDir, func() { err = c.Ask(t.Context(), queries) })
			h.must(errors.Join(e, err))
			if len(o.Texts) != tt.texts {
				t.Fatalf("%d times the text, want %d", len(o.Texts), tt.texts)
			}
			if tt.sent != "" {
				o.Texts[0].Config = base64.StdEncoding.EncodeToString([]byte(tt.sent))
			}
			h.must(asServer(h.DataDir, o.Probe))
			if l := o.Local; l.Here != tt.here || l.Include.Writable != tt.here || !l.HBA.Writable || l.HBA.Content != initialHBA {
				t.Errorf("%+v", l)
			}
		})
	}
}

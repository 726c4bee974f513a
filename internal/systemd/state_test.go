package systemd

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFiles(t *testing.T) {
	got := parseFiles("sessiondbd.service          disabled enabled\nsessiondbd-firewall.service masked   enabled\npostgresql@.service static\n\n")
	want := map[string]string{"sessiondbd.service": "disabled", "sessiondbd-firewall.service": "masked", "postgresql@.service": "static"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("differs (-want +got):\n%s", d)
	}
	for state, masked := range map[string]bool{"masked": true, "masked-runtime": true, "disabled": false, "": false} {
		if Masked(state) != masked {
			t.Errorf("%q: %v", state, !masked)
		}
	}
}

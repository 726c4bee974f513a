package systemd

import (
	"regexp"
	"testing"
)

// An id that was told once is looked for for ever, so that each is its own, and of the form that journald takes.
func TestCatalogue(t *testing.T) {
	seen := map[string]string{}
	for _, m := range Messages {
		for _, key := range []string{m.ID, m.Name, m.Subject} {
			if key == "" || seen[key] != "" {
				t.Errorf("%s: %q is that of %q as well", m.Name, key, seen[key])
			}
			seen[key] = m.Name
		}
		// A random id, of version 4 (sd-id128(3)).
		if !regexp.MustCompile(`^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$`).MatchString(m.ID) {
			t.Errorf("%s: id %s", m.Name, m.ID)
		}
		for _, field := range regexp.MustCompile(`@[^@]*@`).FindAllString(m.Subject+m.Text, -1) {
			if !regexp.MustCompile(`^@SESSIONDBD_[A-Z]+@$`).MatchString(field) {
				t.Errorf("%s: field %s", m.Name, field)
			}
		}
		if message(m.Name) == nil || m.Text == "" {
			t.Errorf("%s explains nothing", m.Name)
		}
	}
	if len(Messages) < 20 {
		t.Errorf("%d messages", len(Messages))
	}
}

package role

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"sessiondbd/internal/plan"
)

// Neither password nor verifier is in anything that is shown.
func TestNoSecretIsShown(t *testing.T) {
	for name, o := range map[string]Observation{"fresh": fresh(), "legacy": legacy(), "converged": converged()} {
		for _, enforced := range []Secret{"", "s3cret", "an0ther"} {
			w := declared()
			w.Roles[0].Password.Enforced = enforced
			p := plan.Plan{Resources: both(w, o)}
			var out bytes.Buffer
			if err := p.Report().JSON(&out); err != nil {
				t.Fatal(err)
			}
			if err := p.Report().Text(&out, "would change"); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%v %+v %#v %v", o, o, o, w.Roles[0].Password)
			for _, c := range p.Changes() {
				fmt.Fprintf(&out, "%s %v %+v", c.Step, c.Step, c)
			}
			for _, secret := range []string{"s3cret", "an0ther", "sessionpass123", scramPrefix} {
				if strings.Contains(out.String(), secret) {
					t.Errorf("%s, enforced %t: %q is shown", name, enforced != "", secret)
				}
			}
		}
	}
}

func TestNewPassword(t *testing.T) {
	const from = "printf %s 'NEW PASSWORD' | sudo install -m 0400 "
	for source, want := range map[string]string{
		"credential pw.vm":    from + "/dev/stdin /etc/credstore/pw.vm && sudo systemctl restart sessiondbd",
		"/etc/my secret/pw":   from + "-o postgres /dev/stdin '/etc/my secret/pw' && sudo systemctl reload sessiondbd",
		"file /etc/secret/pw": from + "-o postgres /dev/stdin /etc/secret/pw && sudo systemctl reload sessiondbd",
		"":                    from + "/dev/stdin /etc/credstore/r.password && sudo systemctl restart sessiondbd\nwith `credential: r.password` below the role's `password:` in /etc/sessiondbd/config.yaml",
	} {
		if got := newPassword(Spec{Name: "r", Password: Password{Source: source}}); got != want {
			t.Errorf("%q: %s", source, got)
		}
	}
}

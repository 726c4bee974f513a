//go:build integration

package role

import (
	"strings"
	"testing"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/postgres"
)

// What PostgreSQL does not take for a verifier it hashes as a password: that is an error, and the old password stays.
func TestVerifierIsReadBack(t *testing.T) {
	for _, encryption := range []string{"md5", "scram-sha-256"} {
		t.Run(encryption, func(t *testing.T) {
			c := lab.ClusterT(t, lab.ClusterOptions{Settings: map[string]string{"password_encryption": encryption, "log_statement": "all"}})
			sql := func(text string) string {
				t.Helper()
				out, err := c.PSQL(t.Context(), "postgres", text)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			const role = `r'e"\`
			const ask = `SELECT rolpassword FROM pg_authid WHERE rolname = 'r''e"\'`
			sql(`CREATE ROLE "r'e""\"`)
			target, err := postgres.NewTarget(c.URL("postgres"), "postgres")
			if err != nil {
				t.Fatal(err)
			}
			w, err := postgres.Begin(t.Context(), target, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { w.End().CloseSoon() }()
			good, err := derive("s3cret", []byte("0123456789abcdef"), iterations)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Execute(t.Context(), store(role, good.text())); err != nil {
				t.Fatal(err)
			}
			if got := sql(ask); got != good.text() {
				t.Fatal("stored is something else than the verifier")
			}
			for name, bad := range map[string]string{
				"cut off":            good.text()[:60],
				"no base64":          strings.Replace(good.text(), "$", "$!", 2),
				"the cleartext":      "s3cret",
				"no salt":            "SCRAM-SHA-256$4096:$" + strings.SplitAfterN(good.text(), "$", 3)[2],
				"nearly an MD5 hash": "md5" + strings.Repeat("0", 31),
			} {
				err := w.Execute(t.Context(), store(role, bad))
				if err == nil || !strings.Contains(err.Error(), "set the password of "+role+": PostgreSQL stored something else") {
					t.Errorf("%s: %v", name, err)
				} else if strings.Contains(err.Error(), bad) {
					t.Errorf("%s: the error shows it", name)
				}
				if got := sql(ask); got != good.text() {
					t.Errorf("%s: the old password is gone", name)
				}
			}
			// An empty one clears the password with a mere notice.
			if err := w.Execute(t.Context(), store(role, "")); err == nil || sql(ask) != good.text() {
				t.Errorf("an empty verifier: %v", err)
			}
			if log := c.Log(); strings.Contains(log, "s3cret") || strings.Contains(log, scramPrefix) || !strings.Contains(log, "stored something else") {
				t.Errorf("the server's log:\n%s", log)
			}
		})
	}
}

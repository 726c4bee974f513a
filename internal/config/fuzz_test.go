package config

import (
	"errors"
	"os"
	"testing"
)

// FuzzParse: nothing panics, whatever is refused is refused with places inside the file, and whatever is accepted can
// be shown and parsed again.
func FuzzParse(f *testing.F) {
	for _, path := range []string{"testdata/default.yaml", installed} {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(uncomment(data))
	}
	f.Add([]byte(everything))
	for _, m := range mistakes {
		f.Add([]byte(m.in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("/etc/sessiondbd/config.yaml", data)
		if err == nil {
			checkRoundTrip(t, c)
			return
		}
		var errs Errors
		if !errors.As(err, &errs) || len(errs) == 0 {
			t.Fatalf("no Errors: %v", err)
		}
		for _, e := range errs {
			if e.Line < 1 || e.Message == "" {
				t.Errorf("no place or message: %+v", e)
			}
		}
	})
}

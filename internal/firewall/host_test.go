package firewall

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpenWithoutTools(t *testing.T) {
	for _, backend := range []string{Auto, NFT, Legacy} {
		_, err := open(t.Context(), backend, []string{t.TempDir()})
		if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "apt install iptables") {
			t.Errorf("%s: %v", backend, err)
		}
	}
	if h, err := open(t.Context(), Off, []string{t.TempDir()}); err != nil || h.Backend() != Off {
		t.Errorf("off needs no tools: %v", err)
	}
}

// A back end that is asked for by name and is not there is not replaced by the other.
func TestOpenOtherBackend(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho 'iptables v1.8.9 (nf_tables)'\n"
	if err := os.WriteFile(filepath.Join(dir, "iptables"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t.Context(), Legacy, []string{dir}); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "firewall.backend is legacy") {
		t.Errorf("legacy: %v", err)
	}
	if _, err := open(t.Context(), NFT, []string{dir}); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "no iptables-save") {
		t.Errorf("nft, with only half of the tools: %v", err)
	}
}

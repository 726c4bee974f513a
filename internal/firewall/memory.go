package firewall

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Memory is a file with what was verified last. A boot takes the rules away, and a config that somebody has broken before it
// must not leave the port open.
type Memory struct{ Path string }

// Remember writes down what spec asks for, with the interfaces that were found; the same once more writes nothing. A bridge
// that is not there keeps the interface that it had.
func (m Memory) Remember(spec Spec, have Observation) error {
	before, _ := m.Recall()
	known := map[string]string{}
	if before != nil {
		for _, n := range before.Networks {
			known[n.Gateway.String()] = n.Interface
		}
	}
	networks := make([]Network, len(spec.Networks))
	for i, n := range spec.Networks {
		if n.Interface == "" {
			n.Interface = have.Addresses[n.Gateway]
		}
		if n.Interface == "" {
			n.Interface = known[n.Gateway.String()]
		}
		networks[i] = n
	}
	spec.Networks = networks
	data, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if old, err := os.ReadFile(m.Path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	err = os.MkdirAll(filepath.Dir(m.Path), 0o700)
	if err == nil {
		err = os.WriteFile(m.Path+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(m.Path+".new", m.Path)
	}
	if err != nil {
		return fmt.Errorf("remembering the firewall rules: %w", err)
	}
	return nil
}

// Recall reads what was remembered; nil when there is nothing. A file that cannot be understood is an error.
func (m Memory) Recall() (*Spec, error) {
	data, err := os.ReadFile(m.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the remembered firewall rules: %w", err)
	}
	var s Spec
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s does not hold firewall rules: it was cut off or edited", m.Path)
	}
	if s.Port == 0 {
		return nil, fmt.Errorf("%s does not hold firewall rules: no port is named", m.Path)
	}
	return &s, nil
}

// Forget is for when the rules are taken away on purpose.
func (m Memory) Forget() error {
	if err := os.Remove(m.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting the firewall rules: %w", err)
	}
	return nil
}

// Guarded says whether a guard of ours stands in both families, whatever it lets in: the rules of somebody's last good
// config are better than ours of an older one.
func Guarded(have Observation) bool {
	for _, f := range []family{ipv4, ipv6} {
		if f == ipv6 && have.NoIPv6 {
			continue
		}
		t := have.ruleset(f).Mangle
		if own := jumps(t, mangle); len(t.Chain) == 0 || len(own) == 0 || own[0].position != 1 {
			return false
		}
	}
	return true
}

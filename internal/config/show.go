package config

import (
	"fmt"
	"io"

	"gopkg.in/yaml.v3"
)

// Show writes the effective config as YAML in the order of the contract. Secrets appear as "(hidden)"; once they are put
// back, Parse accepts the output as the same config.
func (c *Config) Show(w io.Writer) error {
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(c); err != nil {
		return fmt.Errorf("show config: %w", err)
	}
	return e.Close()
}

package config

import (
	"fmt"
	"strings"
	"testing"
)

// Ten thousand networks that are apart are loaded without being compared with each other; one that is not is still found.
func TestManyNetworks(t *testing.T) {
	var b strings.Builder
	b.WriteString("networks:\n")
	for i := range 10000 {
		fmt.Fprintf(&b, "- {name: network-of-vm-%d, subnet: 10.%d.%d.0/24, gateway: 10.%d.%d.1, interface: br-vm%d}\n", i, i/250, i%250, i/250, i%250, i)
	}
	c, err := Parse("config.yaml", []byte(b.String()))
	if err != nil || len(c.Networks) != 10000 {
		t.Fatalf("%d networks: %v", len(c.Networks), err)
	}
	b.WriteString("- {name: other, subnet: 10.7.4.128/25, gateway: 10.7.4.129}\n")
	_, err = Parse("config.yaml", []byte(b.String()))
	if want := "networks[10000].subnet: 10.7.4.128/25 overlaps 10.7.4.0/24 of networks[1754].subnet"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v", err)
	}
	if b.Len() > maxSize/2 {
		t.Errorf("so many take %d bytes of %d", b.Len(), maxSize)
	}
}

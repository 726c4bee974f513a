// Package lab gives tests real, throw-away surroundings: database clusters, network namespaces, a booted hypervisor.
package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Checkout returns the root folder of the source tree, found upwards from the working directory.
func Checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		mod, err := os.ReadFile(filepath.Join(d, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module sessiondbd\n") {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("%s: not inside the source tree of sessiondbd; run from there", dir)
		}
	}
}

// closing is the context for taking things down: it outlives the cancelled one that made us do so.
func closing(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

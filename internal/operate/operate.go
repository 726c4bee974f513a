// Package operate is what administrators ask of a running host: commands over the same observation as the daemon's passes.
package operate

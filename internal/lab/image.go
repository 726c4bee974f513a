package lab

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// packages make a Debian host like the documented hypervisor.
var packages = []string{
	"systemd", "systemd-sysv", "dbus", "iproute2", "iptables", "nftables", "postgresql", "procps",
}

// customize is run with the fresh root as its argument. It is part of the image's key.
//
//go:embed customize.sh
var customize string

// image returns the folder with the installed system, built on first use (half a minute).
func image(ctx context.Context, o Options) (string, error) {
	include := append(slices.Clone(packages), o.Packages...)
	slices.Sort(include)
	key := sha256.Sum256([]byte(o.Suite + "\n" + strings.Join(include, ",") + "\n" + customize))
	return cached(ctx, fmt.Sprintf("root-%s-%x", o.Suite, key[:6]), func(dir string) error {
		o.progress("installing Debian %s for the hypervisor (once, about half a minute)", o.Suite)
		// A mount namespace of its own: what mmdebstrap mounts goes away with it, also when it is killed.
		_, err := host(ctx, "/", "unshare", "--mount", "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase",
			"--include="+strings.Join(include, ","), `--aptopt=Acquire::Languages "none"`,
			"--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
			"--dpkgopt=path-exclude=/usr/share/doc/*", o.Suite, dir)
		if err != nil {
			return err
		}
		script := filepath.Join(dir, "customize.sh")
		if err := os.WriteFile(script, []byte(customize), 0o755); err != nil {
			return err
		}
		defer os.Remove(script)
		_, err = host(ctx, "/", "chroot", dir, "sh", "-eu", "/customize.sh")
		return err
	})
}

package lab

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
)

var versioned = regexp.MustCompile(`/postgresql/(\d+)/bin$`)

// newestBindir is where Debian put the newest server.
func newestBindir() (string, error) {
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	newest, dir := 0, ""
	for _, d := range all {
		m := versioned.FindStringSubmatch(d)
		if m == nil || !exists(filepath.Join(d, "initdb")) {
			continue
		}
		if v, _ := strconv.Atoi(m[1]); v > newest {
			newest, dir = v, d
		}
	}
	if dir == "" {
		return "", fmt.Errorf("no PostgreSQL server below /usr/lib/postgresql; run: make setup")
	}
	return dir, nil
}

// copyTemplate fills the data folder: initdb takes a second, copying what it once made a few hundredths.
func (c *Cluster) copyTemplate(ctx context.Context) error {
	if c.options.FreshIdentity {
		return c.initdb(ctx, c.DataDir)
	}
	var machine Place
	version, err := machine.Run(ctx, filepath.Join(c.Bindir, "postgres"), "--version")
	if err != nil {
		return err
	}
	uid, _, err := serverUser()
	if err != nil {
		return err
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d\n%v", c.Bindir, version, uid, initdbFlags))
	template, err := cached(ctx, fmt.Sprintf("initdb-%x", key[:6]), func(dir string) error { return c.initdb(ctx, dir) })
	if err != nil {
		return err
	}
	_, err = machine.Run(ctx, "cp", "-a", "--reflink=auto", template, c.DataDir)
	return err
}

var initdbFlags = []string{"--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"}

func (c *Cluster) initdb(ctx context.Context, dir string) error {
	uid, gid, err := serverUser()
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil { // the folder above is root's
		return err
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		return err
	}
	argv, err := asServer(append([]string{filepath.Join(c.Bindir, "initdb"), "-D", dir}, initdbFlags...)...)
	if err != nil {
		return err
	}
	var machine Place
	_, err = machine.Run(ctx, argv...)
	return err
}

//go:build integration

package server

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// alone requires that beside the file there are only those named, so no half-written one.
func (h *host) alone(path string, others ...string) {
	h.t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	h.must(err)
	if len(entries) != 1+len(others) {
		h.t.Errorf("beside %s there is more than %v: %v", path, others, entries)
	}
}

// A full disk leaves the file as it is, whole, and says so; with room again the next pass writes it.
func TestFullDisk(t *testing.T) {
	h := newHost(t)
	h.oneshot(h.Restart)
	h.settle()
	dir := filepath.Dir(h.hba)
	h.must(unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=755"))
	t.Cleanup(func() { h.must(unix.Unmount(dir, unix.MNT_DETACH)) })
	h.own(dir)
	long := initialHBA + "\n#" + strings.Repeat("x", 20_000) // does not fit beside the filler
	h.write(h.hba, long)
	filler := filepath.Join(dir, "filler")
	_ = os.WriteFile(filler, make([]byte, 1<<20), 0o600) // as much as there is
	out, did := h.converge()
	if did != "" || out.Err() == nil || !strings.Contains(out.Err().Error(), "write "+h.hba) || !strings.Contains(out.Err().Error(), "no space left") {
		t.Fatalf("did %q: %v", did, out.Err())
	}
	if h.read(h.hba) != long {
		t.Error("the file is not what it was")
	}
	h.alone(h.hba, "filler")
	if got := h.login("sessionuser", "sessiondb", vm1); got != "in" { // what is loaded stays in force
		t.Error(got)
	}
	h.must(os.Remove(filler))
	h.settle()
	if h.read(h.hba) != wantBlock+long {
		t.Error("with room again it is not written")
	}
	h.must(unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	if out, did := h.converge(); !out.InSync || did != "" {
		t.Errorf("read-only and right: did %q: %+v", did, out.Report)
	}
	h.want.Roles[0].Networks = h.want.Roles[0].Networks[:1]
	o := h.observe()
	if r := HBA(h.want, o)[0]; len(r.Changes) != 0 || o.Local.HBA.Writable {
		t.Errorf("something is to be written to a read-only mount: %+v", r)
	}
}

// A folder that became somebody else's between the look and the write, with what it says.
func TestUnwritableFolder(t *testing.T) {
	h := newHost(t)
	o := h.observe()
	step := HBA(h.want, o)[0].Changes[0].Step
	dir := filepath.Dir(h.hba)
	h.must(os.Chown(dir, 0, 0))
	err := h.Execute(t.Context(), step)
	if err == nil || !strings.Contains(err.Error(), "permission denied") || h.read(h.hba) != initialHBA {
		t.Errorf("%v; the file is %q", err, h.read(h.hba))
	}
	h.alone(h.hba)
	h.own(dir)
	if err := h.Execute(t.Context(), step); err != nil || h.read(h.hba) != wantBlock+initialHBA {
		t.Errorf("its twin: %v; the file is %q", err, h.read(h.hba))
	}
}

// Behind a link lies the file that is written: the link stays, and so do owner and mode.
func TestLinkedHBA(t *testing.T) {
	h := newHost(t)
	h.oneshot(h.Restart)
	folder := filepath.Join(h.DataDir, "elsewhere")
	h.must(os.Mkdir(folder, 0o755))
	h.own(folder)
	real := filepath.Join(folder, "real.conf")
	h.must(os.Rename(h.hba, real))
	h.must(os.Chmod(real, 0o604))
	h.must(os.Symlink("../elsewhere/real.conf", h.hba))
	h.settle()
	if to, err := os.Readlink(h.hba); err != nil || to != "../elsewhere/real.conf" {
		t.Errorf("the link: %q, %v", to, err)
	}
	info, err := os.Stat(real)
	h.must(err)
	data, err := os.Stat(h.DataDir)
	h.must(err)
	if h.read(real) != wantBlock+initialHBA || info.Mode().Perm() != 0o604 || info.Sys().(*syscall.Stat_t).Uid != data.Sys().(*syscall.Stat_t).Uid {
		t.Errorf("the file has mode %o, owner %d and says %q", info.Mode().Perm(), info.Sys().(*syscall.Stat_t).Uid, h.read(real))
	}
	h.alone(real)
	if got := h.login("sessionuser", "sessiondb", vm2); got != "in" {
		t.Error(got)
	}
}

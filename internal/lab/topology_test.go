//go:build integration

package lab_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"sessiondbd/internal/lab"
)

// TestTopologyWithCluster serves VMs without a booted system, as the firewall's tests do.
func TestTopologyWithCluster(t *testing.T) {
	began := time.Now()
	n := lab.TopologyT(t, lab.TopologyOptions{VMs: 2, NoBridges: true})
	t.Logf("made in %s", time.Since(began).Round(time.Millisecond))
	lab.ClusterT(t, lab.ClusterOptions{Namespace: n.Router, Settings: map[string]string{"listen_addresses": "*"}})
	if err := reach(t.Context(), n.VM(2), "10.2.0.1"); err == nil {
		t.Error("VM 2 gets through without its bridge")
	}
	if err := n.AddBridge(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if err := reach(t.Context(), n.VM(2), "10.2.0.1"); err != nil {
		t.Error(err)
	}
	if err := reach(t.Context(), n.Outside, "10.2.0.1"); err != nil {
		t.Error(err)
	}
	if _, err := n.Router.Run(t.Context(), "iptables", "-A", "INPUT", "-p", "tcp", "--dport", "5432", "-i", "eth0", "-j", "REJECT"); err != nil {
		t.Fatal(err)
	}
	if err := reach(t.Context(), n.Outside, "10.2.0.1"); err == nil {
		t.Error("the outside gets through a REJECT")
	}
	if _, err := n.VM(1).Run(t.Context(), "iptables", "-S", "INPUT"); err != nil {
		t.Error(err)
	}
}

// TestBootFailsClean ends a boot at its three seams: a hook that fails, a system that does not come up, a cancel.
func TestBootFailsClean(t *testing.T) {
	wrong := errors.New("wrong")
	install := func(ctx context.Context, r *lab.Root) error {
		stuck := "[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=echo stuck here\nExecStart=sleep infinity\n"
		if err := r.WriteFile(ctx, "/etc/systemd/system/stuck.service", []byte(stuck), 0o644); err != nil {
			return err
		}
		_, err := r.Run(ctx, "ln", "-s", "../stuck.service", "/etc/systemd/system/sysinit.target.wants/stuck.service")
		return err
	}
	cancelled, cancel := context.WithCancelCause(t.Context())
	for _, tt := range []struct {
		name string
		ctx  context.Context
		o    lab.Options
		want []string
	}{
		{"hook", t.Context(), lab.Options{Prepare: func(context.Context, *lab.Root) error { return wrong }}, []string{"prepare: wrong"}},
		{"stuck", t.Context(), lab.Options{Prepare: install, BootTimeout: 4 * time.Second}, []string{"not up after 4s", "stuck here"}},
		{"cancel", cancelled, lab.Options{Prepare: func(context.Context, *lab.Root) error {
			time.AfterFunc(500*time.Millisecond, func() { cancel(errors.New("enough")) })
			return nil
		}}, []string{"enough"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := lab.Boot(tt.ctx, tt.o)
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
			if left := traces(t, os.Getpid()); left != "" {
				t.Errorf("left behind:\n%s", left)
			}
		})
	}
}

package lab

import "context"

// TB is what the helpers need of testing.TB.
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
	Failed() bool
	Context() context.Context
}

// BootT is Boot for a test: fatal on error, closed at its end, the journal's tail shown if it failed.
func BootT(t TB, o Options) *Hypervisor {
	t.Helper()
	CloseOnSignal()
	h, err := Boot(t.Context(), o)
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("journal:\n%s", h.tail(200))
		}
		closeT(t, h)
	})
	return h
}

// BindirT is Bindir for a test.
func BindirT(t TB, major int) string {
	t.Helper()
	dir, err := Bindir(t.Context(), major)
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	return dir
}

// ClusterT is StartCluster for a test: fatal on error, closed at its end, the server's log shown if it failed.
func ClusterT(t TB, o ClusterOptions) *Cluster {
	t.Helper()
	CloseOnSignal()
	c, err := StartCluster(t.Context(), o)
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("server log:\n%s", lastLines(c.Log(), 60))
		}
		closeT(t, c)
	})
	return c
}

// TopologyT is NewTopology for a test: fatal on error, closed at its end.
func TopologyT(t TB, o TopologyOptions) *Topology {
	t.Helper()
	CloseOnSignal()
	n, err := NewTopology(t.Context(), o)
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Cleanup(func() { closeT(t, n) })
	return n
}

// NamespaceT is NewNamespace for a test: fatal on error, closed at its end.
func NamespaceT(t TB, name string) *Namespace {
	t.Helper()
	CloseOnSignal()
	n, err := NewNamespace(t.Context(), name)
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Cleanup(func() { closeT(t, n) })
	return n
}

func closeT(t TB, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatalf("lab: close: %v", err)
	}
}

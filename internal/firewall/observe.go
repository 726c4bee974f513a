package firewall

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
)

// Observe looks at our chains, at INPUT, at the addresses and at who is connected to the port; it writes nothing. Errors: ErrNotPermitted, ErrBusy.
func (h *Host) Observe(ctx context.Context, port uint16) (Observation, error) {
	o := Observation{Backend: h.backend}
	if h.backend == Off {
		return h.leftBehind(ctx, port), nil
	}
	o.NoIPv6 = noIPv6()
	var wg sync.WaitGroup
	var err4, err6, errOthers, errConns, errAddr error
	wg.Go(func() { o.IPv4, err4 = h.observeFamily(ctx, ipv4) })
	if !o.NoIPv6 {
		wg.Go(func() { o.IPv6, err6 = h.observeFamily(ctx, ipv6) })
	}
	wg.Go(func() { o.Others, errOthers = h.foreign(ctx) })
	o.Addresses, errAddr = addresses()
	o.Connections, errConns = connections(port)
	wg.Wait()
	if err := errors.Join(err4, err6, errOthers, errConns, errAddr); err != nil {
		return Observation{}, err
	}
	return o, nil
}

// leftBehind is what there is of ours while the firewall is somebody else's. What cannot be seen is taken for nothing.
func (h *Host) leftBehind(ctx context.Context, port uint16) Observation {
	if h.left != nil {
		if o, err := h.left.Observe(ctx, port); err == nil {
			return o
		}
	}
	return Observation{Backend: Off}
}

func (h *Host) observeFamily(ctx context.Context, f family) (Ruleset, error) {
	r, err := h.ruleset(ctx, f)
	if err != nil || h.other == nil || !h.other.maybeLeft(f) {
		return r, err
	}
	left, err := h.other.ruleset(ctx, f)
	if err != nil {
		return r, fmt.Errorf("what is left in the %s tables: %w", h.other.backend, err)
	}
	if left.Mangle.Chain != nil || left.Filter.Chain != nil {
		r.Left, r.LeftIn = &left, h.other.backend
	}
	return r, nil
}

func (h *Host) ruleset(ctx context.Context, f family) (Ruleset, error) {
	if h.backend == Legacy {
		save, err := h.saveLegacy(ctx, f)
		return parse(save), err
	}
	save, err := h.run(ctx, "", h.tools[f].save)
	if err != nil {
		return Ruleset{}, err
	}
	r := parse(save)
	for _, t := range []table{mangle, filter} {
		exists, err := chainExists(f, t, "INPUT")
		if err != nil {
			return Ruleset{}, err
		}
		r.table(t).Bare = !exists
	}
	return r, nil
}

// maybeLeft says whether a back end that is not in use may hold something of ours; it loads no module to find out. Where the
// list of the legacy tables is not ours to read, as for the service's own user, nobody looks further: looking would load them.
func (h *Host) maybeLeft(f family) bool {
	if h.backend == Legacy {
		loaded, known := legacyTables(f)
		return known && len(loaded) > 0
	}
	for _, t := range []table{mangle, filter} {
		if exists, err := chainExists(f, t, t.chain()); err == nil && exists {
			return true
		}
	}
	return false
}

// saveLegacy reads table by table: without -t the tool needs the list of tables, which only root may read, and takes
// one that is hidden for an empty one. A table that is not loaded is not asked for, since asking would load it.
func (h *Host) saveLegacy(ctx context.Context, f family) (string, error) {
	loaded, known := legacyTables(f)
	var all strings.Builder
	for _, t := range []table{mangle, filter} {
		if known && !slices.Contains(loaded, string(t)) {
			continue
		}
		save, err := h.run(ctx, "", h.tools[f].save, "-t", string(t))
		if err != nil {
			return "", err
		}
		all.WriteString(save)
	}
	return all.String(), nil
}

// legacyTables lists the legacy tables that are loaded, or says that it cannot know.
func legacyTables(f family) (names []string, known bool) {
	file := procNet + "ip_tables_names"
	if f == ipv6 {
		file = procNet + "ip6_tables_names"
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		_, err := os.Stat(procNet)
		return nil, err == nil
	}
	return strings.Fields(string(b)), err == nil
}

// procNet is not /proc/net, which a unit with ProcSubset=pid does not see.
const procNet = "/proc/self/net/"

// noIPv6 says that the kernel certainly has none. A socket would not tell: a unit may be forbidden to open one.
func noIPv6() bool {
	if _, err := os.Stat(procNet); err != nil {
		return false
	}
	_, err := os.Stat(procNet + "if_inet6")
	return errors.Is(err, fs.ErrNotExist)
}

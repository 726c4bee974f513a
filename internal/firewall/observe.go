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
	if h.backend == Legacy {
		return h.observeLegacy(ctx, f)
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
	r.Other, err = h.leftInLegacy(ctx, f)
	return r, err
}

func (h *Host) observeLegacy(ctx context.Context, f family) (Ruleset, error) {
	save, err := h.saveLegacy(ctx, f, h.tools[f].save)
	if err != nil {
		return Ruleset{}, err
	}
	r := parse(save)
	for _, t := range []table{mangle, filter} {
		exists, err := chainExists(f, t, t.chain())
		if err != nil {
			return Ruleset{}, err
		}
		if exists {
			r.Other = append(r.Other, string(t)+"/"+t.chain())
		}
	}
	return r, nil
}

// saveLegacy reads table by table: without -t the tool needs the list of tables, which only root may read, and takes
// one that is hidden for an empty one. A table that is not loaded is not asked for, since asking would load it.
func (h *Host) saveLegacy(ctx context.Context, f family, tool string) (string, error) {
	loaded, known := legacyTables(f)
	var all strings.Builder
	for _, t := range []table{mangle, filter} {
		if known && !slices.Contains(loaded, string(t)) {
			continue
		}
		save, err := h.run(ctx, "", tool, "-t", string(t))
		if err != nil {
			return "", err
		}
		all.WriteString(save)
	}
	return all.String(), nil
}

// leftInLegacy lists our chains in the legacy tables while nft is in use. Where the list of tables is not ours to read
// it stays silent: looking further would load them.
func (h *Host) leftInLegacy(ctx context.Context, f family) ([]string, error) {
	loaded, known := legacyTables(f)
	if !known || len(loaded) == 0 || h.tools[f].otherSave == "" {
		return nil, nil
	}
	save, err := h.saveLegacy(ctx, f, h.tools[f].otherSave)
	if err != nil {
		return nil, fmt.Errorf("what is left in the legacy tables: %w", err)
	}
	r := parse(save)
	var left []string
	for _, t := range []table{mangle, filter} {
		if r.table(t).Chain != nil {
			left = append(left, string(t)+"/"+t.chain())
		}
	}
	return left, nil
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

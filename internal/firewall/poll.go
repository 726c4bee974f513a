package firewall

import (
	"context"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// generationPoll and legacyPoll are how often the kernel is asked whether the rules have changed. With nft it is a safety net
// below the events (36 µs a question); legacy has no events (2 µs a table).
const (
	generationPoll = time.Second
	legacyPoll     = 200 * time.Millisecond
	eventLag       = 100 * time.Millisecond // within which an event is heard, if it comes
)

// poll asks until ctx ends, and gives a reason whenever the answer differs from what is known. known is what the events last
// told, where there are events: an answer that they bring a moment later is no news.
func poll(ctx context.Context, every time.Duration, known *atomic.Uint64, ask func() (uint64, bool), events chan<- string) {
	if now, ok := ask(); ok {
		known.CompareAndSwap(0, now)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, ok := ask()
		if !ok || now == known.Load() {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(eventLag, every/2)):
		}
		before := known.Load()
		if now, ok = ask(); !ok || now == before {
			continue
		}
		if known.CompareAndSwap(before, now) && !send(ctx, events, resync) {
			return
		}
	}
}

// askGeneration is the kernel's count of nftables transactions.
func askGeneration() (uint64, bool) {
	id, err := rulesetGeneration()
	return uint64(id), err == nil && id != 0
}

// tableInfo is struct ipt_getinfo (linux/netfilter_ipv4/ip_tables.h); that of IPv6 is the same.
type tableInfo struct {
	name      [32]byte
	hooks     uint32
	hookEntry [5]uint32
	underflow [5]uint32
	entries   uint32
	size      uint32
}

// soGetInfo is IPT_SO_GET_INFO and IP6T_SO_GET_INFO.
const soGetInfo = 64

// askLegacy is a hash of how many rules our tables have, how long they are and where the chains begin. A rule put in place of
// another of the same length is not seen; the interval is there for that. It needs CAP_NET_RAW, as the legacy tools do.
func askLegacy() (hash uint64, ok bool) {
	hash = 14695981039346656037 // FNV-1a
	for _, f := range []struct{ domain, level int }{{unix.AF_INET, unix.SOL_IP}, {unix.AF_INET6, unix.SOL_IPV6}} {
		s, err := unix.Socket(f.domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			continue // a kernel without IPv6, or a unit that may not
		}
		for _, t := range []table{mangle, filter} {
			info := tableInfo{}
			copy(info.name[:], t)
			size := uint32(unsafe.Sizeof(info))
			if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s), uintptr(f.level), soGetInfo,
				uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0); errno == 0 {
				ok = true
			}
			for _, n := range append(append(info.hookEntry[:], info.underflow[:]...), info.entries, info.size) {
				hash = (hash ^ uint64(n)) * 1099511628211
			}
		}
		_ = unix.Close(s)
	}
	return hash, ok
}

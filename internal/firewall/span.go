package firewall

import "net/netip"

// within says whether all of a network lies in what a rule names; of one that lies there in part nobody can tell.
func within(v any, all netip.Prefix) answer {
	first, last := all.Masked().Addr(), lastOf(all)
	from, to, ok := span(v)
	switch {
	case !ok:
		return maybe
	case from.Compare(first) <= 0 && last.Compare(to) <= 0:
		return yes
	case last.Compare(from) < 0 || to.Compare(first) < 0:
		return no
	}
	return maybe
}

// span is the first and the last address of a value.
func span(v any) (from, to netip.Addr, ok bool) {
	switch v := v.(type) {
	case string:
		a, err := netip.ParseAddr(v)
		return a, a, err == nil
	case map[string]any:
		if of, prefix := v["prefix"].(map[string]any); prefix {
			a, err := netip.ParseAddr(text(of, "addr"))
			bits, _ := of["len"].(float64)
			net := netip.PrefixFrom(a, int(bits))
			if err != nil || !net.IsValid() {
				return from, to, false
			}
			return net.Masked().Addr(), lastOf(net), true
		}
		if bounds := pairOf(v); bounds != nil {
			a, _, ok1 := span(bounds[0])
			b, _, ok2 := span(bounds[1])
			return a, b, ok1 && ok2
		}
	}
	return from, to, false
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// pairOf is the two ends of a range, or nil.
func pairOf(v any) []any {
	m, _ := v.(map[string]any)
	if ends, _ := m["range"].([]any); len(ends) == 2 {
		return ends
	}
	return nil
}

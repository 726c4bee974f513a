package firewall

import "slices"

// sameMembers says whether two lists differ in order only.
func sameMembers(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// shuffled says whether any text stands in both lists at different places, so that pairing them by place would mislead.
func shuffled(have, want []string) bool {
	at := make(map[string]int, len(want))
	for i, w := range want {
		at[w] = i
	}
	for i, h := range have {
		if j, ok := at[h]; ok && j != i {
			return true
		}
	}
	return false
}

// difference lists what want has more of than have, and the reverse, each in its own order.
func difference(want ruling, have []string) (missing []rule, extra []string) {
	left := make(map[string]int, len(have))
	for _, h := range have {
		left[h]++
	}
	for _, l := range want.rules {
		if left[l.text] > 0 {
			left[l.text]--
			continue
		}
		missing = append(missing, l)
	}
	for i := len(have) - 1; i >= 0; i-- { // from the end: of two equal rules the later is the one too much
		if h := have[i]; left[h] > 0 {
			left[h]--
			extra = append(extra, h)
		}
	}
	slices.Reverse(extra)
	return missing, extra
}

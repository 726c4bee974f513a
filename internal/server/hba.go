package server

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sessiondbd/internal/plan"
)

// HBAResource is the name of the resource that HBA speaks of.
const HBAResource = "hba"

// HBA is the diff of pg_hba.conf, late in a pass: the door opens last.
func HBA(w Want, o Observation) []plan.Resource {
	r := plan.Resource{Name: HBAResource}
	lines, err := accessLines(w)
	switch {
	case err != nil:
		r.Refuse(err.Error(), "choose another name in sessiondbd's config")
	case w.Manage == ManageVerify || !o.Local.HBA.Writable:
		verifyHBA(&r, w, o, lines)
	default:
		manageHBA(&r, o, lines)
	}
	return []plan.Resource{r}
}

func manageHBA(r *plan.Resource, o Observation, lines []string) {
	file := o.Local.HBA
	old, rest, first, last, err := cutBlock(file.Content)
	if err != nil {
		r.Refuse(fmt.Sprintf("the marks of sessiondbd's block in %s are damaged: %v", file.Path, err),
			"remove the marks with those lines between them that are sessiondbd's; it then writes the block afresh")
		return
	}
	if o.refuseErrors(r, func(e Rule) bool { return e.File == file.Path && e.Line >= first && e.Line <= last }) {
		return
	}
	block := blockText(lines)
	if old == block && first == 1 {
		if late := file.Changed.UnixMicro(); !file.Changed.IsZero() && late > o.facts().Loaded {
			r.Add(plan.Run, "reload", "loaded "+moment(o.facts().Loaded), "changed "+moment(late), "PostgreSQL has not loaded the file since it changed", Reload{})
		}
		return
	}
	step := WriteFile{Path: file.Real, Exists: true, Old: file.Content, Content: block + rest, Check: CheckHBA}
	if first == 0 {
		r.Add(plan.Create, "block", "absent", strings.Join(blockRules(block), "; "), "the VMs may come in from their networks, our roles from nowhere else", step)
		return
	}
	have, want := blockDifference(blockRules(old), blockRules(block))
	if first != 1 {
		have = fmt.Sprintf("in line %d; %s", first, have)
		want = "first in the file; " + want
	}
	r.Add(plan.Update, "block", have, want, "the VMs may come in from their networks, our roles from nowhere else", step)
}

// refuseErrors refuses every line that PostgreSQL cannot take and that is not excepted: one of them discards the whole file.
func (o Observation) refuseErrors(r *plan.Resource, except func(Rule) bool) bool {
	found := false
	for _, e := range o.Rules {
		if !e.broken() || except(e) {
			continue
		}
		found = true
		r.Refuse(fmt.Sprintf("%s:%d: %s: PostgreSQL ignores the whole file while the line is there", e.File, e.Line, e.Error),
			fmt.Sprintf("mend or remove line %d of %s, then reload: %s", e.Line, e.File, reloadCommand))
	}
	return found
}

// blockDifference says which rules are there and should not be, and the other way round.
func blockDifference(have, want []string) (string, string) {
	only := func(a, b []string) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) }), "; ")
	}
	surplus, missing := only(have, want), only(want, have)
	switch {
	case surplus == "" && missing == "" && slices.Equal(have, want):
		return "other spacing or comments", count(len(want), "line")
	case surplus == "" && missing == "":
		return "another order", count(len(want), "line")
	case surplus == "":
		return count(len(have), "line"), "with " + missing
	case missing == "":
		return surplus, "without it"
	}
	return surplus, missing
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func moment(micros int64) string { return time.UnixMicro(micros).UTC().Format("15:04:05.000") }

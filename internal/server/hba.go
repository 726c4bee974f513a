package server

import (
	"fmt"
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
	warnBeside(&r, w, o)
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
		r.Add(plan.Create, "block", "", strings.Join(blockRules(block), "\n"), o.whyBlock(), step)
		return
	}
	have, want := strings.Join(blockRules(old), "\n"), strings.Join(blockRules(block), "\n")
	switch {
	case first != 1:
		r.Add(plan.Update, "place", fmt.Sprintf("from line %d on", first), "from line 1 on", "PostgreSQL takes the first line that matches: lines above the block would decide", step)
	case have == want:
		r.Add(plan.Update, "block", "other spacing or comments", count(len(lines), "line"), "the block is kept to the letter, so that an edit is noticed", step)
	}
	if have != want {
		r.Add(plan.Update, "block", have, want, o.whyBlock(), step)
	}
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

// whyBlock is the reason for our block, and where it stands.
func (o Observation) whyBlock() string {
	return "the VMs may log in from their networks with the password, our roles from nowhere else; first in " + o.Local.HBA.Path
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func moment(micros int64) string { return time.UnixMicro(micros).UTC().Format("15:04:05.000") }

package main

import (
	"fmt"
	"strings"
	"time"
)

// finish counts a package that has ended and reports it: one line, and what it said if not all is well.
func (t *tally) finish(p *pack, e event) string {
	here := t.count(p)
	if e.Action == "skip" { // no test files
		return ""
	}
	bad := e.Action == "fail" || here[failed] > 0
	verdict, how := "ok  ", sum(here)
	switch {
	case e.FailedBuild != "":
		verdict, how = "FAIL", "does not build"
		t.problem("a package does not build")
	case bad && here[failed] == 0: // TestMain, a data race after the last test
		verdict, how = "FAIL", how+", but the package did"
	case bad:
		verdict = "FAIL"
	case here[skipped] > 0:
		verdict = "SKIP"
	}
	if bad && here[failed] == 0 {
		t.counts[failed]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-32s %8s  %s\n", verdict, p.short(), seconds(e.Elapsed), how)
	b.WriteString(indent(t.builds[e.FailedBuild]))
	b.WriteString(indent(p.said(bad, here)))
	return b.String()
}

// said is the output of the tests that did not pass, and of the package itself if it failed; all of it if none of them
// explains the failure.
func (p *pack) said(bad bool, here map[result]int) string {
	all := bad && here[failed] == 0
	var b strings.Builder
	for _, o := range p.output {
		s := p.find(o.test)
		wanted := all || bad && s == nil || s != nil && s.result != passed
		if wanted && !strings.HasPrefix(o.text, "=== ") {
			b.WriteString(o.text)
		}
	}
	return b.String()
}

// end closes the tally and says whether all is well. The last line has the sums alone.
func (t *tally) end(took time.Duration) (string, bool) {
	var b strings.Builder
	for _, p := range t.running {
		t.problem("the stream broke off while tests were running")
		here := t.count(p)
		fmt.Fprintf(&b, "FAIL  %-32s %8s  %s\n", p.short(), "no end", sum(here))
		b.WriteString(indent(p.said(true, here)))
		if here[failed] == 0 {
			t.counts[failed]++
		}
	}
	if t.packages == 0 {
		t.problem("nothing came: go test did not start")
	}
	if t.counts[failed] > 0 {
		t.problem("not all tests passed")
	}
	if t.counts[skipped] > 0 {
		t.problem("tests were skipped; one that cannot run has to fail and say why")
	}
	var kinds []string
	for _, k := range allKinds {
		kinds = append(kinds, fmt.Sprintf("%s %d", k, t.ran[k]))
		if t.ran[k] == 0 {
			t.problem(fmt.Sprintf("no %s test ran", k))
		}
	}
	fmt.Fprintf(&b, "\n%s\n%d packages in %s\n", strings.Join(kinds, ", "), t.packages, took.Round(time.Second))
	for _, p := range t.problems {
		fmt.Fprintf(&b, "tally: %s\n", p)
	}
	fmt.Fprintf(&b, "%s\n", sum(t.counts))
	return b.String(), len(t.problems) == 0
}

// progress is one line about the tests that run.
func (t *tally) progress(now time.Time, since time.Duration) string {
	var all []string
	for _, p := range t.running {
		name, began := "", p.began
		for _, s := range p.tests { // the youngest is the deepest, or one of several side by side
			if s.result == running {
				name, began = " "+s.name, s.began
			}
		}
		all = append(all, fmt.Sprintf("%s%s %s", p.short(), name, now.Sub(began).Round(time.Second)))
	}
	if len(all) == 0 {
		all = []string{"building"}
	}
	return fmt.Sprintf("…     %s: %s\n", since.Round(time.Second), strings.Join(all, "; "))
}

// sum tells of skipped tests only if there are any.
func sum(n map[result]int) string {
	s := fmt.Sprintf("%d passed, %d failed", n[passed], n[failed])
	if n[skipped] > 0 {
		s += fmt.Sprintf(", %d skipped", n[skipped])
	}
	return s
}

// short is the package's folder.
func (p *pack) short() string {
	_, folder, ok := strings.Cut(p.name, "/")
	if !ok {
		return p.name
	}
	return folder
}

func seconds(s float64) string { return fmt.Sprintf("%.1f s", s) }

func indent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString("    " + strings.TrimSuffix(line, "\n") + "\n")
	}
	return b.String()
}

package main

import (
	"slices"
	"strings"
	"time"
)

// event is one line of `go test -json` (go doc cmd/test2json; build-* as in go help buildjson).
type event struct {
	Time        time.Time
	Action      string
	Package     string
	ImportPath  string // of build-output
	Test        string
	Elapsed     float64 // seconds
	Output      string
	FailedBuild string // the ImportPath whose build failed
}

// tally is what the stream has told so far.
type tally struct {
	kindOf   func(pkg, test string) kind
	running  []*pack // started, not ended
	packages int
	builds   map[string]string // compiler's output by import path
	ran      map[kind]int
	counts   map[result]int
	problems []string
}

// pack is a package whose tests run.
type pack struct {
	name   string
	began  time.Time
	tests  []*test
	output []piece
}

type test struct {
	name    string
	began   time.Time
	result  result
	parent  *test
	parents bool // has subtests
	blamed  bool // a subtest failed
}

type piece struct{ test, text string }

type result string

const (
	running result = ""
	passed  result = "pass"
	failed  result = "fail"
	skipped result = "skip"
)

func newTally(kindOf func(pkg, test string) kind) *tally {
	return &tally{kindOf: kindOf, builds: map[string]string{}, ran: map[kind]int{}, counts: map[result]int{}}
}

// problem remembers why the whole fails; each reason once.
func (t *tally) problem(text string) {
	if !slices.Contains(t.problems, text) {
		t.problems = append(t.problems, text)
	}
}

// add takes an event and returns what there is to print: a package's report when it ends.
func (t *tally) add(e event) string {
	switch e.Action {
	case "build-output":
		t.builds[e.ImportPath] += e.Output
		return ""
	case "build-fail":
		return ""
	}
	p := t.pack(e)
	switch {
	case e.Action == "output":
		p.output = append(p.output, piece{e.Test, e.Output})
	case e.Test == "" && slices.Contains([]string{"pass", "fail", "skip"}, e.Action):
		t.running = slices.DeleteFunc(t.running, func(q *pack) bool { return q == p })
		return t.finish(p, e)
	case e.Action == "run":
		p.begin(e)
	case e.Action == "pass", e.Action == "fail", e.Action == "skip":
		p.find(e.Test).end(result(e.Action))
	}
	return ""
}

func (t *tally) pack(e event) *pack {
	for _, p := range t.running {
		if p.name == e.Package {
			return p
		}
	}
	p := &pack{name: e.Package, began: e.Time}
	t.running = append(t.running, p)
	t.packages++
	return p
}

func (p *pack) begin(e event) {
	s := &test{name: e.Test, began: e.Time, parent: p.above(e.Test)}
	if s.parent != nil {
		s.parent.parents = true
	}
	p.tests = append(p.tests, s)
}

// above finds the test that runs this subtest. A subtest's own name may hold slashes.
func (p *pack) above(name string) *test {
	for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name[:i], '/') {
		if s := p.find(name[:i]); s != nil {
			return s
		}
	}
	return nil
}

func (p *pack) find(name string) *test {
	for _, s := range slices.Backward(p.tests) {
		if s.name == name {
			return s
		}
	}
	return nil
}

func (s *test) end(r result) {
	if s == nil { // its start was in a line that could not be read
		return
	}
	s.result = r
	if r == failed {
		for a := s.parent; a != nil; a = a.parent {
			a.blamed = true
		}
	}
}

// counts says whether a test is one of those that are counted: it has no subtests, or its result is not theirs.
func (s *test) counts() bool {
	return !s.parents || s.result == skipped || s.result == failed && !s.blamed
}

// count adds a package's tests; one that has not ended has failed. It returns how many of each result there are.
func (t *tally) count(p *pack) map[result]int {
	here := map[result]int{}
	for _, s := range slices.Backward(p.tests) { // subtests before those that run them
		if s.result == running {
			s.end(failed)
		}
	}
	for _, s := range p.tests {
		if !s.counts() {
			continue
		}
		here[s.result]++
		if s.result != skipped {
			t.ran[t.kindOf(p.name, s.name)]++
		}
	}
	for r, n := range here {
		t.counts[r] += n
	}
	return here
}

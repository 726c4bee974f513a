package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"
)

// table is what a run prints: each line with its goal, or for information without one.
type table struct {
	out  io.Writer
	rows *tabwriter.Writer
}

func newTable(out io.Writer) *table {
	t := &table{out: out, rows: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(t.rows, "WHAT\tOURS\tAGAINST\tTHEIRS\tTIMES\tGOAL\t")
	return t
}

// heading says what the figures depend on.
func (t *table) heading(o options) {
	fmt.Fprintf(t.out, "medians of %d interleaved rounds; %s\n\n", o.pairs, surroundings())
}

// surroundings are the machine and how busy it is.
func surroundings() string {
	var u unix.Utsname
	_ = unix.Uname(&u)
	s := fmt.Sprintf("Linux %s %s, %d processors, load average %s", unix.ByteSliceToString(u.Release[:]), runtime.GOARCH, runtime.NumCPU(), load())
	if l := load1(); l > float64(runtime.NumCPU())/2 {
		s += " (busy: the figures are worse than they would be)"
	}
	return s
}

func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	return strings.Join(strings.Fields(string(b) + " ? ? ?")[:3], " ")
}

func load1() (l float64) {
	_, _ = fmt.Sscan(load(), &l)
	return l
}

// against adds a line whose goal is a multiple of somebody else's time.
func (t *table) against(what string, ours sample, whom string, theirs sample, goal float64) {
	times := ours.times(theirs)
	t.line(what, ours.String(), whom, theirs.String(), fmt.Sprintf("%.2f×", times), fmt.Sprintf("≤%g×", goal), verdict(times, goal))
}

// atMost adds a line whose goal is absolute.
func (t *table) atMost(what string, ours float64, format string, goal float64) {
	t.line(what, fmt.Sprintf(format, ours), "", "", "", fmt.Sprintf("≤"+strings.Replace(format, ".1f", "g", 1), goal), verdict(ours, goal))
}

// also adds a line for information.
func (t *table) also(what string, ours sample, whom string, theirs sample) {
	t.line(what, ours.String(), whom, theirs.String(), fmt.Sprintf("%.2f×", ours.times(theirs)), "", "")
}

// line adds cells; a line that lacks some would end the columns for those below it.
func (t *table) line(cells ...string) {
	for len(cells) < 7 {
		cells = append(cells, "")
	}
	fmt.Fprintln(t.rows, strings.Join(cells, "\t"))
}

func (t *table) flush() error {
	if err := t.rows.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.out, "\nload average at the end %s\n", load())
	return err
}

func verdict(have, goal float64) string {
	if have <= goal {
		return "met"
	}
	return "missed"
}

// progress tells a person who waits how far it is.
func progress(format string, args ...any) {
	if _, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS); err == nil {
		fmt.Fprintf(os.Stderr, "\r\x1b[K"+format, args...)
	}
}

func (o options) wants(name string) bool {
	ok, err := regexp.MatchString(o.rows, name)
	return ok && err == nil
}

// Package main counts the tests of `go test -json` by kind, failing if any failed, was skipped or is missing.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"sessiondbd/internal/lab"
)

// beat is how often something is said while all tests are silent.
const beat = 15 * time.Second

func main() {
	// Whoever interrupts the tests wants to know how far they came: the end of the stream is our end.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	ok, err := run(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) (bool, error) {
	top, err := lab.Checkout()
	if err != nil {
		return false, err
	}
	kinds, err := readKinds(top)
	if err != nil {
		return false, err
	}
	t := newTally(kinds.of)
	lines := make(chan []byte)
	go func() { // ends with the stream
		defer close(lines)
		r := bufio.NewReader(in)
		for {
			line, err := r.ReadBytes('\n')
			if len(line) > 0 {
				lines <- line
			}
			if err != nil {
				return
			}
		}
	}()
	begin := time.Now()
	last := begin
	tick := time.NewTicker(beat / 15)
	defer tick.Stop()
	for {
		text := ""
		select {
		case line, more := <-lines:
			if !more {
				text, ok := t.end(time.Since(begin))
				_, err := io.WriteString(out, text)
				return ok, err
			}
			text = t.read(line)
		case now := <-tick.C:
			if now.Sub(last) >= beat {
				text = t.progress(now, now.Sub(begin))
			}
		}
		if text == "" {
			continue
		}
		last = time.Now()
		if _, err := io.WriteString(out, text); err != nil {
			return false, err
		}
	}
}

// read takes one line of the stream and returns what there is to print about it.
func (t *tally) read(line []byte) string {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		t.problem("a line of the stream is not JSON: go test itself has something to say")
		return string(line)
	}
	return t.add(e)
}

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// beat is how long the screen may be silent before it says that something still goes on.
const beat = 5 * time.Second

// screen writes lines with the seconds since the start in front.
type screen struct {
	mu     sync.Mutex
	w      io.Writer
	colour bool
	begin  time.Time
	last   time.Time
	doing  string
}

func newScreen(f *os.File) *screen {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	_, plain := os.LookupEnv("NO_COLOR")
	now := time.Now()
	return &screen{w: f, colour: err == nil && !plain && os.Getenv("TERM") != "dumb", begin: now, last: now}
}

// line says one thing; what follows a line break stands below it.
func (s *screen) line(format string, args ...any) { s.put("", format, args...) }

// good is a line about something that was proved.
func (s *screen) good(format string, args ...any) { s.put("32", "✓ "+format, args...) }

func (s *screen) fail(format string, args ...any) { s.put("31;1", "✗ "+format, args...) }

// heading begins a step.
func (s *screen) heading(format string, args ...any) {
	s.mu.Lock()
	fmt.Fprintln(s.w)
	s.doing = fmt.Sprintf(format, args...)
	s.mu.Unlock()
	s.put("1", format, args...)
}

// block shows what a program printed.
func (s *screen) block(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(strings.Trim(text, "\n")) {
		fmt.Fprintln(s.w, s.paint("2", "          │ "+strings.TrimSuffix(line, "\n")))
	}
	s.last = time.Now()
}

func (s *screen) put(colour, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n          ")
	fmt.Fprintf(s.w, "%6.1fs   %s\n", time.Since(s.begin).Seconds(), s.paint(colour, text))
	s.last = time.Now()
}

func (s *screen) paint(colour, text string) string {
	if !s.colour || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// heartbeat says what is being done when nothing was said for long.
func (s *screen) heartbeat(ctx context.Context) {
	tick := time.NewTicker(beat / 5)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.mu.Lock()
			silent, doing := time.Since(s.last) >= beat, s.doing
			s.mu.Unlock()
			if silent {
				s.put("2", "… still at it: %s", doing)
			}
		}
	}
}

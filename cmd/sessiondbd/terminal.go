package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// colourful says whether a person reads there who wants colour: a terminal that knows it, without NO_COLOR (https://no-color.org).
func colourful(w io.Writer) bool {
	return os.Getenv("NO_COLOR") == "" && onTerminal(w)
}

// onTerminal says whether a person reads there, on a terminal that knows more than lines.
func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// progress tells a person at a terminal how far something is, until it is stopped. A script or the journal is told nothing.
func (a *app) progress(say func() string) (stop func()) {
	if !onTerminal(a.stderr) {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		const again = "\r\x1b[K"
		for {
			select {
			case <-quit:
				fmt.Fprint(a.stderr, again)
				return
			case <-tick.C:
				fmt.Fprint(a.stderr, again+say())
			}
		}
	}()
	return func() { close(quit); <-ended }
}

package main

import (
	"io"
	"os"

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

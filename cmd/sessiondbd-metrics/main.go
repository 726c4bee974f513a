// Command sessiondbd-metrics answers Prometheus on the socket that systemd hands it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"

	"sessiondbd/internal/config"
	"sessiondbd/internal/systemd"
)

// Set by the linker (see Makefile).
var (
	version = "devel"
	commit  = "unknown"
)

// Exit codes, of sysexits(3).
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 64
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

type options struct {
	config    string
	configSet bool
	idle      time.Duration
}

// run serves until ctx ends, or nobody has asked for long.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	f := flag.NewFlagSet("sessiondbd-metrics", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.config, "config", config.DefaultPath, "the config `file` of sessiondbd; absent: the documented hypervisor")
	f.DurationVar(&o.idle, "idle", 5*time.Minute, "end when nobody has asked for so long; 0: never")
	showVersion := f.Bool("version", false, "print the version")
	f.Usage = func() {
		fmt.Fprintln(stderr, "Usage: sessiondbd-metrics [flags]\n\nAnswers GET /metrics on the sockets that systemd passes: sudo systemctl enable --now sessiondbd-metrics.socket")
		f.PrintDefaults()
	}
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage
	case f.NArg() > 0 || o.config == "" || o.idle < 0:
		fmt.Fprintln(stderr, "sessiondbd-metrics: takes no arguments, --config must name a file, --idle must not be negative")
		return exitUsage
	case *showVersion:
		fmt.Fprintf(stdout, "sessiondbd-metrics %s\ncommit             %s\ngo                 %s %s/%s\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return exitOK
	}
	f.Visit(func(g *flag.Flag) { o.configSet = o.configSet || g.Name == "config" })
	listeners, err := sockets()
	if err != nil {
		fmt.Fprintln(stderr, "sessiondbd-metrics: "+err.Error())
		return exitUsage
	}
	h, stopLog, err := systemd.NewHandler("auto", slog.LevelInfo, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "sessiondbd-metrics: "+err.Error())
		return exitFailure
	}
	defer stopLog()
	if err := serve(ctx, listeners, o, slog.New(h)); err != nil {
		fmt.Fprintln(stderr, "sessiondbd-metrics: "+err.Error())
		return exitFailure
	}
	return exitOK
}

// sockets are those that systemd has bound for us.
func sockets() ([]net.Listener, error) {
	passed, err := activation.Listeners()
	var list []net.Listener
	for _, l := range passed {
		if l != nil { // one that is no stream socket
			list = append(list, l)
		}
	}
	if err == nil && len(list) == 0 {
		err = errors.New("no socket was passed: sudo systemctl enable --now sessiondbd-metrics.socket; by hand: systemd-socket-activate -l 127.0.0.1:19187 sessiondbd-metrics")
	}
	return list, err
}

// Package main measures sessiondbd beside its peers on a PostgreSQL that it makes for the purpose.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"sessiondbd/internal/lab"
)

const (
	exitFailure    = 1
	exitNotAllowed = 77
)

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/sessiondbd", "the `program` to measure")
	flag.IntVar(&o.pairs, "pairs", 25, "how many pairs; the table holds medians")
	flag.DurationVar(&o.idle, "idle", time.Minute, "how long the daemons idle before their memory is read")
	flag.StringVar(&o.rows, "rows", "", "only the measurements whose name matches this regular `expression`")
	flag.IntVar(&o.millions, "millions", 5, "of rows in the table that is repaired online")
	flag.Parse()
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, `bench: needs root, for network namespaces; run: sudo env PATH="$PATH" make bench`)
		os.Exit(exitNotAllowed)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(exitFailure)
	}
}

type options struct {
	binary string
	pairs  int
	idle   time.Duration
	rows   string

	millions int
	settings map[string]string // of the server
}

// run measures one thing after the other: two cores are few. The daemons whose memory is read idle meanwhile.
func run(ctx context.Context, o options) error {
	if err := lab.Require(ctx, lab.NeedNamespaces, lab.NeedCluster); err != nil {
		return err
	}
	t := newTable(os.Stdout)
	t.heading(o)
	for _, m := range measurements {
		if !o.wants(m.name) {
			continue
		}
		progress("%s", m.name)
		if err := m.take(ctx, o, t); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	progress("")
	return t.flush()
}

// measurements in the order of the table. The memory comes last, when its daemons have idled long enough.
var measurements = []struct {
	name string
	take func(context.Context, options, *table) error
}{
	{"plan", takePlan},
	{"pass", takePass},
	{"cold", takeCold},
	{"ready", takeReady},
	{"again", takeAgain},
	{"firewall", takeFirewall},
	{"flush", takeFlush},
	{"scale", takeScale},
	{"online", takeOnline},
	{"adopt", takeAdopt},
	{"prune", takePrune},
	{"memory", takeMemory},
}

package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// answerTime bounds an answer; PostgreSQL gets lookTime of it.
	answerTime = 3 * time.Second
	// scrapesMost may be answered at a time.
	scrapesMost = 4
)

// serve answers on the listeners until ctx ends or nobody has asked for o.idle. The sockets are systemd's: whoever asks next
// makes it start us again, and whoever asks in the moment between waits in their queue.
func serve(ctx context.Context, listeners []net.Listener, o options, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(&collector{
		runDir: fromEnv("SESSIONDBD_RUN_DIR", "/run/sessiondbd"), log: log, told: map[string]string{},
		looker: looker{config: o.config, mustExist: o.configSet},
	}); err != nil {
		return err
	}
	idle := newIdle(o.idle, cancel)
	defer idle.stop()
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapesMost, Timeout: answerTime,
	})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", idle.count(metrics))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "sessiondbd: GET /metrics\n") // who has gone away needs no answer
	})
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: answerTime, ReadTimeout: answerTime, WriteTimeout: 2 * answerTime, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	var all sync.WaitGroup
	failed := make([]error, len(listeners))
	for i, l := range listeners {
		all.Go(func() {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed[i] = err
				cancel()
			}
		})
	}
	<-ctx.Done()
	end, stop := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer stop()
	err := server.Shutdown(end)
	all.Wait()
	return errors.Join(append(failed, err)...)
}

// idle calls a function when nothing has been asked for so long.
type idle struct {
	after time.Duration
	timer *time.Timer
	mu    sync.Mutex
	busy  int
}

func newIdle(after time.Duration, end func()) *idle {
	i := &idle{after: after}
	if after > 0 {
		i.timer = time.AfterFunc(after, end)
	}
	return i
}

func (i *idle) stop() {
	if i.timer != nil {
		i.timer.Stop()
	}
}

// count keeps the time from running while somebody is answered.
func (i *idle) count(h http.Handler) http.Handler {
	if i.timer == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.add(1)
		defer i.add(-1)
		h.ServeHTTP(w, r)
	})
}

func (i *idle) add(n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.busy += n; i.busy > 0 {
		i.timer.Stop()
	} else {
		i.timer.Reset(i.after)
	}
}

func fromEnv(name, standard string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return standard
}

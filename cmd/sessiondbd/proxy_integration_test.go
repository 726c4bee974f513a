//go:build integration

package main

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// proxy stands on a socket between the product and PostgreSQL and counts what a network would make expensive: connections,
// and round trips after authentication.
type proxy struct {
	dir    string // of the socket; the port is 5432
	server string
	mu     sync.Mutex
	trips  []int // of each connection, in their order
}

func newProxy(t *testing.T, server string) *proxy {
	t.Helper()
	dir, err := os.MkdirTemp("", "sessiondbd-proxy-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p := &proxy{dir: dir, server: filepath.Join(server, ".s.PGSQL.5432")}
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, ".s.PGSQL.5432"), 0o777); err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				if err := p.serve(c); err != nil {
					t.Errorf("proxy: %v", err)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
		_ = os.RemoveAll(dir)
	})
	return p
}

// reset forgets what was counted and returns it: round trips by connection.
func (p *proxy) reset() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.trips
	p.trips = nil
	return t
}

// serve passes one connection on. A round trip is a change of direction from server to client and back: the client speaks
// after the server has said that it is ready.
func (p *proxy) serve(client net.Conn) error {
	defer client.Close()
	server, err := net.Dial("unix", p.server)
	if err != nil {
		return err
	}
	defer server.Close()
	p.mu.Lock()
	n := len(p.trips)
	p.trips = append(p.trips, 0)
	p.mu.Unlock()
	var (
		turn  sync.Mutex
		ready bool // the server has spoken last, and waits
	)
	answers := make(chan error, 1)
	go func() {
		answers <- messages(client, server, func(kind byte) {
			turn.Lock()
			defer turn.Unlock()
			ready = ready || kind == 'Z'
		})
		_ = client.Close()
	}()
	if err := startup(server, client); err != nil {
		return err
	}
	err = messages(server, client, func(kind byte) {
		turn.Lock()
		defer turn.Unlock()
		if kind == 'X' || !ready { // Terminate is answered by nobody
			return
		}
		ready = false
		p.mu.Lock()
		defer p.mu.Unlock()
		if n < len(p.trips) {
			p.trips[n]++
		}
	})
	_ = server.Close()
	return errors.Join(err, <-answers)
}

// startup copies the one message that has no type (PostgreSQL manual, 55.7).
func startup(to io.Writer, from io.Reader) error {
	var size [4]byte
	if _, err := io.ReadFull(from, size[:]); err != nil {
		return err
	}
	if _, err := to.Write(size[:]); err != nil {
		return err
	}
	_, err := io.CopyN(to, from, int64(binary.BigEndian.Uint32(size[:]))-4)
	return err
}

// messages copies typed messages until either side ends, telling the type of each before it is passed on.
func messages(to io.Writer, from io.Reader, see func(kind byte)) error {
	head := make([]byte, 5)
	for {
		if _, err := io.ReadFull(from, head); err != nil {
			return ended(err)
		}
		see(head[0])
		if _, err := to.Write(head); err != nil {
			return ended(err)
		}
		if _, err := io.CopyN(to, from, int64(binary.BigEndian.Uint32(head[1:]))-4); err != nil {
			return ended(err)
		}
	}
}

// ended takes the ordinary ends of a connection for no error.
func ended(err error) error {
	var op *net.OpError
	if errors.Is(err, io.EOF) || errors.As(err, &op) {
		return nil
	}
	return err
}
